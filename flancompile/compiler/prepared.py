"""A recipe that is ready to be compiled: what the later passes share."""

from __future__ import annotations

from dataclasses import dataclass, field

from flancompile.compiler.objects.jobs import Workshop
from flancompile.compiler.plan.members import Node, PlannedTask
from flancompile.compiler.request import Request
from flancompile.compiler.special_tokens import FrameIds
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["Prepared"]


@dataclass(frozen=True)
class Prepared:
    """A recipe with its tasks planned, its sources read and its tokenizer at hand.

    left_out: tasks whose rows are not to be had, with the reason.
    """

    request: Request
    node: Node
    held_out: dict[str, str]
    planned: dict[str, PlannedTask]
    shares: dict[str, float]
    tokenizer: Tokenizer
    frame: FrameIds
    workshop: Workshop
    left_out: dict[str, str] = field(default_factory=dict)

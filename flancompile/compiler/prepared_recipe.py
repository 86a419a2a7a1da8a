"""A recipe that is ready to be compiled, for the passes after reading."""

from __future__ import annotations

from dataclasses import dataclass, field

from flancompile.compiler.objects.jobs import CompileContext
from flancompile.compiler.plan.members import Node, PlannedTask
from flancompile.compiler.request import CompileRequest
from flancompile.compiler.special_tokens import FrameIds
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["PreparedRecipe"]


@dataclass(frozen=True)
class PreparedRecipe:
    """A recipe with planned tasks, read sources and a loaded tokenizer.

    left_out: reasons for tasks whose rows are not on this machine, by task id.
    """

    request: CompileRequest
    node: Node
    held_out: dict[str, str]
    planned: dict[str, PlannedTask]
    shares: dict[str, float]
    tokenizer: Tokenizer
    frame: FrameIds
    context: CompileContext
    left_out: dict[str, str] = field(default_factory=dict)

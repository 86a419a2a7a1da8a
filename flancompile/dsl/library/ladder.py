"""The ladder of "Scaling Instruction-Finetuned Language Models": 0, 9, 89, 282, 1,836 task names.

The names are those of the paper's mixtures; tasks refer to them by `rungs:`. Each rung includes the
ones below it. The public list of the last part has 1,556 names; the paper counts 1,554.

Source: Chung et al. 2022, section 2 and appendix F.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from flancompile.dsl.library.library import builtin_library

__all__ = ["Rung", "ladder_names", "rungs"]

_STEPS = {0: None, 9: "cot", 89: "muffin", 282: "t0_sf", 1836: "niv2"}


@dataclass(frozen=True)
class Rung:
    """A rung: its number of tasks in the paper, the part that it adds, and all names."""

    tasks: int
    adds: str | None
    names: tuple[str, ...]


@cache
def ladder_names() -> dict[str, tuple[str, ...]]:
    """The names of each part: cot, muffin, t0_sf, niv2."""
    text = (builtin_library() / "ladder.json").read_text(encoding="utf-8")
    return {part: tuple(names) for part, names in json.loads(text).items()}


def rungs() -> tuple[Rung, ...]:
    """The five rungs, the lowest first.

    >>> [(r.tasks, len(r.names)) for r in rungs()]
    [(0, 0), (9, 9), (89, 89), (282, 282), (1836, 1838)]
    """
    found: list[Rung] = []
    names: tuple[str, ...] = ()
    for tasks, adds in _STEPS.items():
        names += ladder_names()[adds] if adds else ()
        found.append(Rung(tasks, adds, names))
    return tuple(found)

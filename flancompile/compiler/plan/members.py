"""The tree of a mixture: members with their tasks, arms and limits."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from flancompile.compiler.render.arms import ArmShares
from flancompile.dsl.library.library import TaskDef

__all__ = ["Node", "PlannedTask"]


@dataclass(frozen=True)
class PlannedTask:
    """A task with the arms and limits that a mixture gives it."""

    task: TaskDef
    member: str
    arms: ArmShares
    cap_rows: int | None
    max_epochs: float | None

    def capped(self, rows: int) -> int:
        """The number of rows within the cap, of `rows`."""
        return rows if self.cap_rows is None else min(rows, self.cap_rows)

    def over_epochs(self, usable: int) -> int | None:
        """The most examples that the limit of epochs allows of so many an epoch; None: no limit."""
        if self.max_epochs is None:
            return None
        return math.floor(round(self.max_epochs * usable, 6))  # 0.29 of 100 is 29


@dataclass
class Node:
    """A node of the mixture tree: a member with its tasks, or a mixture with its members."""

    name: str
    rate: float | None = None
    within: str = "rows"
    temperature: float = 1.0
    tasks: list[PlannedTask] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def all_tasks(self) -> list[PlannedTask]:
        """The tasks of the whole subtree, in order."""
        return [*self.tasks, *(t for c in self.children for t in c.all_tasks())]

    def without(self, ids: Collection[str]) -> Node:
        """The same tree without some tasks."""
        tasks = [t for t in self.tasks if t.task.id not in ids]
        return replace(self, tasks=tasks, children=[c.without(ids) for c in self.children])

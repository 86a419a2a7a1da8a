"""Rows of a task's split that are linted, with the settings and the diagnostics found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flancompile.compiler.request import CompileRequest
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic
from flancompile.lint.reading import Reading

__all__ = ["Sample", "share"]


@dataclass
class Sample:
    """Rows of a task's split. whole: they are all of the split; evaluated: evaluation queries."""

    request: CompileRequest
    task: TaskDef
    split: str
    rows: Sequence[dict[str, Any]]
    reading: Reading
    evaluated: bool = False
    whole: bool = True
    found: list[Diagnostic] = field(default_factory=list)

    def report(self, code: str, message: str, key: Key, hint: str | None = None) -> None:
        """Add a warning at a key of the task."""
        span = self.task.span(*key)
        name = f"{self.task.id} on {self.split!r}" if self.evaluated else self.task.id
        self.found.append(Diagnostic(code, f"{name}: {message}", span, hint, "warning"))


def share(count: int, of: int, row: str | None = None) -> str:
    """How many of the rows are affected, and the id of one of them.

    >>> share(2, 1000, "a7")
    "2 of 1,000 rows, such as 'a7'"
    """
    return f"{count:,} of {of:,} rows" + ("" if row is None else f", such as {row!r}")

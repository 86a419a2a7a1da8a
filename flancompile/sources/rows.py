"""Raw rows, rows that could not be read, and the columns that a reader is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["EVERY_COLUMN", "BadRow", "Row", "Wanted"]

Row = dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read: why, and where."""

    reason: str
    where: str


@dataclass(frozen=True)
class Wanted:
    """Columns that expressions read. None: any may be read.

    identity: whether the whole row is wanted for a digest of its content: other columns then come
    too, and a value of theirs that no row can hold drops no row.
    """

    columns: frozenset[str] | None = None
    identity: bool = False

    @property
    def whole(self) -> bool:
        """Whether every column is wanted."""
        return self.columns is None or self.identity

    def has(self, name: str) -> bool:
        """Whether a column is to be in the rows."""
        return self.whole or self.reads(name)

    def reads(self, name: str) -> bool:
        """Whether an expression reads a column."""
        return self.columns is None or name in self.columns

    def and_(self, *names: str) -> Wanted:
        """The same with further columns."""
        return self if self.columns is None else replace(self, columns=self.columns | {*names})

    def without_prefix(self, prefix: str, more: Iterable[str] = ()) -> Wanted:
        """The same of a joined file, to whose columns' names a prefix is added."""
        if self.columns is None:
            return self
        names = {n[len(prefix) :] for n in self.columns if n.startswith(prefix)}
        return Wanted(frozenset({*names, *more}), self.identity)


EVERY_COLUMN = Wanted()

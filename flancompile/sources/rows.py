"""Raw rows, bad rows, and the projection of columns to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["EVERY_COLUMN", "BadRow", "Projection", "Row"]

Row = dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read, with the reason and its place in the file."""

    reason: str
    where: str


@dataclass(frozen=True)
class Projection:
    """Columns that expressions read. None: any may be read.

    identity: read the other columns too, for a digest of the row's content; an unreadable value in
    those drops no row.
    """

    columns: frozenset[str] | None = None
    identity: bool = False

    @property
    def whole(self) -> bool:
        """Whether every column is read from the file."""
        return self.columns is None or self.identity

    def includes(self, name: str) -> bool:
        """Whether a column is included in the rows."""
        return self.whole or self.is_read(name)

    def is_read(self, name: str) -> bool:
        """Whether an expression reads a column."""
        return self.columns is None or name in self.columns

    def with_columns(self, *names: str) -> Projection:
        """The projection with further columns."""
        return self if self.columns is None else replace(self, columns=self.columns | {*names})

    def without_prefix(self, prefix: str, more: Iterable[str] = ()) -> Projection:
        """The projection for a joined file, whose columns get a prefix. more: further columns."""
        if self.columns is None:
            return self
        names = {n[len(prefix) :] for n in self.columns if n.startswith(prefix)}
        return Projection(frozenset({*names, *more}), self.identity)


EVERY_COLUMN = Projection()

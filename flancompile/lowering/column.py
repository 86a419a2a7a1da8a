"""Columns of template values, and scopes that name them.

A column is a constant, a list of Python values, or Arrow text, with a mask of the rows that fall
back to the row engine. A scope over a subset of rows (a branch, a loop) copies only the columns
that are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.dsl.jinja.expression import printable

__all__ = ["Column", "Rows", "Scope", "rowwise", "scattered"]

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Column:
    """One value a row; built by `constant`, `of`, `of_text` or `of_array`."""

    __slots__ = ("_constant", "_fallback", "_text", "_values")

    def __init__(
        self,
        values: list[Any] | None = None,
        text: pa.Array | None = None,
        constant: tuple[Any] | None = None,
        fallback: Flags | None = None,
    ) -> None:
        self._values, self._text, self._constant, self._fallback = values, text, constant, fallback

    @classmethod
    def constant(cls, value: Any) -> Column:
        """The same value in every row."""
        return cls(constant=(value,))

    @classmethod
    def of(cls, values: list[Any], fallback: Flags | None = None) -> Column:
        """A list of values."""
        return cls(values=values, fallback=fallback)

    @classmethod
    def of_text(cls, text: pa.Array, fallback: Flags | None = None) -> Column:
        """Text without nulls."""
        return cls(text=text, fallback=fallback)

    @classmethod
    def of_array(cls, array: pa.Array) -> Column:
        """A field of a block; stays in Arrow if it is text without nulls."""
        if pa.types.is_string(array.type) and array.null_count == 0:
            return cls(text=array)
        return cls(values=array.to_pylist())

    @property
    def is_constant(self) -> bool:
        """Whether every row has the same value."""
        return self._constant is not None

    @property
    def is_text(self) -> bool:
        """Whether it is Arrow text, without nulls."""
        return self._text is not None

    def values(self, rows: int) -> list[Any]:
        """Values as a list."""
        if self._constant is not None:
            return [self._constant[0]] * rows
        if self._values is None:
            assert self._text is not None
            self._values = self._text.to_pylist()
        return self._values

    def text(self, rows: int) -> pa.Array:
        """Arrow text of a column that is `printed`."""
        if self._constant is not None:
            return pa.repeat(pa.scalar(self._constant[0], pa.string()), rows)
        if self._text is None:
            self._text = pa.array(self._values, pa.string())
        return self._text

    def fallback(self, rows: int) -> Flags:
        """Whether each row falls back to the row engine. -> bool[rows]"""
        return np.zeros(rows, np.bool_) if self._fallback is None else self._fallback

    def fallback_rows(self) -> Rows:
        """Rows that fall back to the row engine, ascending."""
        return (
            np.flatnonzero(self._fallback) if self._fallback is not None else np.zeros(0, np.int64)
        )

    def with_fallback(self, more: Rows, rows: int) -> Column:
        """The same column with more rows that fall back."""
        if len(more) == 0:
            return self
        flags = self.fallback(rows).copy()
        flags[more] = True
        return Column(self._values, self._text, self._constant, flags)

    def take(self, rows: Rows) -> Column:
        """The column over a selection of its rows."""
        fallback = None if self._fallback is None else self._fallback[rows]
        if self._constant is not None:
            return Column(constant=self._constant, fallback=fallback)
        if self._text is not None:
            return Column(text=self._text.take(pa.array(rows)), fallback=fallback)
        assert self._values is not None
        values = self._values
        return Column([values[i] for i in rows.tolist()], fallback=fallback)

    def truth(self, rows: int) -> tuple[Flags, Flags]:
        """Truth of each value. -> (truth, rows where it is resolved)"""
        flags = rowwise(bool, self, rows=rows)
        resolved = ~flags.fallback(rows)
        return np.array([bool(v) for v in flags.values(rows)], dtype=np.bool_), resolved

    def printed(self, rows: int) -> Column:
        """Convert to text; a null falls back, as the row engine gives its drop reason."""
        if self._text is not None:
            return self
        if self._constant is not None and isinstance(self._constant[0], str):
            return self
        printed = rowwise(_printed_value, self, rows=rows)
        if printed._fallback is not None:
            values = [v if v is not None else "" for v in printed.values(rows)]
            return _as_text(values, printed._fallback)
        return _as_text(printed.values(rows), None)

    @classmethod
    def joined(cls, parts: Sequence[Column], rows: int) -> Column:
        """Concatenate printed columns row by row."""
        if len(parts) == 1:
            return parts[0]
        if all(p.is_constant and p._fallback is None for p in parts):
            return cls.constant("".join(p._constant[0] for p in parts if p._constant))
        fallback = _either([p._fallback for p in parts])
        pieces: list[Any] = []
        for is_constant, run in groupby(parts, lambda p: p.is_constant):
            if is_constant:
                text = "".join(p._constant[0] for p in run if p._constant)
                pieces += [pa.scalar(text, pa.string())] if text else []
            else:
                pieces += [p.text(rows) for p in run]
        if all(isinstance(p, pa.Scalar) for p in pieces):
            text = "".join(p.as_py() for p in pieces)
            pieces = [pa.repeat(pa.scalar(text, pa.string()), rows)]
        if len(pieces) == 1:
            return cls(text=pieces[0], fallback=fallback)
        return cls(text=pc.binary_join_element_wise(*pieces, ""), fallback=fallback)


class Scope:
    """Names and their columns, over `rows` rows. own: columns set in this scope; load: builds the
    column of a name on first use, or returns None."""

    def __init__(
        self,
        rows: int,
        names: Mapping[str, Column] | None = None,
        outer: Scope | None = None,
        taken: Rows | None = None,
        load: Callable[[str], Column | None] = lambda _: None,
    ) -> None:
        self.rows, self.own = rows, dict[str, Column]()
        self._names, self._outer, self._taken = dict(names or {}), outer, taken
        self._load = load

    def get(self, name: str) -> Column | None:
        """Column of a name, or None."""
        found = self.own.get(name) or self._names.get(name)
        if found is None:
            if self._outer is None:
                found = self._load(name)
            else:
                found = self._outer.get(name)
                found = found.take(self._taken) if found and self._taken is not None else found
            if found is not None:
                self._names[name] = found
        return found

    def set(self, name: str, column: Column) -> None:
        """Bind a name in this scope."""
        self.own[name] = column

    def sub(self, rows: Rows) -> Scope:
        """Inner scope over a selection of rows, which may repeat."""
        return Scope(len(rows), outer=self, taken=rows)

    def nested(self) -> Scope:
        """Inner scope over the same rows, for names local to a block."""
        return Scope(self.rows, outer=self)


def rowwise(function: Callable[..., Any], *columns: Column, rows: int) -> Column:
    """Apply a function to the columns row by row; a row on which it raises falls back."""
    fallback = _either([c._fallback for c in columns])
    if fallback is None and all(c.is_constant for c in columns):
        try:
            constant = function(*(c._constant[0] for c in columns if c._constant))
            if not isinstance(constant, Iterator):  # which is used up by one row
                return Column.constant(constant)
        except Exception:
            return Column([None] * rows, fallback=np.ones(rows, np.bool_))
    out: list[Any] = []
    failed: list[int] = []
    # `left` resumes after a row that raised: values may be generators, which can be read only once.
    given = [c.values(rows) for c in columns]
    results = map(function, *given) if given else (function() for _ in range(rows))
    while len(out) < rows:
        try:
            out.extend(results)
        except Exception:
            failed.append(len(out))
            out.append(None)
    if failed:
        fallback = np.zeros(rows, np.bool_) if fallback is None else fallback.copy()
        fallback[failed] = True
    return Column(out, fallback=fallback)


def scattered(parts: Sequence[tuple[Rows, Column]], rows: int) -> Column:
    """Merge columns over disjoint rows; rows in no part fall back."""
    fallback = np.ones(rows, np.bool_)
    for at, column in parts:
        fallback[at] = column.fallback(len(at))
    mask = fallback if fallback.any() else None
    if all(c._text is not None or _is_text(c) for _, c in parts):
        order = np.concatenate([at for at, _ in parts])
        texts = pa.concat_arrays([c.text(len(at)) for at, c in parts])
        places = np.full(rows, len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        if len(order) < rows:
            texts = pa.concat_arrays([texts, pa.array([""], pa.string())])
        return Column(text=texts.take(pa.array(places)), fallback=mask)
    values: list[Any] = [None] * rows
    for at, column in parts:
        for place, value in zip(at.tolist(), column.values(len(at)), strict=True):
            values[place] = value
    return Column(values, fallback=mask)


def _is_text(column: Column) -> bool:
    return column._constant is not None and isinstance(column._constant[0], str)


def _printed_value(value: Any) -> str:
    return value if type(value) is str else str(printable(value))


def _as_text(values: list[Any], fallback: Flags | None) -> Column:
    try:
        return Column(text=pa.array(values, pa.string()), fallback=fallback)
    except (UnicodeEncodeError, pa.ArrowInvalid):  # a lone surrogate, which Arrow rejects
        return Column(text=pa.array([""] * len(values), pa.string()),
                      fallback=np.ones(len(values), np.bool_))  # fmt: skip


def _either(flags: Sequence[Flags | None]) -> Flags | None:
    found: Flags | None = None
    for one in flags:
        if one is not None:
            found = one if found is None else found | one
    return found

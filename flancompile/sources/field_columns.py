"""Evaluate the fields of a source's rows by columns, many rows at a time.

A row on which an expression fails, or that lacks a column that others have, is evaluated by itself
(`sources.fields`), which gives its drop reason. The result of the others is the same by either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.drop_reasons import DropReason
from flancompile.dsl.jinja.expression import compile_expression
from flancompile.dsl.jinja.values import are_plain
from flancompile.lowering.column import Column, Scope, rowwise
from flancompile.lowering.lower import evaluate
from flancompile.lowering.lowerable import why_not
from flancompile.sources.fields import (
    HOLDS_NAN,
    MAX_DEPTH,
    NO_GAPS,
    ROW_NUMBER,
    FieldRow,
    RowEvaluator,
    SplitSpec,
    content_digest,
    is_deeper,
    raw_rows,
    text_id,
    without_nan,
)
from flancompile.sources.rows import BadRow, Row

__all__ = ["FieldBatch", "expressions_of", "field_batches"]

MOST_ROWS, FIRST_ROWS = 4096, 64
BATCH_CHARS = 4 << 20  # texts of a batch's rows
Indices = npt.NDArray[np.int64]


@dataclass
class FieldBatch:
    """Consecutive rows of a source: identity and fields of the usable ones, and dropped rows.

    columns: values of each field, by the place of the field; gaps: as of `FieldRow`, for each row.
    """

    ordinals: list[int]
    digests: list[int]
    ids: list[str]
    columns: list[list[Any]]
    gaps: list[Mapping[str, str]]
    lost: list[FieldRow] = field(default_factory=list)

    @classmethod
    def of_rows(cls, rows: Sequence[FieldRow], fields: int) -> FieldBatch:
        """A batch of rows that were evaluated one by one."""
        kept = [r for r in rows if r.values is not None]
        return cls(
            [r.ordinal for r in kept],
            [r.digest for r in kept],
            [r.id for r in kept],
            [[r.values[place] for r in kept if r.values] for place in range(fields)],
            [r.gaps for r in kept],
            [r for r in rows if r.values is None],
        )

    def without(self, reasons: Mapping[int, str]) -> FieldBatch:
        """The batch with some usable rows dropped. reasons: by place among the usable rows."""
        if not reasons:
            return self
        left = [n for n in range(len(self.ordinals)) if n not in reasons]
        lost = [
            FieldRow(self.ordinals[n], self.digests[n], self.ids[n], None, why)
            for n, why in reasons.items()
        ]
        return FieldBatch(
            [self.ordinals[n] for n in left],
            [self.digests[n] for n in left],
            [self.ids[n] for n in left],
            [[column[n] for n in left] for column in self.columns],
            [self.gaps[n] for n in left],
            sorted(self.lost + lost, key=lambda r: r.ordinal),
        )


def expressions_of(spec: SplitSpec) -> Iterator[tuple[str, str]]:
    """(label, expression) of everything that is evaluated for a row of a split."""
    place = spec.place
    yield from ((f"column {n}", t) for n, t in place.columns.items())
    yield from ((f"let {n}", t) for n, t in spec.let.items())
    yield from ((f"field {n}", t) for n, t in spec.fields.items())
    others = {"id": place.id, "where of the place": place.where, "where": spec.where}
    yield from ((label, text) for label, text in others.items() if text is not None)


def field_batches(spec: SplitSpec) -> Iterator[FieldBatch]:
    """The rows of the source in batches, in its own order. Raises FC301 to FC307."""
    one_by_one = RowEvaluator(spec)
    is_lowered = all(why_not(t, expression=True) is None for _, t in expressions_of(spec))
    by_columns = _Columns(spec) if is_lowered else None
    rows = raw_rows(spec, one_by_one.variable)
    ordinal, size = 0, FIRST_ROWS
    while batch := list(islice(rows, size)):
        yield _evaluated(batch, ordinal, one_by_one, by_columns)
        ordinal += len(batch)
        size = max(1, min(MOST_ROWS, 4 * size, BATCH_CHARS * len(batch) // _chars(batch)))


def _chars(rows: Sequence[Row | BadRow]) -> int:
    """Estimate of the characters in the rows' texts."""
    some = rows[:: max(1, len(rows) // 64)]
    found = sum(
        len(v) if type(v) is str else len(str(v))
        for row in some
        if not isinstance(row, BadRow)
        for v in row.values()
    )
    return 1 + found * len(rows) // len(some)


def _evaluated(
    rows: Sequence[Row | BadRow], first: int, one_by_one: RowEvaluator, by_columns: _Columns | None
) -> FieldBatch:
    good = [n for n, row in enumerate(rows) if not isinstance(row, BadRow)]
    if by_columns is None or not good:
        found = [one_by_one.row(first + n, row) for n, row in enumerate(rows)]
        return FieldBatch.of_rows(found, one_by_one.width)
    batch, resolved = by_columns([cast(Row, rows[n]) for n in good], np.array(good) + first)
    if len(resolved) == len(rows):
        return batch
    left = sorted({*range(len(rows))}.difference((resolved - first).tolist()))
    single = FieldBatch.of_rows(
        [one_by_one.row(first + n, rows[n]) for n in left], one_by_one.width
    )
    return _merged(batch, single)


def _merged(left: FieldBatch, right: FieldBatch) -> FieldBatch:
    """The rows of two batches in the source's order."""
    ordinals = left.ordinals + right.ordinals
    order = sorted(range(len(ordinals)), key=ordinals.__getitem__)

    def by_order(a: list[Any], b: list[Any]) -> list[Any]:
        both = a + b
        return [both[n] for n in order]

    return FieldBatch(
        by_order(left.ordinals, right.ordinals),
        by_order(left.digests, right.digests),
        by_order(left.ids, right.ids),
        [by_order(a, b) for a, b in zip(left.columns, right.columns, strict=True)],
        by_order(left.gaps, right.gaps),
        sorted(left.lost + right.lost, key=lambda r: r.ordinal),
    )


class _Columns:
    """The expressions of a split, evaluated over the columns of some rows."""

    def __init__(self, spec: SplitSpec) -> None:
        self._spec = spec
        self._variable = {} if spec.variable is None else {spec.variable[0]: spec.variable[1]}
        names = compile_expression(spec.place.id).names if spec.place.id is not None else ()
        self._id_of_lets = not spec.let.keys().isdisjoint(names)

    def __call__(self, rows: list[Row], ordinals: Indices) -> tuple[FieldBatch, Indices]:
        """Evaluate rows that can be by columns. -> (their batch, their ordinals)

        The others are to be evaluated by themselves.
        """
        keys = rows[0].keys()
        same = [n for n, row in enumerate(rows) if row.keys() == keys]
        if len(same) < len(rows):
            rows, ordinals = [rows[n] for n in same], ordinals[same]
        if any(name in keys for name in self._variable):
            return FieldBatch.of_rows([], len(self._spec.fields)), ordinals[:0]
        work = _Batch(rows, ordinals, self._variable)
        place = self._spec.place
        work.set_columns(place.columns)
        if not self._id_of_lets:
            work.identify(place.id)
        if place.where is not None:
            work.drop_unless(work.value(place.where))
        for name, text in self._spec.let.items():
            work.set(name, work.value(text))
        if self._id_of_lets:
            work.identify(place.id)
        return work.result(self._spec)


class _Batch:
    """Rows under evaluation. Failed rows stay, marked; rows that a `where` drops leave."""

    def __init__(self, rows: list[Row], ordinals: Indices, variable: Mapping[str, Any]) -> None:
        self._rows, self._ordinals = rows, ordinals
        self._names = {n: Column.constant(v) for n, v in variable.items()}
        self._failed = np.zeros(len(rows), np.bool_)
        self._digests, self._ids = [0] * len(rows), [""] * len(rows)
        self._lost: list[FieldRow] = []
        self._raw = partial(_raw_column, rows, ordinals)
        self._scope = Scope(len(rows), self._names, load=self._raw)

    def _mark(self, column: Column) -> Column:
        self._failed |= column.fallback(len(self._rows))
        return column

    def value(self, text: str) -> Column:
        """The values of an expression; rows on which it fails are marked."""
        return self._mark(evaluate(text, self._scope))

    def set(self, name: str, column: Column) -> None:
        """Bind a name for the expressions that follow."""
        self._scope.set(name, column)

    def set_columns(self, columns: Mapping[str, str]) -> None:
        """Bind the columns that a place defines. Their expressions read the data's own first."""
        made: dict[str, Column] = {}
        first = Scope(len(self._rows), self._names, load=lambda n: self._raw(n) or made.get(n))
        for name, text in columns.items():
            made[name] = self._mark(evaluate(text, first))
        for name, column in made.items():
            self.set(name, column)

    def identify(self, text: str | None) -> None:
        """Compute each row's id and digest."""
        if text is None:
            found = rowwise(content_digest, Column.of(self._rows), rows=len(self._rows))
            self._digests = self._mark(found).values(len(self._rows))
            self._ids = ["" if d is None else f"{d:016x}" for d in self._digests]
            return
        found = self._mark(rowwise(text_id, self.value(text), rows=len(self._rows)))
        self._ids = found.values(len(self._rows))
        self._digests = [0 if i is None else draw.digest64("id", i) for i in self._ids]

    def drop_unless(self, condition: Column) -> None:
        """Drop the rows that a condition rejects, unless they have failed."""
        count = len(self._rows)
        truth, resolved = condition.truth(count)
        self._failed |= ~resolved
        for n in np.flatnonzero(~truth & ~self._failed).tolist():
            try:
                digest = self._digests[n] or content_digest(self._rows[n])
            except (TypeError, ValueError):
                self._failed[n] = True
                continue
            ordinal = int(self._ordinals[n])
            self._lost.append(FieldRow(ordinal, digest, self._ids[n], None, DropReason.WHERE))
        left = np.flatnonzero(truth | self._failed)
        if len(left) < count:
            places = left.tolist()
            self._rows = [self._rows[n] for n in places]
            self._digests = [self._digests[n] for n in places]
            self._ids = [self._ids[n] for n in places]
            self._ordinals, self._failed = self._ordinals[left], self._failed[left]
            self._scope = self._scope.sub(left)

    def result(self, spec: SplitSpec) -> tuple[FieldBatch, Indices]:
        """Evaluate the fields and the last `where`. -> (batch, ordinals of its rows)"""
        count = len(self._rows)
        made = {name: self._field(text.strip()) for name, text in spec.fields.items()}
        if spec.where is not None:
            names = (ROW_NUMBER, *spec.let)
            seen = {n: c for n in names if (c := self._scope.get(n)) is not None}
            scope = self._scope
            self._scope = Scope(count, {**seen, **made, **self._names})
            condition = self.value(spec.where)
            self._scope = scope
            for name, column in made.items():
                self.set(f" {name}", column)
            self.drop_unless(condition)
            count = len(self._rows)
            made = {n: c for n in made if (c := self._scope.get(f" {n}")) is not None}
        good = np.flatnonzero(~self._failed)
        columns = [column.take(good).values(len(good)) for column in made.values()]
        ordinals = self._ordinals[good].tolist()
        lost = [r.ordinal for r in self._lost]
        batch = FieldBatch(
            ordinals,
            [self._digests[n] for n in good],
            [self._ids[n] for n in good],
            columns,
            [NO_GAPS] * len(good),
            sorted(self._lost, key=lambda row: row.ordinal),
        )
        return batch, np.array([*ordinals, *lost], np.int64)

    def _field(self, text: str) -> Column:
        """The values of a field; the name of a column needs no evaluation."""
        found = self._scope.get(text)
        column = self.value(text) if found is None else self._mark(found)
        values = column.values(len(self._rows))
        if not are_plain(values):
            deep = [n for n, v in enumerate(values) if is_deeper(v, MAX_DEPTH)]
            self._failed[deep] = True
        return column


def _raw_column(rows: Sequence[Row], ordinals: Indices, name: str) -> Column | None:
    """A column of the data, the rows themselves as `row`, or their numbers."""
    if name == "row":
        return Column.of([without_nan(row) for row in rows])
    if name in rows[0]:
        values = [row[name] for row in rows]
        if not HOLDS_NAN.isdisjoint(map(type, values)):
            values = [without_nan(v) for v in values]
        return Column.of(values)
    return Column.of(ordinals.tolist()) if name == ROW_NUMBER else None

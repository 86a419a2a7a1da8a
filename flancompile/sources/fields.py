"""Evaluate the fields of a source's rows: columns, id, `let`, fields, `where`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from flancompile import draw
from flancompile.drop_reasons import DropReason
from flancompile.dsl.jinja.expression import Expression, RowError, compile_expression
from flancompile.dsl.jinja.values import NullValueError, as_text
from flancompile.errors import fail
from flancompile.plain_errors import plain_message
from flancompile.sources.place import Resolved, place_rows
from flancompile.sources.rows import BadRow, Projection, Row
from flancompile.sources.scalars import Unreadable

__all__ = [
    "HOLDS_NAN",
    "MAX_DEPTH",
    "NO_GAPS",
    "ROW_NUMBER",
    "FieldRow",
    "RowEvaluator",
    "SplitSpec",
    "column_rows",
    "content_digest",
    "field_rows",
    "is_deeper",
    "projection_of",
    "raw_rows",
    "text_id",
    "without_nan",
]

ROW_NUMBER = "row_number"  # the index of a row in its split, from 0
MESSAGE_CHARS = 200
MAX_DEPTH = 30  # Arrow reads 64 levels, and a list of mappings has two
NO_GAPS: Mapping[str, str] = MappingProxyType({})
_CANONICAL = json.JSONEncoder(sort_keys=True, default=str, ensure_ascii=True)


@dataclass(frozen=True)
class SplitSpec:
    """Everything that determines the rows of a split; picklable."""

    source_id: str
    place: Resolved
    fields: Mapping[str, str]
    where: str | None
    seed: int
    variable: tuple[str, Mapping[str, Any]] | None = None
    block_rows: int = 4096
    let: Mapping[str, str] = field(default_factory=dict)


class FieldRow(NamedTuple):
    """A row of the source: the values of its fields, or a drop reason.

    ordinal: index in the source's own order; digest: of its identity, not yet unique; gaps: reasons
    of fields whose expression failed. Those are null in `values`; only tasks that read one of them
    drop the row.
    """

    ordinal: int
    digest: int
    id: str
    values: tuple[Any, ...] | None
    reason: str | None = None
    gaps: Mapping[str, str] = NO_GAPS

    def without(self, fields: Collection[str]) -> FieldRow:
        """The row for a task that reads these fields: dropped if one of them is a gap."""
        reason = next((why for name, why in self.gaps.items() if name in fields), None)
        return self if reason is None else self._replace(values=None, reason=reason)


def field_rows(spec: SplitSpec) -> Iterator[FieldRow]:
    """Every row of the source, in its own order. Raises FC301 to FC307."""
    evaluate = RowEvaluator(spec)
    for ordinal, row in enumerate(raw_rows(spec, evaluate.variable)):
        yield evaluate.row(ordinal, row)


def raw_rows(spec: SplitSpec, variable: Mapping[str, Any]) -> Iterator[Row | BadRow]:
    """The rows of a split's place with the columns that its expressions read."""
    return place_rows(spec.place, variable, projection_of(spec))


def projection_of(spec: SplitSpec) -> Projection:
    """The columns that the expressions of a split may read; all if one reads `row`."""
    place = spec.place
    texts = [*place.columns.values(), *place.items.values(), *spec.let.values()]
    texts += [*spec.fields.values(), *(t for t in (place.id, place.where, spec.where) if t)]
    names = {name for t in texts for name in (*compile_expression(t).names, t.strip())}
    return Projection(None if "row" in names else frozenset(names), identity=place.id is None)


def _bad(ordinal: int, reason: str, where: str = "") -> FieldRow:
    return FieldRow(ordinal, draw.digest64("bad", ordinal), where, None, reason)


def column_rows(spec: SplitSpec, rows: int) -> Iterator[Row]:
    """The first rows with the columns that fields can read, those of the place included."""
    columns = [(n, compile_expression(t)) for n, t in spec.place.columns.items()]
    variable = {} if spec.variable is None else {spec.variable[0]: spec.variable[1]}
    where = compile_expression(spec.place.where) if spec.place.where is not None else None
    every = Projection(frozenset(), identity=True)  # an unreadable value is null here
    read = (r for r in place_rows(spec.place, variable, every) if not isinstance(r, BadRow))
    for number, row in enumerate(islice(read, rows)):
        raw = {n: None if isinstance(v, Unreadable) else v for n, v in row.items()}
        context = _context(raw, number, variable)
        with suppress(RowError):
            values: dict[str, object] = {}
            for name, expression in columns:
                values[name] = _or_null(expression, {**values, **context})
            context |= values
            if where is not None and not where(context):
                continue
            yield {n: v for n, v in context.items() if n in raw or n in spec.place.columns}


def _context(raw: Row, number: int, variable: Mapping[str, Any]) -> dict[str, object]:
    """Names that expressions over a row can read; a column `row_number` replaces the index."""
    known = without_nan(raw)
    return {ROW_NUMBER: number, **known, "row": known, **variable}


def without_nan(value: Any) -> Any:
    """Replace NaN by null: data files write missing numbers as NaN."""
    if type(value) is float:
        return None if value != value else value
    if type(value) is dict and any(type(v) in HOLDS_NAN for v in value.values()):
        parts = {k: without_nan(v) for k, v in value.items()}
        return parts if any(parts[k] is not v for k, v in value.items()) else value
    if type(value) is list and any(type(v) in HOLDS_NAN for v in value):
        items = [without_nan(v) for v in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


HOLDS_NAN = frozenset({float, dict, list})


def _or_null(expression: Expression, context: Mapping[str, object]) -> object:
    """The value of an expression; null if it converts a null. Raises RowError."""
    try:
        return expression(context)
    except NullValueError:
        return None


class RowEvaluator:
    """The expressions of a split, evaluated for one row at a time."""

    def __init__(self, spec: SplitSpec) -> None:
        self.columns = [(n, compile_expression(t)) for n, t in spec.place.columns.items()]
        self.place_where = (
            None if spec.place.where is None else compile_expression(spec.place.where)
        )
        self.lets = [(n, compile_expression(t)) for n, t in spec.let.items()]
        self.id = compile_expression(spec.place.id) if spec.place.id is not None else None
        self.fields = [(n, compile_expression(t), t.strip()) for n, t in spec.fields.items()]
        self.where = compile_expression(spec.where) if spec.where is not None else None
        self.variable = {} if spec.variable is None else {spec.variable[0]: spec.variable[1]}
        self.width = len(self.fields)
        self.id_of_lets = self.id is not None and bool(self.id.names & spec.let.keys())

    def row(self, ordinal: int, row: Row | BadRow) -> FieldRow:
        """Evaluate a row. Raises FC307."""
        if isinstance(row, BadRow):
            reason = f"{row.reason} ({row.where})" if row.where else row.reason
            return _bad(ordinal, reason, row.where)
        try:
            return self._evaluated(ordinal, row)
        except (TypeError, ValueError, MemoryError, RecursionError) as error:  # as of its digest
            return _bad(ordinal, plain_message(error)[:MESSAGE_CHARS])

    def _evaluated(self, ordinal: int, raw: Row) -> FieldRow:
        self._check_hidden(raw)
        context = _context(raw, ordinal, self.variable)
        digest, id_, spot = 0, "", "identity"
        try:
            values: dict[str, object] = {}
            for name, expression in self.columns:  # at once: the data's own columns come first
                spot = f"column {name}"
                values[name] = _or_null(expression, {**values, **context})
            context |= values
            if not self.id_of_lets:  # a row that `let` drops still has its identity
                spot = "id"
                digest, id_ = self._identity(context, raw)
            spot = "where of the place"
            if self.place_where is not None and not self.place_where(context):
                digest = digest or content_digest(raw)
                return FieldRow(ordinal, digest, id_, None, DropReason.WHERE)
            for name, expression in self.lets:
                spot = f"let {name}"
                context[name] = _or_null(expression, context)
            if self.id_of_lets:
                spot = "id"
                digest, id_ = self._identity(context, raw)
            values, gaps = self._values(context)
            if gaps and not values:
                return FieldRow(ordinal, digest, id_, None, next(iter(gaps.values())))
            spot = DropReason.WHERE
            try:
                if self.where is not None and not self.where(self._scope(values, context)):
                    return FieldRow(ordinal, digest, id_, None, DropReason.WHERE)
            except RowError:
                if (gap := self._gap_of_where(gaps)) is None:
                    raise
                return FieldRow(ordinal, digest, id_, None, gap)
        except RowError as error:
            digest = digest or content_digest(raw)
            reason = f"{spot}: {error}"[:MESSAGE_CHARS]
            return FieldRow(ordinal, digest, id_, None, reason)
        row = tuple(values.get(name) for name, _, _ in self.fields)
        return FieldRow(ordinal, digest, id_, row, None, gaps)

    def _check_hidden(self, raw: Row) -> None:
        """Raise FC307 if the variable of `for_each` hides a column."""
        for name in self.variable:
            if name in raw:
                message = f"the variable {name!r} of `for_each` hides a column of the same name"
                raise fail("FC307", message, hint="give the variable another name")

    def _values(self, context: Mapping[str, object]) -> tuple[dict[str, object], Mapping[str, str]]:
        """(values of fields, reasons of the fields that failed)."""
        values: dict[str, object] = {}
        gaps: dict[str, str] = {}
        for name, expression, text in self.fields:
            try:  # a bare column name needs no evaluation
                value = context[text] if text in context else _or_null(expression, context)
                if is_deeper(value, MAX_DEPTH):
                    raise RowError("nested too deep")
                values[name] = value
            except RowError as error:
                gaps[name] = f"field {name}: {error}"[:MESSAGE_CHARS]
        return values, gaps or NO_GAPS

    def _gap_of_where(self, gaps: Mapping[str, str]) -> str | None:
        """The reason of the first gap that `where` reads; None without one."""
        names = frozenset[str]() if self.where is None else self.where.names
        return next((why for name, why in gaps.items() if name in names), None)

    def _scope(
        self, values: Mapping[str, object], context: Mapping[str, object]
    ) -> dict[str, object]:
        """The names that `where` can read: fields, `let`, and the variable of `for_each`."""
        lets = {name: context[name] for name, _ in self.lets}
        return {ROW_NUMBER: context[ROW_NUMBER], **lets, **values, **self.variable}

    def _identity(self, context: Mapping[str, object], raw: Row) -> tuple[int, str]:
        if self.id is None:
            digest = content_digest(raw)
            return digest, f"{digest:016x}"
        id_ = text_id(self.id(context))
        return draw.digest64("id", id_), id_


def text_id(value: object) -> str:
    """The text of a row's id. Raises RowError for a null, a list or map, and a lone surrogate."""
    if value is None:
        raise RowError("null")
    id_ = as_text(value, "is no id")
    if not id_.isascii() and any("\ud800" <= c <= "\udfff" for c in id_):
        raise RowError("a lone surrogate in the text")
    return id_


def content_digest(raw: Row) -> int:
    """A digest of a row's columns. Raises TypeError, ValueError."""
    return draw.digest64("content", _CANONICAL.encode(raw))


def is_deeper(value: object, levels: int) -> bool:
    """Whether lists and mappings in a value are nested deeper than `levels`."""
    if isinstance(value, dict):
        return not levels or any(is_deeper(v, levels - 1) for v in value.values())
    if isinstance(value, list | tuple):
        return not levels or any(is_deeper(v, levels - 1) for v in value)
    return False

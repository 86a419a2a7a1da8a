"""From a place's raw rows to a task's fields: columns, identity, fields, where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from flancompile import draw
from flancompile.dsl.expression import RowError, compile_expression
from flancompile.sources.place import Resolved, place_rows
from flancompile.sources.rows import BadRow, Row, Wanted
from flancompile.sources.scalars import Unreadable

__all__ = ["FieldRow", "SplitSpec", "column_rows", "field_rows", "wanted_columns"]

MESSAGE_CHARS = 200
MAX_DEPTH = 30  # Arrow reads back 64 levels, and a list of mappings is two
_CANONICAL = json.JSONEncoder(sort_keys=True, default=str, ensure_ascii=True)


@dataclass(frozen=True)
class SplitSpec:
    """All that determines a split's field rows; picklable."""

    source_id: str
    place: Resolved
    fields: Mapping[str, str]
    where: str | None
    seed: int
    variable: tuple[str, Mapping[str, Any]] | None = None
    block_rows: int = 4096
    let: Mapping[str, str] = field(default_factory=dict)


class FieldRow(NamedTuple):
    """A row of the source: its fields, or the reason why it has none.

    ordinal: its place in the source's own order; digest: of its identity (not yet made unique).
    """

    ordinal: int
    digest: int
    id: str
    values: tuple[Any, ...] | None
    reason: str | None = None


def field_rows(spec: SplitSpec) -> Iterator[FieldRow]:
    """Every row of the source, in its own order."""
    evaluate = _Evaluator(spec)
    rows = place_rows(spec.place, evaluate.variable, wanted_columns(spec))
    for ordinal, row in enumerate(rows):
        if isinstance(row, BadRow):
            reason = f"{row.reason} ({row.where})" if row.where else row.reason
            yield _bad(ordinal, reason, row.where)
            continue
        try:
            yield evaluate(ordinal, row)
        except RecursionError:
            yield _bad(ordinal, "nested too deep")


def wanted_columns(spec: SplitSpec) -> Wanted:
    """The columns that a split's expressions may read; all where one reads `row`."""
    place = spec.place
    texts = [*place.columns.values(), *place.items.values(), *spec.let.values()]
    texts += [*spec.fields.values(), *(t for t in (place.id, place.where, spec.where) if t)]
    names = {name for t in texts for name in (*compile_expression(t).names, t.strip())}
    return Wanted(None if "row" in names else frozenset(names), identity=place.id is None)


def _bad(ordinal: int, reason: str, where: str = "") -> FieldRow:
    return FieldRow(ordinal, draw.digest64("bad", ordinal), where, None, reason)


def column_rows(spec: SplitSpec, rows: int) -> Iterator[Row]:
    """The first rows as fields see them: their columns, and those that a place adds."""
    columns = [(n, compile_expression(t)) for n, t in spec.place.columns.items()]
    variable = {} if spec.variable is None else {spec.variable[0]: spec.variable[1]}
    where = compile_expression(spec.place.where) if spec.place.where is not None else None
    every = Wanted(frozenset(), identity=True)  # a value that no row can hold is a null here
    read = (r for r in place_rows(spec.place, variable, every) if not isinstance(r, BadRow))
    for row in islice(read, rows):
        raw = {n: None if isinstance(v, Unreadable) else v for n, v in row.items()}
        context: dict[str, object] = {**raw, "row": raw, **variable}
        with suppress(RowError):
            for name, expression in columns:
                context[name] = expression(context)
            if where is not None and not where(context):
                continue
            yield {n: v for n, v in context.items() if n in raw or n in spec.place.columns}


class _Evaluator:
    def __init__(self, spec: SplitSpec) -> None:
        self.columns = [(n, compile_expression(t)) for n, t in spec.place.columns.items()]
        self.held = None if spec.place.where is None else compile_expression(spec.place.where)
        self.lets = [(n, compile_expression(t)) for n, t in spec.let.items()]
        self.id = compile_expression(spec.place.id) if spec.place.id is not None else None
        self.fields = [(n, compile_expression(t), t.strip()) for n, t in spec.fields.items()]
        self.where = compile_expression(spec.where) if spec.where is not None else None
        self.variable = {} if spec.variable is None else {spec.variable[0]: spec.variable[1]}
        self.id_of_lets = self.id is not None and bool(self.id.names & spec.let.keys())

    def __call__(self, ordinal: int, raw: Row) -> FieldRow:
        context: dict[str, object] = {**raw, "row": raw, **self.variable}
        digest, id_, spot = 0, "", "identity"
        try:
            for name, expression in self.columns:
                spot = f"column {name}"
                context[name] = expression(context)
            if not self.id_of_lets:  # a row that a name drops still has its identity
                spot = "id"
                digest, id_ = self._identity(context, raw)
            spot = "where of the place"
            if self.held is not None and not self.held(context):
                digest = digest or _content_digest(raw)
                return FieldRow(ordinal, digest, id_, None, "where")
            for name, expression in self.lets:
                spot = f"let {name}"
                context[name] = expression(context)
            if self.id_of_lets:
                spot = "id"
                digest, id_ = self._identity(context, raw)
            values: dict[str, object] = {}
            for name, expression, text in self.fields:
                if text in context:  # a column as it is
                    values[name] = context[text]
                else:
                    spot = f"field {name}"
                    values[name] = expression(context)
                if _is_deeper(values[name], MAX_DEPTH):
                    spot = f"field {name}"
                    raise RowError("nested too deep")
            spot = "where"
            if self.where is not None and not self.where(self._scope(values, context)):
                return FieldRow(ordinal, digest, id_, None, "where")
        except RowError as error:
            digest = digest or _content_digest(raw)
            reason = f"{spot}: {error}"[:MESSAGE_CHARS]
            return FieldRow(ordinal, digest, id_, None, reason)
        return FieldRow(ordinal, digest, id_, tuple(values.values()))

    def _scope(
        self, values: Mapping[str, object], context: Mapping[str, object]
    ) -> dict[str, object]:
        """What `where` sees: fields, names of `let`, and the variable."""
        return {**{name: context[name] for name, _ in self.lets}, **values, **self.variable}

    def _identity(self, context: Mapping[str, object], raw: Row) -> tuple[int, str]:
        if self.id is None:
            digest = _content_digest(raw)
            return digest, f"{digest:016x}"
        value = self.id(context)
        if value is None:
            raise RowError("null")
        id_ = str(value)
        if not id_.isascii() and any("\ud800" <= c <= "\udfff" for c in id_):
            raise RowError("a lone surrogate in the text")
        return draw.digest64("id", id_), id_


def _content_digest(raw: Row) -> int:
    return draw.digest64("content", _CANONICAL.encode(raw))


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and mappings are nested in a value to more levels."""
    if isinstance(value, dict):
        return not levels or any(_is_deeper(v, levels - 1) for v in value.values())
    if isinstance(value, list | tuple):
        return not levels or any(_is_deeper(v, levels - 1) for v in value)
    return False

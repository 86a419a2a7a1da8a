"""Store the values of a field over a split as an Arrow column that restores each exactly.

A column is stored in its Arrow type if that represents all values exactly. Others would come back
changed (5 as 5.0, an absent key as null) or fail (a text after numbers); such a mixed column is
stored as JSON, in any order of its rows.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import blake3
import pyarrow as pa

from flancompile.plain_errors import plain_type

__all__ = [
    "ColumnTypes",
    "column_field",
    "is_json",
    "mixed_as_json",
    "restored",
    "stored",
    "weights",
]

_JSON = {b"stored": b"json"}  # the metadata of the field of a JSON column
_TEXT = frozenset({str, type(None)})
_LISTS = frozenset({list, type(None)})
_KINDS = {
    str: "text", bool: "a truth value", int: "a number", float: "a number", list: "a list",
    tuple: "a list", dict: "a mapping",
}  # fmt: skip


def is_json(field: pa.Field) -> bool:
    """Whether a column of a block is stored as JSON."""
    return bool(field.metadata == _JSON)


def stored(values: Iterable[Any], mixed: bool) -> pa.Array:
    """Store values as an Arrow column; as JSON if they are mixed."""
    return _as_json(values) if mixed else pa.array(values)


def _as_json(values: Iterable[Any]) -> pa.Array:
    """Values as JSON texts; a null stays null."""
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    return pa.array(texts, pa.string())


def column_field(name: str, column: pa.Array, mixed: Collection[str]) -> pa.Field:
    """The field of a stored column, with its form of storage as metadata."""
    return pa.field(name, column.type, metadata=_JSON if name in mixed else None)


def mixed_as_json(table: pa.Table, mixed: Collection[str]) -> pa.Table:
    """Convert mixed columns to JSON, if they were stored before they became mixed."""
    for place, field in enumerate(table.schema):
        if field.name in mixed and not is_json(field):
            column = _as_json(table.column(place).to_pylist())
            table = table.set_column(place, column_field(field.name, column, mixed), column)
    return table


def restored(column: pa.Array, field: pa.Field) -> list[Any]:
    """The original values of a stored column."""
    if not is_json(field):
        return list(column.to_pylist())
    return [None if v is None else json.loads(v) for v in column.to_pylist()]


class ColumnTypes:
    """Kinds of values of each field so far, nested ones included. A null fits every kind.

    mixed: fields whose values no Arrow type represents exactly.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._kinds: dict[str, str] = {}
        self._forms: dict[str, object] = {}
        self.mixed: set[str] = set()

    def misfit(self, values: Sequence[Any]) -> str | None:
        """The reason why a row cannot be stored; None if it can."""
        return self._misfit(self._names, values)

    def _misfit(self, names: Sequence[str], values: Sequence[Any]) -> str | None:
        row = _Row(self._kinds, self._forms)
        for name, value in zip(names, values, strict=True):
            if type(value) is str and self._kinds.get(name) == "text" and value.isascii():
                continue  # as nearly all are
            row.mixed = False
            if reason := row.misfit(name, value):
                return reason
            if row.mixed:
                row.found.add(name)
        self._kinds.update(row.kinds)
        self._forms.update(row.forms)
        self.mixed |= row.found
        return None

    def misfits(self, columns: Sequence[Sequence[Any]]) -> dict[int, str]:
        """The rows of a batch that cannot be stored, with reasons. columns: values by field."""
        found: dict[int, str] = {}
        by_name = dict(zip(self._names, columns, strict=True))
        plain = {n for n, values in by_name.items() if self._is_plain(n, values)}
        others = [n for n in self._names if n not in plain]
        if others:
            for place, row in enumerate(zip(*(by_name[n] for n in others), strict=True)):
                if reason := self._misfit(others, row):
                    found[place] = reason
        for name in plain:
            self._note(name, [v for n, v in enumerate(by_name[name]) if n not in found])
        return found

    def _is_plain(self, name: str, values: Sequence[Any]) -> bool:
        """Whether a column has texts and nulls only, or lists of these only, as it had before."""
        kinds = {*map(type, values)}
        if list in kinds and kinds <= _LISTS and self._kinds.get(name, "a list") == "a list":
            items = [item for v in values if v for item in v]
            return self._is_plain(f"{name}[]", items)
        is_text = kinds <= _TEXT and self._kinds.get(name, "text") == "text"
        return is_text and (
            all(v.isascii() for v in values if v) or all(_is_text(v) for v in values if v)
        )

    def _note(self, name: str, values: Sequence[Any]) -> None:
        """Note the kinds of values that are `_is_plain`."""
        first = next((v for v in values if v is not None), None)
        if first is not None:
            self._kinds.setdefault(name, _KINDS[type(first)])
        if type(first) is list and f"{name}[]" not in self._kinds:
            self._note(f"{name}[]", [item for v in values if v for item in v])


class _Row:
    """Check of one row against the kinds and forms of earlier ones; collects its additions."""

    __slots__ = ("_forms", "_kinds", "forms", "found", "kinds", "mixed")

    def __init__(self, kinds: Mapping[str, str], forms: Mapping[str, object]) -> None:
        self._kinds, self._forms = kinds, forms
        self.kinds, self.forms = dict[str, str](), dict[str, object]()
        self.found, self.mixed = set[str](), False

    def misfit(self, spot: str, value: Any) -> str | None:
        if value is None:
            return None
        kind = _KINDS.get(type(value))
        if kind is None:
            return f"field {spot}: {plain_type(type(value).__name__)} cannot be stored"
        known = self._kinds.get(spot) or self.kinds.setdefault(spot, kind)
        self.mixed = self.mixed or kind != known
        if kind == "text":
            return None if _is_text(value) else f"field {spot}: a lone surrogate in the text"
        if kind == "a number":
            self.of_form(spot, type(value))
            fits = not isinstance(value, int) or -(2**63) <= value < 2**63
            return None if fits else f"field {spot}: a number beyond 64 bits"
        if kind == "a list":
            return next((r for v in value if (r := self.misfit(f"{spot}[]", v))), None)
        if kind == "a mapping":
            return self.keys(spot, value)
        return None

    def keys(self, spot: str, value: Mapping[Any, Any]) -> str | None:
        self.of_form(spot, tuple(value))
        for key, item in value.items():
            if type(key) is not str or not _is_text(key):
                return f"field {spot}: a key that is no text"
            if reason := self.misfit(f"{spot}.{key}", item):
                return reason
        return None

    def of_form(self, spot: str, form: object) -> None:
        """Record the form at a spot: a number's type or a mapping's keys; a second one is mixed."""
        known = self._forms.get(spot)
        known = self.forms.setdefault(spot, form) if known is None else known
        self.mixed = self.mixed or known != form


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def weights(values: Sequence[Any]) -> int:
    """The sum of the `weight` of all values."""
    kinds = {*map(type, values)}
    if kinds == {str}:
        return 60 * len(values) + sum(map(len, values))
    if kinds == {list}:
        return 64 * len(values) + weights([item for v in values for item in v])
    return sum(map(weight, values))


def weight(value: Any) -> int:
    """Estimated size of a value in memory, in bytes."""
    if isinstance(value, str):
        return 60 + len(value)
    if isinstance(value, dict):
        return 64 + sum(weight(v) for v in value.values())
    if isinstance(value, list | tuple):
        return 64 + sum(map(weight, value))
    return 32


def column_digests(batch: pa.RecordBatch) -> dict[str, str]:
    """Digests of the columns of a block, each over type, length, form of storage and all values.

    A column is hashed as an Arrow stream: slices are cut to their rows, dictionaries and children
    are included, and no large buffer is copied.
    """
    return {
        field.name: _column_digest(field, column)
        for field, column in zip(batch.schema, batch.columns, strict=True)
    }


def _column_digest(field: pa.Field, column: pa.Array) -> str:
    one = pa.record_batch([column], schema=pa.schema([field.with_name("column")]))
    sink = _HashedBytes()
    with pa.PythonFile(sink, "w") as stream, pa.ipc.new_stream(stream, one.schema) as writer:
        writer.write_batch(one)
    return str(sink.hasher.hexdigest())[:32]


class _HashedBytes(io.RawIOBase):
    """A sink that hashes all bytes written to it."""

    def __init__(self) -> None:
        self.hasher = blake3.blake3()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hasher.update(data)
        return len(data)

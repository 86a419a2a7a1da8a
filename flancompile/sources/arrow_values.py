"""Convert Arrow columns to Python values, with `Unreadable` for each value that Python cannot hold.

`to_pylist` raises for one value among millions (a date beyond Python's years, invalid UTF-8, two
struct members with one name), and its result depends on whether pandas is installed. The text forms
are those of `scalars`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flancompile.sources.scalars import (
    Unreadable,
    date_text,
    duration_text,
    is_readable,
    plain,
    time_text,
    timestamp_text,
    utf8_text,
)

__all__ = ["column_values", "duplicate_name"]

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_PLAIN = (
    pa.types.is_null, pa.types.is_boolean, pa.types.is_integer, pa.types.is_float64,
)  # fmt: skip
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BYTES = (
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)  # fmt: skip
_LISTS = (
    pa.types.is_list, pa.types.is_large_list, pa.types.is_list_view, pa.types.is_large_list_view,
)  # fmt: skip


def duplicate_name(names: Sequence[str]) -> str | None:
    """Message about the first repeated column name; None if all differ."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name in seen:
            return f"columns {seen[name]} and {place} are both named {name!r}"
        seen[name] = place
    return None


def column_values(column: pa.Array) -> list[Any]:
    """The values of a column; `Unreadable` for those that Python cannot hold."""
    type_ = column.type
    if _is(type_, _PLAIN):
        return list(column.to_pylist())
    if _is(type_, _TEXTS):
        return _texts(column)
    if _is(type_, _BYTES):
        return _mapped(column.to_pylist(), utf8_text)
    if _is(type_, _LISTS) or pa.types.is_fixed_size_list(type_):
        return _lists(column)
    if pa.types.is_struct(type_):
        return _structs(column)
    if pa.types.is_map(type_):
        return _maps(column)
    if pa.types.is_floating(type_):
        return _mapped(column.to_pylist(), _shortest(type_))
    if pa.types.is_decimal(type_):
        return _mapped(column.to_pylist(), plain)
    return _others(column)


def _is(type_: pa.DataType, kinds: Iterable[Callable[[pa.DataType], bool]]) -> bool:
    return any(kind(type_) for kind in kinds)


def _mapped(values: Iterable[Any], change: Callable[[Any], Any]) -> list[Any]:
    return [None if v is None else change(v) for v in values]


def _shortest(type_: pa.DataType) -> Callable[[float], float]:
    narrow = type_.to_pandas_dtype()
    return lambda value: float(str(narrow(value)))


def _texts(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        large = pa.types.is_large_string(column.type)
        view = pa.types.is_string_view(column.type)
        as_bytes = pa.large_binary() if large else pa.binary_view() if view else pa.binary()
        return _mapped(column.view(as_bytes).to_pylist(), utf8_text)


def _others(column: pa.Array) -> list[Any]:
    """Values of times, dictionaries, extension types and rare types."""
    type_ = column.type
    if isinstance(type_, pa.BaseExtensionType):
        if type_.extension_name == "arrow.uuid":
            return _mapped(column.storage.to_pylist(), lambda b: str(uuid.UUID(bytes=b)))
        values = column_values(column.storage)
        return _mapped(values, bool) if type_.extension_name == "arrow.bool8" else values
    if pa.types.is_dictionary(type_):
        known = column_values(column.dictionary)
        return _mapped(column.indices.to_pylist(), known.__getitem__)
    if pa.types.is_run_end_encoded(type_):
        return column_values(pc.run_end_decode(column))
    if pa.types.is_temporal(type_) and not pa.types.is_interval(type_):
        return _times(column)
    return [_single(column, place) for place in range(len(column))]


def _single(column: pa.Array, place: int) -> Any:
    try:
        value = column[place].as_py()
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException) as error:
        return Unreadable(str(error), place)
    if isinstance(value, pa.MonthDayNano):
        seconds = duration_text(value.nanoseconds, _PER_SECOND["ns"])
        return f"P{value.months}M{value.days}DT{seconds}S"
    return plain(value)


def _times(column: pa.Array) -> list[Any]:
    type_ = column.type
    counts = column.view(pa.int32() if type_.bit_width == 32 else pa.int64()).to_pylist()
    if pa.types.is_date32(type_):
        return _mapped(counts, date_text)
    if pa.types.is_date64(type_):
        return _mapped(counts, lambda n: date_text(n // 86_400_000))
    per_second = _PER_SECOND[type_.unit]
    if pa.types.is_time(type_):
        return _mapped(counts, lambda n: time_text(n, per_second))
    if pa.types.is_duration(type_):
        return _mapped(counts, lambda n: duration_text(n, per_second))
    return _mapped(counts, lambda n: timestamp_text(n, per_second, type_.tz))


def _lists(column: pa.Array) -> list[Any]:
    """Lists; one with an unreadable value is unreadable itself."""
    type_ = column.type
    if pa.types.is_fixed_size_list(type_):
        size = type_.list_size
        starts = [size * (column.offset + n) for n in range(len(column))]
        ends = [start + size for start in starts]
    elif pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
        starts = column.offsets.to_pylist()
        ends = [s + n for s, n in zip(starts, column.sizes.to_pylist(), strict=True)]
    else:
        offsets = column.offsets.to_pylist()
        starts, ends = offsets[:-1], offsets[1:]
    given = column.is_valid().to_pylist()
    first = min((s for s, g in zip(starts, given, strict=True) if g), default=0)
    last = max((e for e, g in zip(ends, given, strict=True) if g), default=first)
    values = column_values(column.values.slice(first, last - first))
    rows = zip(starts, ends, given, strict=True)
    if all(map(is_readable, values)):
        return [values[s - first : e - first] if g else None for s, e, g in rows]
    return [_whole(values[s - first : e - first]) if g else None for s, e, g in rows]


def _whole(items: list[Any]) -> Any:
    bad = next((v for v in items if not is_readable(v)), None)
    return items if bad is None else Unreadable(bad.reason, items)


def _structs(column: pa.Array) -> list[Any]:
    names = [f.name for f in column.type]
    given = column.is_valid().to_pylist()
    members = [column_values(column.field(n)) for n in range(len(names))]
    rows = list(zip(*members, strict=True)) if names else [()] * len(column)
    if (why := duplicate_name(names)) is not None:
        why = why.replace("columns", "members", 1)
        return [Unreadable(why, r) if g else None for r, g in zip(rows, given, strict=True)]
    found: list[Any] = []
    for row, g in zip(rows, given, strict=True):
        bad = next((n for n, v in zip(names, row, strict=True) if g and not is_readable(v)), None)
        value: Any = dict(zip(names, row, strict=True)) if g else None
        if bad is not None:
            value = Unreadable(f"{bad}: {row[names.index(bad)].reason}", value)
        found.append(value)
    return found


def _maps(column: pa.Array) -> list[Any]:
    """A mapping if keys are texts, else a list of [key, value]."""
    by_text = _is(column.type.key_type, _TEXTS)
    offsets = column.offsets.to_pylist()
    first, last = offsets[0], offsets[-1]
    keys = column_values(column.keys.slice(first, last - first))
    values = column_values(column.items.slice(first, last - first))
    given = column.is_valid().to_pylist()
    found: list[Any] = []
    for place, (start, end) in enumerate(pairwise(offsets)):
        pairs = [[keys[n - first], values[n - first]] for n in range(start, end)]
        found.append(_mapping(pairs, by_text) if given[place] else None)
    return found


def _mapping(pairs: list[list[Any]], by_text: bool) -> Any:
    bad = next((v for pair in pairs for v in pair if not is_readable(v)), None)
    if bad is not None:
        return Unreadable(bad.reason, pairs)
    if not by_text:
        return pairs
    mapping = dict(map(tuple, pairs))
    return mapping if len(mapping) == len(pairs) else Unreadable("two keys are equal", pairs)

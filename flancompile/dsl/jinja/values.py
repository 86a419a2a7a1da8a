"""Convert values to text, numbers and indexes, or raise `RowError`.

Both engines, filters and operators convert values to text only here, so no prompt can contain the
text of a null, NaN, an undefined value or a Python object, nor a list or map as Python prints it.
"""

from __future__ import annotations

import json
import math
from collections.abc import (
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import jinja2

from flancompile.plain_errors import plain_type

__all__ = [
    "MAX_CHARS",
    "NullValueError",
    "RowError",
    "are_plain",
    "as_text",
    "checked_width",
    "compared_key",
    "compared_text",
    "index_argument",
    "is_broken",
    "materialized",
    "multiply",
    "one_text",
    "parts_printable",
    "power",
    "printable",
    "python_text",
    "remainder",
    "row_argument",
    "row_index",
    "slice_bound",
    "slot_text",
    "texts_in",
    "whole_number",
]  # fmt: skip

MAX_CHARS = 10_000_000  # of a text, and items of a list, that an operator may create
MAX_BITS = 100_000  # of a whole number
MAX_WIDTH = 100_000  # to which a text may be padded
_PLAIN = frozenset({str, int, bool})
_ATOMS = _PLAIN | {float, type(None)}
_SCALAR = str | int | Decimal | date | time | timedelta  # date: datetime too; int: bool too


class RowError(Exception):
    """The row lacks a key or index, or its values do not fit the operation."""


class NullValueError(RowError):
    """A null, NaN or infinite number where a value is converted to text or a number."""


def printable(value: object, where: str = "would be printed") -> object:
    """Return the value if it has a text. Raises RowError, NullValueError.

    Lists, maps and bytes have none; only `python_text` gives their Python form.
    """
    if type(value) in _PLAIN:
        return value
    if value is None:
        raise NullValueError(f"a null value {where}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NullValueError(f"the number {value} {where}")
        return value
    if isinstance(value, _SCALAR | jinja2.Undefined):  # StrictUndefined raises when printed
        return value
    if isinstance(value, Mapping) and type(value).__str__ is not object.__str__:
        return value  # a class with its own `__str__`
    raise RowError(_no_text(value, where))


def _no_text(value: object, where: str) -> str:
    """Error message for a value without a text, with the expression to use instead."""
    if isinstance(value, list | tuple):
        return f"a list {where}; write `| join(', ')` or `| tojson`"
    if isinstance(value, Mapping):
        return f"a map {where}; write one of its keys or `| tojson`"
    if isinstance(value, bytes | bytearray):
        return f"bytes {where}; write `.decode()`"
    return f"{plain_type(type(value).__name__)} {where}; call it, or make a list of it"


def parts_printable(value: object, where: str) -> object:
    """Return the value if it and its parts, at any depth, have a text. Errors as `printable`."""
    if isinstance(value, list | tuple):
        items: list[object] = list(value)
    elif isinstance(value, Mapping) and type(value).__str__ is object.__str__:
        items = [*value.keys(), *value.values()]
    else:
        return printable(value, where)
    for item in items:
        if isinstance(item, jinja2.Undefined):
            raise RowError(str(item._undefined_message))
        parts_printable(item, where)
    return value


def python_text(value: object) -> str:
    """Python's `str` of a value. Raises RowError, NullValueError for nulls in it."""
    return str(parts_printable(value, "reaches 'python_text'"))


def as_text(value: object, where: str = "would be printed") -> str:
    """Text of a value. Raises RowError, NullValueError."""
    return value if type(value) is str else str(printable(value, where))


def slot_text(value: object, expression: str) -> str:
    """Text of a slot's value. Raises RowError, NullValueError.

    expression: source text of the slot, for the message; empty if unknown.
    """
    if type(value) is str:
        return value
    if isinstance(value, list | tuple | Mapping) and expression:
        return str(printable(value, f"would be printed by {{{{ {expression} }}}}"))
    return str(printable(value))


def one_text(value: object, role: str) -> str | None:
    """Text of a single value, such as an answer; None for a null, NaN or infinity.

    Raises RowError for a list or map, which has no text, and for undefined values.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, list | tuple | Mapping):
        kind = "a map" if isinstance(value, Mapping) else "a list"
        raise RowError(f"{role} is {kind}, not a text")
    return as_text(value, f"is {role}")


def whole_number(value: object) -> int | None:
    """Value as an int: 1, 1.0 and true give 1; None for any other value."""
    if isinstance(value, int):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def compared_text(value: object, role: str) -> str | None:
    """Text of a value for comparison, in which 1.0 is 1; None for a null or NaN.

    Raises RowError as `one_text` does.
    """
    if type(value) is str:
        return value
    number = None if isinstance(value, bool) else whole_number(value)
    return one_text(value, role) if number is None else str(number)


def compared_key(value: object) -> str:
    """Key that is equal for equal values of two rows, independent of their storage types.

    A text equals the value with that text, and 1.0 equals 1; NaN, infinite numbers and null equal
    each other only; lists and maps are compared by parts, regardless of key order.
    """
    if type(value) is str:
        return "text " + value
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(_keyed(value), ensure_ascii=False, sort_keys=True)
    text = compared_text(value, "the value")
    return "null" if text is None else "text " + text


def _keyed(value: object) -> object:
    """JSON value in which equal values have one form."""
    if isinstance(value, list | tuple):
        return [_keyed(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _keyed(item) for key, item in value.items()}
    return compared_text(value, "the value")


def is_broken(text: str) -> bool:
    """Whether a text has a lone surrogate (half a character), which no file can store."""
    return not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)


def texts_in(values: Any, where: str) -> list[str]:
    """Texts of the values of a list. Raises RowError, NullValueError."""
    return [v if type(v) is str else str(printable(v, where)) for v in values]


def are_plain(values: Sequence[Any]) -> bool:
    """Whether all values are texts, numbers, truth values, nulls, or lists of these."""
    kinds = {*map(type, values)}
    if kinds <= _ATOMS:
        return True
    if not kinds <= _ATOMS | {list}:
        return False
    return {type(item) for v in values if type(v) is list for item in v} <= _ATOMS


def materialized(value: Any) -> Any:
    """Convert iterators and views to lists, at any depth.

    Raises RowError for an undefined value or a Python object, such as a method that is not called.
    """
    if value is None or type(value) in _PLAIN or type(value) is float:
        return value
    if isinstance(value, jinja2.Undefined):
        raise RowError(str(value._undefined_message))
    if type(value) in (list, tuple):
        return _settled_list(value)
    if type(value) is dict:
        items = {k: materialized(v) for k, v in value.items()}
        return items if any(items[k] is not v for k, v in value.items()) else value
    if isinstance(value, Iterator | KeysView | ValuesView | ItemsView | range):
        return [materialized(item) for item in value]
    if callable(value):
        raise RowError(f"{plain_type(type(value).__name__)} is no value; call it")
    return value


def _settled_list(value: Any) -> Any:
    items = [materialized(item) for item in value]
    if all(a is b for a, b in zip(items, value, strict=True)):
        return value
    return items if type(value) is list else tuple(items)


def row_index(index: Any) -> Any:
    """Index from a row's data, 1.0 as 1. Raises RowError if it is negative."""
    if isinstance(index, float) and (number := whole_number(index)) is not None:
        index = number
    if isinstance(index, int) and index < 0:
        raise RowError(f"the index {index} is negative")
    return index


def slice_bound(index: Any) -> Any:
    """Slice bound from a row's data. Raises RowError if it is null or negative."""
    if index is None:
        raise NullValueError("a null value is a bound of a slice")
    return row_index(index)


def row_argument(argument: Any) -> Any:
    """An argument that a row gives to a filter or method. Raises NullValueError for a null, which
    would act as one that is left out."""
    if argument is None:
        raise NullValueError("a null value is an argument")
    return argument


def index_argument(argument: Any) -> Any:
    """The same of an argument that may be an index. Raises RowError where it is negative."""
    return row_index(row_argument(argument))


def multiply(left: Any, right: Any) -> Any:
    """Multiply, or repeat a text or list. Raises RowError if the result is too large."""
    for one, other in ((left, right), (right, left)):
        if isinstance(other, int):
            if isinstance(one, str | list | tuple) and len(one) * other > MAX_CHARS:
                raise RowError(f"{plain_type(type(one).__name__)} of more than {MAX_CHARS:,} items")
            if isinstance(one, int) and one.bit_length() + other.bit_length() > MAX_BITS:
                raise RowError("a whole number that is too large")
    return left * right


def power(left: Any, right: Any) -> Any:
    """Power. Raises RowError if the result is too large."""
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and right > 0 and left.bit_length() * right > MAX_BITS:
        raise RowError("a whole number that is too large")
    return left**right


def remainder(left: Any, right: Any) -> Any:
    """Remainder of a division, or printf formatting. Raises RowError, NullValueError."""
    if not isinstance(left, str):
        return left % right
    if isinstance(right, Mapping):
        return left % _Printed(right)
    filled: str = left % (printable_parts(right) if isinstance(right, tuple) else printable(right))
    if is_broken(filled):
        raise RowError(f"{left!r} gives half a character")
    return filled


def printable_parts(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check values that are printed one by one. Raises RowError, NullValueError."""
    return tuple(map(printable, values))


class _Printed(dict[Any, Any]):
    """A mapping that checks each value on access."""

    def __getitem__(self, key: Any) -> Any:
        return printable(super().__getitem__(key))

    def __str__(self) -> str:
        return str(printable(dict(self)))

    __repr__ = __str__


def checked_width(value: Any) -> Any:
    """Padding width. Raises RowError if it is too large."""
    if isinstance(value, int) and value > MAX_WIDTH:
        raise RowError(f"a width of more than {MAX_WIDTH:,}")
    return value

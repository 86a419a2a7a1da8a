"""Values where they become text, numbers or indexes: what a row cannot give is a `RowError`.

Every engine, filter and operator that turns a value into text does so here, so no prompt can hold
the text of a null, of NaN, of an undefined value or of an object of the program, nor a list or map
as Python writes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import (
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
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

MAX_CHARS = 10_000_000  # of a text, and items of a list, that an operator may make
MAX_BITS = 100_000  # of a whole number
MAX_WIDTH = 100_000  # to which a text may be padded
_PLAIN = frozenset({str, int, bool})
_SCALAR = str | int | Decimal | date | time | timedelta  # date: datetime too; int: bool too


class RowError(Exception):
    """The row lacks a key or index that is asked for, or its values do not fit the operation."""


class NullValueError(RowError):
    """A null, or a number that is NaN or infinite, where a text or a number is made of a value."""


def printable(value: object, where: str = "would be printed") -> object:
    """The value, where it has a text. Raises RowError, NullValueError.

    Lists, maps and bytes have none: Python's own form of them is in no text that is not asked for.
    """
    if type(value) in _PLAIN:
        return value
    if value is None:
        raise NullValueError(f"a null value {where}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NullValueError(f"the number {value} {where}")
        return value
    if isinstance(value, _SCALAR | jinja2.Undefined):  # a strict one raises where it is printed
        return value
    if isinstance(value, Mapping) and type(value).__str__ is not object.__str__:
        return value  # it has a text of its own
    raise RowError(_no_text(value, where))


def _no_text(value: object, where: str) -> str:
    """Why a value has no text, and what to write instead."""
    if isinstance(value, list | tuple):
        return f"a list {where}; write `| join(', ')` or `| tojson`"
    if isinstance(value, Mapping):
        return f"a map {where}; write one of its keys or `| tojson`"
    if isinstance(value, bytes | bytearray):
        return f"bytes {where}; write `.decode()`"
    return f"{plain_type(type(value).__name__)} {where}; call it, or make a list of it"


def parts_printable(value: object, where: str) -> object:
    """The same for a list or map whose parts become text: each of them, at any depth."""
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
    """A value as Python writes it. Raises RowError, NullValueError for nulls in it."""
    return str(parts_printable(value, "reaches 'python_text'"))


def as_text(value: object, where: str = "would be printed") -> str:
    """The text of a value. Raises RowError, NullValueError."""
    return value if type(value) is str else str(printable(value, where))


def slot_text(value: object, expression: str) -> str:
    """The text of what a template prints. Raises RowError, NullValueError.

    expression: what is printed, as it is written; empty where that is not known.
    """
    if type(value) is str:
        return value
    if isinstance(value, list | tuple | Mapping) and expression:
        return str(printable(value, f"would be printed by {{{{ {expression} }}}}"))
    return str(printable(value))


def one_text(value: object, what: str) -> str | None:
    """The text of one value that is shown or compared by itself; None for a null, NaN or infinity.

    Raises RowError for a list or map, which has no text, and for undefined values.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, list | tuple | Mapping):
        kind = "a map" if isinstance(value, Mapping) else "a list"
        raise RowError(f"{what} is {kind}, not a text")
    return as_text(value, f"is {what}")


def whole_number(value: object) -> int | None:
    """The whole number that a value is: 1, 1.0 or true are one; None for any other value."""
    if isinstance(value, int):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def compared_text(value: object, what: str) -> str | None:
    """The text by which one value is compared, in which 1.0 is 1; None for a null or NaN.

    Raises RowError as `one_text` does.
    """
    if type(value) is str:
        return value
    number = None if isinstance(value, bool) else whole_number(value)
    return one_text(value, what) if number is None else str(number)


def compared_key(value: object) -> str:
    """The form by which values of two rows are equal, whatever types their files store them in.

    A text is equal to the value that it is the text of, and 1.0 to 1; NaN, an infinite number and a
    null are equal to each other alone; lists and maps are equal part by part, in any order of keys.
    """
    if type(value) is str:
        return "text " + value
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(_keyed(value), ensure_ascii=False, sort_keys=True)
    text = compared_text(value, "the value")
    return "null" if text is None else "text " + text


def _keyed(value: object) -> object:
    """A value as JSON in which equal values have one form."""
    if isinstance(value, list | tuple):
        return [_keyed(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _keyed(item) for key, item in value.items()}
    return compared_text(value, "the value")


def is_broken(text: str) -> bool:
    """Whether a text holds half a character (a lone surrogate), which no file can hold."""
    return not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)


def texts_in(values: Any, where: str) -> list[str]:
    """The texts of a list's values. Raises RowError, NullValueError."""
    return [v if type(v) is str else str(printable(v, where)) for v in values]


def materialized(value: Any) -> Any:
    """A value as it is kept: iterators and views become lists, in any depth.

    Raises RowError for what is undefined or is part of the program, such as a method that is not
    called.
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
    """An index that a row gives, 1.0 as 1. Raises RowError where it is negative."""
    if isinstance(index, float) and (number := whole_number(index)) is not None:
        index = number
    if isinstance(index, int) and index < 0:
        raise RowError(f"the index {index} is negative")
    return index


def slice_bound(index: Any) -> Any:
    """A bound of a slice that a row gives. Raises RowError where it is null or negative."""
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
    """The product, or a text or list repeated. Raises RowError where it is too large."""
    for one, other in ((left, right), (right, left)):
        if isinstance(other, int):
            if isinstance(one, str | list | tuple) and len(one) * other > MAX_CHARS:
                raise RowError(f"{plain_type(type(one).__name__)} of more than {MAX_CHARS:,} items")
            if isinstance(one, int) and one.bit_length() + other.bit_length() > MAX_BITS:
                raise RowError("a whole number that is too large")
    return left * right


def power(left: Any, right: Any) -> Any:
    """The power. Raises RowError where it is too large."""
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and right > 0 and left.bit_length() * right > MAX_BITS:
        raise RowError("a whole number that is too large")
    return left**right


def remainder(left: Any, right: Any) -> Any:
    """The rest of a division, or printf's forms filled in. Raises RowError, NullValueError."""
    if not isinstance(left, str):
        return left % right
    if isinstance(right, Mapping):
        return left % _Printed(right)
    filled: str = left % (printable_parts(right) if isinstance(right, tuple) else printable(right))
    if is_broken(filled):
        raise RowError(f"{left!r} gives half a character")
    return filled


def printable_parts(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values that are to be printed one by one. Raises RowError, NullValueError."""
    return tuple(map(printable, values))


class _Printed(dict[Any, Any]):
    """A mapping whose values are checked where they are taken."""

    def __getitem__(self, key: Any) -> Any:
        return printable(super().__getitem__(key))

    def __str__(self) -> str:
        return str(printable(dict(self)))

    __repr__ = __str__


def checked_width(value: Any) -> Any:
    """A width to which a text is padded. Raises RowError where it is too large."""
    if isinstance(value, int) and value > MAX_WIDTH:
        raise RowError(f"a width of more than {MAX_WIDTH:,}")
    return value

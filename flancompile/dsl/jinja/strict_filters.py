"""Strict versions of Jinja's filters: lists instead of generators, and no text of a null.

A filter that converts its value to text or a number raises `NullValueError` for a null, NaN or an
infinite number. Lazy filters return a list, so that an error in a row's data is raised where the
filter is applied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2.environment import Environment
from jinja2.filters import make_attrgetter
from jinja2.utils import _PassArg, pass_environment

from flancompile.dsl.jinja.values import (
    NullValueError,
    RowError,
    checked_width,
    parts_printable,
    printable,
    texts_in,
)

__all__ = ["strict_filters"]

Filter = Callable[..., Any]

# Indexes of the arguments that become text: 0 is the value, None means all.
_OF_TEXT: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(
        (
            "capitalize",
            "center",
            "format",
            "indent",
            "lower",
            "lower_first",
            "lstrip",
            "number",
            "ordinal",
            "rstrip",
            "special",
            "squeeze",
            "string",
            "striptags",
            "title",
            "trim",
            "truncate",
            "unescape_html",
            "upper",
            "upper_first",
            "urlencode",
            "wordcount",
            "wordwrap",
        ),
        (0,),
    ),
    "format": None,
    "replace": (0, 1, 2),
    **dict.fromkeys(("lstrip", "rstrip", "split", "trim"), (0, 1)),
}  # fmt: skip
_OF_PARTS = frozenset({"urlencode"})  # convert the parts of a list or map
_LAZY = ("batch", "items", "map", "reject", "rejectattr", "reverse", "select", "selectattr",
         "slice", "unique")  # fmt: skip
_PADDED = {"center": "width", "indent": "width", "batch": "linecount", "slice": "slices"}


def strict_filters(filters: Mapping[str, Filter]) -> dict[str, Filter]:
    """Wrap filters to reject nulls and to return lists."""
    found = dict(filters)
    for name, places in _OF_TEXT.items():
        found[name] = _checked(name, found[name], places)
    for name in _LAZY:
        found[name] = _eager(found[name])
    for name, parameter in _PADDED.items():
        found[name] = _padded(found[name], parameter)
    for name in ("int", "float"):
        found[name] = _numeric(name, found[name])
    return found | {"join": _join, "sum": _finite_sum(found["sum"])}


def _lead(function: Filter) -> int:
    """Number of arguments that Jinja passes before the value."""
    return int(_PassArg.from_obj(function) is not None)


def _checked(name: str, function: Filter, places: tuple[int, ...] | None) -> Filter:
    first, where = _lead(function), f"reaches {name!r}"
    check = parts_printable if name in _OF_PARTS else printable

    @wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        for n, value in enumerate(args[first:]):
            if places is None or n in places:
                check(value, where)
        if places is None:
            for value in named.values():
                printable(value, where)
        return function(*args, **named)

    return run


def _eager(function: Filter) -> Filter:
    @wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        found = function(*args, **named)
        return list(found) if isinstance(found, Iterator) else found

    return run


def _padded(function: Filter, parameter: str) -> Filter:
    at = 1 + _lead(function)

    @wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        checked_width(args[at] if len(args) > at else named.get(parameter))
        return function(*args, **named)

    return run


def _numeric(name: str, function: Filter) -> Filter:
    """`int` or `float`, which drops a row whose value is no number unless a default is given."""

    @wraps(function)
    def run(value: Any, *args: Any, **named: Any) -> Any:
        if args or "default" in named:
            return function(value, *args, **named)
        printable(value, f"reaches {name!r}")
        found = function(value, _NONE, **named)
        if found is _NONE or not math.isfinite(found):
            raise RowError(f"{value!r} is no number; write a default: {name}(0)")
        return found

    return run


_NONE = object()  # marks a missing default


def _finite_sum(function: Filter) -> Filter:
    @wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        found = function(*args, **named)
        if isinstance(found, float) and found != found:
            raise NullValueError("the sum is NaN")
        return found

    return run


@pass_environment
def _join(
    environment: Environment,
    value: Iterable[Any],
    d: str = "",
    attribute: str | int | None = None,
) -> str:
    """Join items, or an attribute of each, as one text."""
    if attribute is not None:
        value = map(make_attrgetter(environment, attribute), value)
    where = "reaches 'join'"
    return texts_in([d], where)[0].join(texts_in(value, where))

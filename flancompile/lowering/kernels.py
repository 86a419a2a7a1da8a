"""Filters with literal arguments as functions of a whole list of texts.

Each gives, for a list of `str`, the values that the filter gives for each of them; a kernel is used
only where the filter cannot fail or print a null. Other values take the filter itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["Kernel", "kernel", "required_text"]

Kernel = Callable[[Sequence[str]], list[Any]]
_HEAD = re.compile(r"(?:\\.|[^\\(\[{])*", re.DOTALL)
_TOKEN = re.compile(r"\\.|.", re.DOTALL)
_SPECIAL = ".^$*+?)]}"


@lru_cache(maxsize=4096)
def kernel(name: str, args: tuple[Any, ...]) -> Kernel | None:
    """The kernel of a filter with these arguments; None if there is none."""
    build = _KERNELS.get((name, len(args)))
    if build is None or not all(type(a) is str for a in args):
        return None
    try:
        return build(*args)
    except (re.error, ValueError, OverflowError, RecursionError):  # the filter raises it, by row
        return None


def required_text(pattern: str) -> str:
    """A literal text that each match of a pattern contains; empty if none is known.

    Only the text before the first group, class or repeat count is considered.

    >>> required_text(r" n't\\b"), required_text(r"\\s+"), required_text(r"``?([a-z])")
    (" n't", '', '`')
    """
    if "|" in pattern or "(?" in pattern:
        return ""
    head = _HEAD.match(pattern)[0]  # type: ignore[index]
    runs = [""]
    for token in _TOKEN.findall(head):
        if token in ("*", "?"):
            runs[-1] = runs[-1][:-1]
        is_literal = token[-1] not in _SPECIAL if len(token) == 1 else not token[-1].isalnum()
        runs[-1] += token[-1] if is_literal else ""
        runs += [] if is_literal else [""]
    if pattern[len(head) : len(head) + 1] == "{":
        runs[-1] = runs[-1][:-1]
    return max(runs, key=len)


def _substituted(pattern: str, replacement: str) -> Kernel:
    compiled = re.compile(pattern)
    compiled.sub(replacement, "")  # raises for groups that the pattern lacks
    substitute, needed = compiled.sub, required_text(pattern)
    if needed:
        return lambda texts: [substitute(replacement, t) if needed in t else t for t in texts]
    return lambda texts: [substitute(replacement, t) for t in texts]


def _each(function: Callable[[str], Any]) -> Callable[[], Kernel]:
    return lambda: lambda texts: list(map(function, texts))


def _found(pattern: str) -> Kernel:
    search = re.compile(pattern).search
    return lambda texts: [search(t) is not None for t in texts]


def _separated(separator: str) -> Kernel:
    "".split(separator)  # raises if it is empty
    return lambda texts: [t.split(separator) for t in texts]


_KERNELS: dict[tuple[str, int], Callable[..., Kernel]] = {
    ("length", 0): _each(len),
    ("lower", 0): _each(str.lower),
    ("lower_first", 0): lambda: lambda texts: [t[:1].lower() + t[1:] for t in texts],
    ("matches", 1): _found,
    ("regex_findall", 1): lambda pattern: _each(re.compile(pattern).findall)(),
    ("regex_replace", 2): _substituted,
    ("replace", 2): lambda old, new: lambda texts: [t.replace(old, new) for t in texts],
    ("split", 0): _each(str.split),
    ("split", 1): _separated,
    ("squeeze", 0): lambda: lambda texts: [" ".join(t.split()) for t in texts],
    ("string", 0): lambda: list,
    ("trim", 0): _each(str.strip),
    ("trim", 1): lambda chars: lambda texts: [t.strip(chars) for t in texts],
    ("unescape_html", 0): lambda: (
        lambda texts: [html.unescape(t) if "&" in t else t for t in texts]
    ),
    ("upper", 0): _each(str.upper),
    ("upper_first", 0): lambda: lambda texts: [t[:1].upper() + t[1:] for t in texts],
    ("words", 0): _each(str.split),
}

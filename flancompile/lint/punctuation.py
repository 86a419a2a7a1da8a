"""Detect doubled punctuation where a value meets a template's text, such as `..`.

Punctuation inside a value or inside the template's own text is not checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.errors import TextError

__all__ = ["doubles_a_mark"]

NEAR = 3  # characters of either side that are looked at
_DOUBLED = re.compile(r"(?<![.?!])([.?!,;:])\1(?![.])|[.!?;:][,;]|[,;:]\.(?!\.)|\s[,;](?=\s)")
_SHORTENED = re.compile(r"(?:\b[^\W\d_]\.|\b(?:etc|al|Inc|Ltd|Co|Corp|Jr|Sr|St|No)\.|\d!)$")
_TAGS = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})", re.DOTALL)
_MARK = re.compile(r"[.?!,;:]")


def doubles_a_mark(
    text: str, rendered: str, names: Callable[[], Mapping[str, object] | None]
) -> bool:
    """Whether a slot's value puts a punctuation mark beside one of the template's.

    names: gives the slots' values, or None; called only if a mark is beside a slot.
    """
    marked = _marked_slots(text)
    context = names() if marked else None
    if context is None:
        return False
    return any(_meets(*border, rendered, context) for border in marked)


def _meets(
    before: str, slot: str, after: str, rendered: str, context: Mapping[str, object]
) -> bool:
    try:
        value = str(compile_expression(slot)(context))
    except (RowError, TextError):  # a loop's name, or a branch that was not taken
        return False
    if not value:
        return False
    return any(
        left + right in rendered and _spans(left, right[:NEAR])
        for left, right in ((value, after), (before, value))
        if left and right
    )


def _spans(left: str, right: str) -> bool:
    """Whether marks meet at a slot's edge; the full stop of an abbreviation does not count."""
    if _SHORTENED.search(left) and right[0] in ",;:":
        return False
    near = left[-NEAR:]
    found = _DOUBLED.finditer(near + right)
    return any(match.start() < len(near) < match.end() for match in found)


@lru_cache(maxsize=4096)
def _marked_slots(text: str) -> tuple[tuple[str, str, str], ...]:
    """(text before, slot, text after) of each slot beside a punctuation mark."""
    return tuple(_bordered(_TAGS.split(text)))


def _bordered(pieces: list[str]) -> Iterator[tuple[str, str, str]]:
    for place in range(1, len(pieces), 2):
        slot = pieces[place]
        if slot.startswith("{{"):
            before, after = pieces[place - 1], pieces[place + 1]
            if _MARK.search(before[-2:]) or _MARK.search(after[:2]):
                yield before, slot[2:-2].strip("-+ \t\n"), after

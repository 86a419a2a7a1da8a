"""What is wrong with a template's text, seen without any row.

Each check looks at one thing. A fault names its line in the text and, where there is one, the very
word, so that the caret stands under it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flancompile.dsl.expression import without_slot
from flancompile.errors import Severity, nearest

__all__ = ["Fault", "input_faults", "options_faults", "target_faults"]

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SINGLE = re.compile(r"(?<![{\w$])\{\s*([A-Za-z_]\w*)\s*\}(?!\})")
_STRAY = re.compile(r"\}\}(n|rn|t)(?=\n|$)")
_ESCAPED = re.compile(r"\\[nrt](?![A-Za-z])")
_DOUBLED = re.compile(r"(?<![.?!,;:])([.,;:])\1(?![.])|\?\s\?|\s[,;.](?=\s|$)|[,;:]\.(?!\.)")
_SPEAKS = re.compile(
    r"\b(options?|choices|alternatives|(?:one )?of the following|(?:from|in) the list)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fault:
    """A fault in a text: where (line from 1, and a word), what, and what to do."""

    code: str
    message: str
    hint: str | None = None
    line: int = 1
    word: str | None = None
    severity: Severity = "error"


def input_faults(text: str, names: Iterable[str]) -> Iterator[Fault]:
    """Faults of an input text. names: what it may show."""
    yield from _any_text(text, names)
    if text != text.rstrip():
        message = "the input ends in white space, which stands before the target"
        hint = "write it as a block with |- or take the white space off"
        yield Fault("FC216", message, hint, text.count("\n") + 1, severity="warning")


def target_faults(text: str, names: Iterable[str]) -> Iterator[Fault]:
    """Faults of a target text. names: what it may show."""
    yield from _any_text(text, names)
    if text != text.strip():
        message = "the target begins or ends in white space"
        hint = "the frame and the layout part it from the prompt; take the white space off"
        yield Fault("FC216", message, hint, severity="warning")


def options_faults(text: str) -> Iterator[Fault]:
    """What an input still says of options once they are left out."""
    bare = _JINJA.sub("", without_slot(text, "options"))
    if match := _SPEAKS.search(bare):
        message = f"without options the text still speaks of them: {match[1]!r}"
        hint = "reword it, or say `options: required`; the style can announce the options"
        yield Fault("FC220", message, hint, _line(text, match[1]), match[1], "warning")


def _any_text(text: str, names: Iterable[str]) -> Iterator[Fault]:
    known = set(names)
    literal = _JINJA.sub(lambda m: "\0" + "\n" * m[0].count("\n"), text)
    for match in _SINGLE.finditer(literal):
        name = match[1]
        near = name if name in known else _nearest(name, known)
        if near is not None:
            message = f"{match[0]!r} is printed as it stands"
            hint = f"write {{{{ {near} }}}} to show the field"
            yield Fault("FC210", message, hint, _at(literal, match), match[0])
    if (stray := _STRAY.search(text)) is not None:
        message = f"a stray {stray[1]!r} after }}}} where a line should end"
        hint = f"take the {stray[1]!r} out"
        yield Fault("FC211", message, hint, _at(text, stray), f"}}}}{stray[1]}")
    if (escaped := _ESCAPED.search(literal)) is not None:
        message = f"{escaped[0]} is printed as a backslash and a letter"
        hint = 'escapes work in "double quotes" only; or write the text as a block with |-'
        yield Fault("FC211", message, hint, _at(literal, escaped), escaped[0], "warning")
    if (doubled := _DOUBLED.search(literal)) is not None:
        word = doubled[0].strip()
        message = f"doubled or detached punctuation: {word!r}"
        yield Fault("FC217", message, None, _at(literal, doubled), word, "warning")
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):
        if line != line.rstrip(" \t"):
            message = "a line ends in white space"
            yield Fault("FC216", message, None, number, severity="warning")
            break


def _nearest(name: str, known: set[str]) -> str | None:
    hint = nearest(name, sorted(known))
    return hint.split("'")[1] if hint else None


def _at(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def _line(text: str, word: str) -> int:
    place = text.find(word)
    return text.count("\n", 0, max(place, 0)) + 1

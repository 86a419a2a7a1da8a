"""Static checks of template texts: white space, placeholders, escapes, punctuation, options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flancompile.dsl.jinja.expression import without_slot
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.errors import nearest

__all__ = [
    "input_diagnostics",
    "options_diagnostics",
    "single_braces",
    "target_diagnostics",
]

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PATH = r"(?:\.\w+|\[[^\]{}\n]*\]|\s*\|\s*\w+(?:\([^(){}\n]*\))?)"
_SINGLE = re.compile(rf"(?<![{{\w$])\{{\s*(([A-Za-z_]\w*){_PATH}*)\s*\}}(?!\}})")
_STRAY = re.compile(r"\}\}(?:(n|rn|t)(?=\n|$)|(n|rn)(?=[A-Z]))")
_ESCAPED = re.compile(r"\\[nrt](?![A-Za-z])")
_DOUBLED = re.compile(r"(?<![.?!,;:])([.,;:])\1(?![.])|\?\s\?|\s[,;.](?=\s|$)|[,;:]\.(?!\.)")
_MENTIONS_OPTIONS = re.compile(
    r"\b(options?|choices|alternatives|(?:one )?of the following|(?:from|in) the list)\b",
    re.IGNORECASE,
)


_LINE_END_HINT = "remove the white space at the line's end; models learn it too"


def input_diagnostics(
    text: str, names: Iterable[str], fields: Iterable[str] = ()
) -> Iterator[TextDiagnostic]:
    """Check an input text. names: names it may show; fields: all fields of the file."""
    yield from _any_text(text, names, fields)
    if text != text.rstrip():
        message = "the input ends in white space, which comes before the target"
        hint = "write it as a block with |-, or remove the white space"
        yield _space(message, hint, len(text.rstrip()))


def target_diagnostics(
    text: str, names: Iterable[str], fields: Iterable[str] = ()
) -> Iterator[TextDiagnostic]:
    """Check a target text. names: names it may show; fields: all fields of the file."""
    yield from _any_text(text, names, fields)
    if text != text.strip():
        message = "the target begins or ends in white space"
        hint = "remove the white space; the frame and the layout separate it from the prompt"
        yield _space(message, hint, len(text.rstrip()) if text == text.lstrip() else 0)


def _space(message: str, hint: str | None, at: int) -> TextDiagnostic:
    return TextDiagnostic("FC216", message, hint, word=" ", severity="warning", at=at)


def options_diagnostics(text: str) -> Iterator[TextDiagnostic]:
    """FC220 for an input that mentions options when they are left out."""
    bare = _JINJA.sub("", without_slot(text, "options"))
    if match := _MENTIONS_OPTIONS.search(bare):
        message = f"the text mentions options even without them: {match[1]!r}"
        hint = "reword it and let the style announce the options, or set `options: required`"
        at = _literal_offset(text, match[1])
        yield TextDiagnostic("FC220", message, hint, word=match[1], severity="warning", at=at)


def _any_text(text: str, names: Iterable[str], fields: Iterable[str]) -> Iterator[TextDiagnostic]:
    known = set(names)
    literal = _literal(text)
    yield from _single_braces(literal, known, set(fields))
    for stray in _STRAY.finditer(text):
        letter = stray[1] or stray[2]
        message = f"a stray {letter!r} after }}}} at the end of a line"
        hint = f"remove the {letter!r}"
        yield TextDiagnostic("FC211", message, hint, word=f"}}}}{letter}", at=stray.start())
    for escaped in _ESCAPED.finditer(literal):
        message = f"{escaped[0]} is printed as a backslash and a letter"
        hint = 'escapes work only in "double quotes"; or write the text as a block with |-'
        yield TextDiagnostic(
            "FC211", message, hint, word=escaped[0], severity="warning", at=escaped.start()
        )
    for doubled in _DOUBLED.finditer(literal):
        word = doubled[0].strip()
        message = f"doubled or detached punctuation: {word!r}"
        at = doubled.start() + doubled[0].index(word)
        hint = "keep one mark, next to the word before it"
        yield TextDiagnostic("FC217", message, hint, word=word, severity="warning", at=at)
    place = 0
    for line in text.split("\n")[:-1]:
        if line != line.rstrip(" \t"):
            yield _space(
                "a line ends in white space", _LINE_END_HINT, place + len(line.rstrip(" \t"))
            )
        place += len(line) + 1


def single_braces(text: str, names: Iterable[str]) -> Iterator[TextDiagnostic]:
    """FC210 for placeholders in single braces. names: names that the text may show."""
    yield from _single_braces(_literal(text), set(names), set())


def _single_braces(literal: str, known: set[str], fields: set[str]) -> Iterator[TextDiagnostic]:
    """Find placeholders such as `{premise}`, `{answers[0]}` and `{title | trim}`."""
    for match in _SINGLE.finditer(literal):
        written, name = match[1], match[2]
        field = name if name in known | fields else _nearest(name, known)
        if field is None or (field != name and written != name):
            continue
        message = f"{match[0]!r} is printed literally"
        hint = f"write {{{{ {field}{written[len(name) :]} }}}} to show the field"
        if field not in known:
            hint += ", if the signature lists it"
        yield TextDiagnostic("FC210", message, hint, word=match[0], at=match.start())


def _literal(text: str) -> str:
    """The text with all Jinja code replaced by NUL characters."""
    return _JINJA.sub(lambda m: re.sub(r"[^\n]", "\0", m[0]), text)


def _nearest(name: str, known: set[str]) -> str | None:
    hint = nearest(name, sorted(known))
    return hint.split("'")[1] if hint else None


def _literal_offset(text: str, word: str) -> int:
    """Offset of a word outside Jinja code."""
    return max(0, _literal(text).find(word))

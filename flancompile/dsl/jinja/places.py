"""Source positions of characters in YAML scalars and of words in Jinja texts.

A scalar may be plain, quoted with escapes, or a block, and may be folded over lines. Its value and
its source are aligned character by character, and only when there is a diagnostic to place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flancompile.dsl.jinja.tokens import Part, words
from flancompile.errors import Span

__all__ = ["Spot", "occurrences", "spots"]

Spot = tuple[int, int]  # line and column, from 1
_ESCAPES = {"x": 4, "u": 6, "U": 10}
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_FOLD = re.compile(r"[ \t]*((?:\r\n|[\n\r\x85\u2028\u2029])[ \t]*)+")
_ORDER: tuple[Part, ...] = ("name", "attribute", "filter", "test", "argument", "tag", "bound")


def occurrences(text: str, word: str, part: Part | None = None) -> list[int]:
    """Offsets of a word of code in a text; part None: the likeliest part of speech.

    A word that is not in the code is searched in quoted texts and then anywhere.
    """
    found = [w for w in words(text) if w.text == word or (w.part == "text" and word in w.text)]
    for kind in (part,) if part is not None else _ORDER:
        if starts := [w.start for w in found if w.part == kind and w.text == word]:
            return starts
    quoted = [w.start + w.text.index(word) for w in found if w.part == "text"]
    return quoted or [m.start() for m in re.finditer(re.escape(word), text)]


def spots(lines: Sequence[str], span: Span, text: str) -> list[Spot] | None:
    """Positions of the characters of a scalar's value and of its end; None if not aligned.

    lines: of the file; span: of the scalar in the source.
    """
    rows = [*lines[span.line - 1 : span.end_line]]
    if not rows:
        return None
    if len(rows) > span.end_line - span.line:
        rows[-1] = rows[-1][: span.end_column - 1]
    rows[0] = " " * (span.column - 1) + rows[0][span.column - 1 :]
    raw = "\n".join(rows)
    start = span.column - 1
    start = _PROPERTIES.match(raw, start).end()  # type: ignore[union-attr]
    style = raw[start : start + 1]
    if style == "|":
        return _of_block(lines, span.line, text)
    if style == ">":
        raw += "\n"
        start = raw.find("\n") + 1
        start += len(raw[start:]) - len(raw[start:].lstrip(" "))
    elif style in ("'", '"'):
        start += 1
    places = _aligned(raw, start, text, style)
    if places is None:
        return None
    ends = [-1, *(m.start() for m in re.finditer("\n", raw))]
    found: list[Spot] = []
    row = 0
    for place in places:
        while row + 1 < len(ends) and ends[row + 1] < place:
            row += 1
        while ends[row] >= place and row:
            row -= 1
        found.append((span.line + row, place - ends[row]))
    return found


def _of_block(lines: Sequence[str], header: int, text: str) -> list[Spot] | None:
    """Positions in a literal block, whose lines follow its header one for one."""
    found: list[Spot] = []
    for number, row in enumerate(text.split("\n"), header + 1):
        line = lines[number - 1] if number <= len(lines) else ""
        if not row and found and (number > len(lines) or line.strip()):
            found.append(found[-1])  # the end of the value, after its last line
            continue
        if not line.endswith(row):
            return None
        start = len(line) - len(row) + 1
        found += [(number, start + place) for place in range(len(row) + 1)]
    return found


def _aligned(raw: str, place: int, text: str, style: str) -> list[int] | None:
    """Source offsets of each character of the text and of its end."""
    found: list[int] = []
    fold: tuple[int, int] | None = None  # offset of a fold, and its remaining line ends
    for character in text:
        if style == '"':
            while skipped := re.compile(r"\\\n[ \t]*").match(raw, place):
                place = skipped.end()
        if fold is not None and fold[1] > 0 and character == "\n":
            found.append(fold[0])
            fold = (fold[0], fold[1] - 1)
            continue
        fold = None
        match = _FOLD.match(raw, place) if character in " \n" else None
        if match is not None and "\n" in match[0]:
            found.append(match.start())
            fold = (match.start(), match[0].count("\n") - 2)
            place = match.end()
            continue
        if place >= len(raw):
            return None
        found.append(place)
        if style == '"' and raw[place] == "\\":
            place += _ESCAPES.get(raw[place + 1 : place + 2], 2)
        elif style == "'" and raw.startswith("''", place):
            place += 2
        elif raw[place] == character:
            place += 1
        else:
            return None
    return [*found, place]

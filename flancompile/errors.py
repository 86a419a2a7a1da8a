"""Diagnostics: code, message, place in a file, and a hint.

A mistake in an author's file is a `Diagnostic` with a code, so that many can be collected and shown
at once. Code that cannot go on raises `FlancompileError`, which carries one or more of them.
`assert` is for mistakes in this package only.

Code families: FC1xx syntax, FC2xx types, FC3xx data, FC4xx mixture and recipe, FC5xx store,
FC6xx training and evaluation.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = [
    "Diagnostic", "FlancompileError", "FlancompileWarning", "Severity", "Span", "TextError",
    "fail", "nearest",
]  # fmt: skip

Severity = Literal["error", "warning"]


class FlancompileWarning(UserWarning):
    """A warning to the user that does not stop the work."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of text in a file. Lines and columns count from 1; the end is exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning. code: stable, such as FC101; hint: the way to correct it.

    allowed: the file's reason to allow a warning; None for a diagnostic to be shown.
    """

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    severity: Severity = "error"
    allowed: str | None = None

    def __post_init__(self) -> None:
        if self.span is not None and not self.span.path:  # a setting that is in no file
            object.__setattr__(self, "span", None)

    def render(self) -> str:
        """Plain text: place, code and message, the source line with a caret, the hint."""
        where = f"{self.span}: " if self.span else ""
        lines = [f"{where}{self.severity} {self.code}: {self.message}"]
        lines += _excerpt(self.span)
        if self.hint:
            lines.append(f"  = help: {self.hint}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """JSON-ready data; the key `allowed` is present for allowed warnings only."""
        place: dict[str, object] = {}
        if self.span:
            place = {
                "path": self.span.path,
                "line": self.span.line,
                "column": self.span.column,
                "end_line": self.span.end_line,
                "end_column": self.span.end_column,
            }
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            **place,
            **({} if self.allowed is None else {"allowed": self.allowed}),
        }


@dataclass
class FlancompileError(Exception):
    """Error with every diagnostic found before the work had to stop."""

    diagnostics: Sequence[Diagnostic] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n\n".join(d.render() for d in self.diagnostics)

    def __reduce__(self) -> tuple[type[FlancompileError], tuple[list[Diagnostic]]]:
        return (FlancompileError, (list(self.diagnostics),))

    @property
    def code(self) -> str:
        """The code of the first diagnostic."""
        return self.diagnostics[0].code


@dataclass
class TextError(FlancompileError):
    """Mistakes inside a text. places: start (from 0) and length of each in the text.

    The caller that knows the position of the text in its file sets the spans of the diagnostics.
    names: the names that the text reads, if they are known in spite of the mistakes.
    """

    places: Sequence[tuple[int, int]] = ((0, 0),)
    names: frozenset[str] | None = None

    def __reduce__(self) -> tuple[type[FlancompileError], tuple[list[Diagnostic]]]:
        return (FlancompileError, (list(self.diagnostics),))


def fail(
    code: str, message: str, *, span: Span | None = None, hint: str | None = None
) -> FlancompileError:
    """Make an error of one diagnostic: `raise fail("FC301", "...", hint="...")`."""
    return FlancompileError([Diagnostic(code, message, span, hint)])


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint with the known name closest to `name`; None if none is close.

    >>> nearest("hypotesis", ["premise", "hypothesis"])
    "did you mean 'hypothesis'?"
    """
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {match[0]!r}?" if match else None


def _excerpt(span: Span | None) -> list[str]:
    if span is None:
        return []
    try:
        lines = Path(span.path).read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return []
    if not 0 < span.line <= len(lines):
        return []
    text = lines[span.line - 1]
    stop = span.end_column if span.end_line == span.line else len(text) + 1
    start = span.column - 1
    margin = "".join("\t" if c == "\t" else " " * _cells(c) for c in text[:start])
    caret = "^" * max(1, sum(map(_cells, text[start : stop - 1])))
    number = str(span.line)
    return [f"  {number} | {text}", f"  {' ' * len(number)} | {margin}{caret}"]


def _cells(character: str) -> int:
    """Columns of a terminal that a character takes."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

"""Diagnostics of a single text, before it has a position in a file."""

from __future__ import annotations

from dataclasses import dataclass

from flancompile.errors import Severity

__all__ = ["TextDiagnostic"]


@dataclass(frozen=True)
class TextDiagnostic:
    """A diagnostic of one text, before it has a span in a file.

    Its place is `word` at the offset `at`, or the first `word` in or after `line` (from 1).
    """

    code: str
    message: str
    hint: str | None = None
    line: int = 1
    word: str | None = None
    severity: Severity = "error"
    at: int | None = None

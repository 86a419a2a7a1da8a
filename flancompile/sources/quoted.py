"""Read CSV records with quoted values; an unclosed quote is an error.

Python's reader takes all text after an unclosed quote as one value, so rows would be lost silently.
Records over several lines, and the last one, are therefore checked again.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import fail
from flancompile.sources.streams import open_text

__all__ = ["quoted_records"]

_END = re.compile(r"\r\n|\r|\n")


def quoted_records(
    path: Path, options: ReadOptions, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line from 1, values) of each record. Raises FC304."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with open_text(path, options.encoding, options.errors, "") as text:
        for _ in range(options.skip):
            text.readline()
        lines = _RecordLines(text)
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            for values in reader:
                first = reader.line_num + options.skip - len(lines.record) + 1
                if lines.ended or len(lines.record) > 1:
                    _check_quotes(path, lines.record, first, delimiter)
                lines.record = []
                if values:
                    yield first, values
        except csv.Error as error:
            raise fail("FC304", f"{path}:{reader.line_num}: {error}") from None


class _RecordLines:
    """Iterator over lines. record: lines since it was reset; ended: whether the end was read."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self.record, self.ended = text, list[str](), False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline()
        if not line:
            self.ended = True
            raise StopIteration
        self.record.append(line)
        return line


def _check_quotes(path: Path, lines: Sequence[str], first: int, delimiter: str) -> None:
    """Raise FC304 for a quote that is not closed, or only by the opening quote of another value.

    lines: of the record; first: number of its first line.
    """
    record, end = "".join(lines), re.escape(delimiter)
    value = re.compile(rf'"([^"]*(?:""[^"]*)*)("?)([^{end}\r\n]*)|[^{end}\r\n]*')
    place = 0
    while place <= len(record) and (found := value.match(record, place)):
        inside, closed, rest = found.groups()
        runs_on = inside is not None and ("\n" in inside or "\r" in inside)
        if closed == "" or (runs_on and rest.strip()):
            number = first + len(_END.findall(record, 0, place))
            hint = "close the quote, or set `read: {quoting: false}`"
            raise fail("FC304", f"{path}:{number}: a quote opens here and is not closed", hint=hint)
        place = found.end() + 1

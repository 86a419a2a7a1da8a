"""Rows of JSON Lines and JSON; a JSON file may hold several documents, one after another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import fail
from flancompile.sources.rows import BadRow, Row
from flancompile.sources.streams import UNDECODED, is_decoded, numbered_lines, open_text

__all__ = ["json_lines_rows", "json_rows"]

WINDOW = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER_MORE = 3  # characters after a number that may belong to it: `e+5`
_NEAR_END = 16  # of the text read so far: an error there may come of what is not read yet


def json_lines_rows(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """A row for each line that holds a JSON object."""
    values = _Values()
    for number, line in numbered_lines(path, options):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        if not is_decoded(line):
            yield BadRow(UNDECODED, where)
            continue
        try:
            value = values.whole(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(f"not JSON: {error}", where)
            continue
        if not isinstance(value, dict):
            yield BadRow("the line is no JSON object", where)
        elif values.twice is not None:
            yield BadRow(f"two keys are {values.twice!r}", where)
        else:
            yield value


def json_rows(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The objects of the file's documents: items of arrays, or what `rows` leads to.

    Arrays at the top are streamed; with `rows` a document is loaded. Raises FC304 with the place of
    what is not JSON.
    """
    with open_text(path, options.encoding, "strict", "\n") as text:
        documents = _Documents(path, text)
        items = documents.items() if options.rows is None else _led(documents, options.rows)
        for index, value in enumerate(items):
            where = f"{path.name}: item {index}"
            if documents.values.twice is not None:
                yield BadRow(f"two keys are {documents.values.twice!r}", where)
            elif isinstance(value, dict):
                yield value
            elif isinstance(value, list | str | int | float):
                yield {"item": value}
            else:
                yield BadRow("the item is no JSON object", where)


def _led(documents: _Documents, rows: str) -> Iterator[Any]:
    """What a dotted path leads to in each document."""
    for value in documents:
        found = value
        for key in rows.split("."):
            if not isinstance(found, dict) or key not in found:
                is_map = isinstance(found, dict)
                known = ", ".join(list(found)[:12]) if is_map else type(found).__name__
                message = f"`read.rows` names {key!r}; here there is: {known}"
                raise fail("FC304", f"{documents.path}: {message}")
            found = found[key]
        yield from found if isinstance(found, list) else [found]


class _Values:
    """Decodes values. twice: a key that came twice in one object of the last of them."""

    def __init__(self) -> None:
        self.twice: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            self.twice = next(n for n in names if names.count(n) > 1)
        return found

    def whole(self, text: str) -> Any:
        """The value of a text that holds nothing else. Raises ValueError, RecursionError."""
        self.twice = None
        return self._decoder.decode(text)

    def first(self, text: str, place: int) -> tuple[Any, int]:
        """The value that begins at a place, and where it ends. Raises as `whole`."""
        self.twice = None
        return self._decoder.raw_decode(text, place)


class _Documents:
    """The documents of a file, of which only a window is held."""

    def __init__(self, path: Path, text: IO[str]) -> None:
        self.path, self.values = path, _Values()
        self._text, self._buffer, self._place = text, "", 0
        self._ended = False
        self._lines, self._columns = 0, 0  # before the buffer: ends of lines, characters since

    def __iter__(self) -> Iterator[Any]:
        if not self._peek():
            self._refuse("there is no JSON in the file")
        while self._peek():
            yield self._value()

    def items(self) -> Iterator[Any]:
        """Items of arrays at the top, and documents that are no arrays."""
        if not self._peek():
            self._refuse("there is no JSON in the file")
        while char := self._peek():
            if char != "[":
                yield self._value()
                continue
            self._place += 1
            if self._peek() == "]":
                self._place += 1
                continue
            while True:
                yield self._value()
                char = self._peek()
                if char not in (",", "]"):
                    self._refuse(
                        "a `,` or `]` is wanted here" if char else "the array ends too soon"
                    )
                self._place += 1
                if char == "]":
                    break

    def _peek(self) -> str:
        """The next character that is no white space; none at the end."""
        while True:
            self._place = _SPACE.match(self._buffer, self._place).end()  # type: ignore[union-attr]
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if self._ended:
                return ""
            self._more()

    def _more(self) -> None:
        """Take in as much again as is held, and let go of what has been read."""
        held = self._buffer[: self._place]
        ends = held.count("\n")
        self._lines += ends
        self._columns = len(held) - held.rfind("\n") - 1 if ends else self._columns + len(held)
        rest = self._buffer[self._place :]
        more = self._text.read(max(WINDOW, len(rest)))
        self._ended = not more
        self._buffer, self._place = rest + more, 0

    def _value(self) -> Any:
        while True:
            self._peek()
            try:
                value, end = self.values.first(self._buffer, self._place)
            except RecursionError as error:
                self._refuse(f"not JSON: {error}")
            except json.JSONDecodeError as error:
                is_short = error.msg.startswith("Unterminated")
                is_short = is_short or error.pos >= len(self._buffer) - _NEAR_END
                if self._ended or not is_short:
                    self._refuse(f"not JSON: {error.msg}", error.pos)
            except ValueError as error:  # a number of too many digits
                self._refuse(f"not JSON: {error}")
            else:
                is_number = isinstance(value, int | float)
                if self._ended or end + _NUMBER_MORE * is_number < len(self._buffer):
                    self._place = end
                    return value
            self._more()

    def _refuse(self, why: str, place: int | None = None) -> NoReturn:
        before = self._buffer[: self._place if place is None else place]
        line = self._lines + before.count("\n") + 1
        if "\n" in before:
            column = len(before) - before.rfind("\n")
        else:
            column = self._columns + len(before) + 1
        hint = "for one object a line, say `format: jsonl`: what is wrong then costs its line alone"
        raise fail("FC304", f"{self.path}:{line}:{column}: {why}", hint=hint)

"""Read rows of JSON Lines and JSON files; a JSON file may contain several documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
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
_NEAR_END = 16  # characters: an error this near to the end of the text may vanish with more text


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
        elif values.repeated is not None:
            yield BadRow(f"two keys are {values.repeated!r}", where)
        else:
            yield value


def json_rows(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The objects of the file's documents: items of top-level arrays, or those at the path `rows`.

    Top-level arrays are streamed; with `rows` a document is loaded. Raises FC304 with the line and
    column of a syntax error.
    """
    with open_text(path, options.encoding, "strict", "\n") as text:
        documents = _Documents(path, text)
        items = documents.items() if options.rows is None else _at_path(documents, options.rows)
        for index, value in enumerate(items):
            where = f"{path.name}: item {index}"
            if documents.values.repeated is not None:
                yield BadRow(f"two keys are {documents.values.repeated!r}", where)
            elif isinstance(value, dict):
                yield value
            elif isinstance(value, list | str | int | float):
                yield {"item": value}
            else:
                yield BadRow("the item is no JSON object", where)


def _at_path(documents: _Documents, rows: str) -> Iterator[Any]:
    """The values at a dotted path in each document."""
    for value in documents:
        found = value
        for key in rows.split("."):
            if not isinstance(found, dict) or key not in found:
                is_map = isinstance(found, dict)
                known = ", ".join(list(found)[:12]) if is_map else type(found).__name__
                message = f"`read.rows` names {key!r}; the file has {known}"
                raise fail("FC304", f"{documents.path}: {message}")
            found = found[key]
        yield from found if isinstance(found, list) else [found]


_PLAIN = json.JSONDecoder()
_COLONS = re.compile(r'"[ \t\r\n]*:')  # one for each key; strings may contain more


def _keys(value: Any) -> int:
    """Number of keys of all objects in a JSON value."""
    if type(value) is dict:
        nested = (v for v in value.values() if type(v) is dict or type(v) is list)
        return len(value) + sum(map(_keys, nested))
    if type(value) is list and value and type(value[0]) in (dict, list):
        return sum(map(_keys, value))
    return 0


class _Values:
    """JSON decoder. repeated: a key that is twice in one object of the last value."""

    def __init__(self) -> None:
        self.repeated: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            self.repeated = next(n for n in names if names.count(n) > 1)
        return found

    def whole(self, text: str) -> Any:
        """Decode a text with a single value. Raises ValueError, RecursionError."""
        self.repeated = None
        value = _PLAIN.decode(text)
        with suppress(RecursionError):
            if _keys(value) == len(_COLONS.findall(text)):  # all keys are there: none is repeated
                return value
        return self._decoder.decode(text)

    def first(self, text: str, place: int) -> tuple[Any, int]:
        """Decode the value at a place. -> (value, its end). Raises ValueError, RecursionError."""
        self.repeated = None
        return self._decoder.raw_decode(text, place)


class _Documents:
    """The documents of a file, read through a window."""

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
        """Items of top-level arrays, and documents that are not arrays."""
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
                        "a `,` or `]` is expected here" if char else "the array ends too soon"
                    )
                self._place += 1
                if char == "]":
                    break

    def _peek(self) -> str:
        """The next character after white space; empty at the end."""
        while True:
            self._place = _SPACE.match(self._buffer, self._place).end()  # type: ignore[union-attr]
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if self._ended:
                return ""
            self._more()

    def _more(self) -> None:
        """Read at least as much text as is left in the window, and drop the text before it."""
        consumed = self._buffer[: self._place]
        ends = consumed.count("\n")
        self._lines += ends
        last = len(consumed) - consumed.rfind("\n") - 1
        self._columns = last if ends else self._columns + len(consumed)
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
            except ValueError as error:  # a number with too many digits
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
        hint = "for one object per line, set `format: jsonl`; a mistake then drops only its line"
        raise fail("FC304", f"{self.path}:{line}:{column}: {why}", hint=hint)

"""Readers: each yields a file's rows as mappings, in file order, without loading the file.

A row that cannot be read is a `BadRow` with its reason and place, and the rest goes on. What makes
the whole file unreadable raises FC301 to FC304.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from xml.etree import ElementTree

from flancompile.dsl.source import Format, ReadOptions, format_by_name, unknown_option
from flancompile.errors import fail
from flancompile.sources.instructions import instruction_rows
from flancompile.sources.quoted import quoted_records
from flancompile.sources.streams import is_decoded, open_bytes, open_text

__all__ = ["BadRow", "Row", "format_of", "read_rows"]

Row = dict[str, Any]
WINDOW = 1 << 20
UNDECODED = "bytes that are not in the file's encoding"


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read: why, and where."""

    reason: str
    where: str


def format_of(path: Path, declared: Format | None) -> Format:
    """The declared format, or the one that the extension tells. Raises FC303."""
    if declared is not None:
        return declared
    found = format_by_name(path.name)
    if found is None:
        hint = f"say `format:` ({', '.join(sorted(_READERS))})"
        raise fail("FC303", f"{path}: the extension does not tell the format", hint=hint)
    return found


def read_rows(path: Path, format_: Format, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The rows of one file. Raises FC303 for an option that the format does not know."""
    if (why := unknown_option(options.model_fields_set, format_)) is not None:
        raise fail("FC303", f"{path}: {why}")
    return _READERS[format_](path, options)


def _lines(path: Path, options: ReadOptions) -> Iterator[tuple[int, str]]:
    """(number from 1, text without its end) of each line; only U+000A ends a line."""
    with open_text(path, options.encoding, options.errors, "\n") as text:
        for number, line in enumerate(text, 1):
            if number > options.skip:
                yield number, line.removesuffix("\n").removesuffix("\r")


def _jsonl(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    for number, line in _lines(path, options):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        if not is_decoded(line):
            yield BadRow(UNDECODED, where)
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(f"not JSON: {error}", where)
            continue
        yield value if isinstance(value, dict) else BadRow("the line is no JSON object", where)


def _json(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """A top-level array is streamed; an object is loaded, whole or at `rows`."""
    with open_text(path, options.encoding, "strict", "\n") as text:
        head = text.read(WINDOW)
        if options.rows is None and head.lstrip()[:1] == "[":
            values = _array_items(path, text, head)
        else:
            values = iter(_loaded(path, head + text.read(), options.rows))
        for index, value in enumerate(values):
            if isinstance(value, dict):
                yield value
            else:
                yield (
                    {"item": value}
                    if isinstance(value, list | str | int | float)
                    else BadRow("the item is no JSON object", f"{path.name}: item {index}")
                )


def _array_items(path: Path, text: IO[str], buffer: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    place = buffer.index("[") + 1
    ended = False
    while True:
        while place < len(buffer) and buffer[place] in " \t\r\n,":
            place += 1
        if place < len(buffer) and buffer[place] == "]":
            return
        try:
            value, end = decoder.raw_decode(buffer, place)
            whole = end < len(buffer) or ended
        except RecursionError as error:
            raise fail("FC304", f"{path}: not JSON: {error}") from None
        except ValueError as error:
            if ended:
                raise fail("FC304", f"{path}: not JSON: {error}") from None
            whole = False
        if whole:
            yield value
            place = end
            continue
        more = text.read(max(WINDOW, len(buffer) - place))
        ended = not more
        if ended and not buffer[place:].strip():
            raise fail("FC304", f"{path}: the array ends too soon")
        buffer, place = buffer[place:] + more, 0


def _loaded(path: Path, text: str, rows: str | None) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fail("FC304", f"{path}: not JSON: {error}") from None
    for key in rows.split(".") if rows else ():
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(list(value)[:12]) if isinstance(value, dict) else type(value).__name__
            raise fail("FC304", f"{path}: `read.rows` names {key!r}; here there is: {known}")
        value = value[key]
    return value if isinstance(value, list) else [value]


def _delimited(
    path: Path, options: ReadOptions, delimiter: str, quoting: bool
) -> Iterator[Row | BadRow]:
    delimiter = options.delimiter or delimiter
    quoting = quoting if options.quoting is None else options.quoting
    lines = (
        quoted_records(path, options, delimiter) if quoting else _unquoted(path, options, delimiter)
    )
    names = list(options.columns) if options.columns else None
    if options.header:
        first = next(lines, None)
        if first is None:
            return
        names = names or first[1]
    for number, values in lines:
        where = f"{path.name}:{number}"
        names = names or [f"column{i}" for i in range(1, len(values) + 1)]
        if len(values) != len(names):
            yield BadRow(f"{len(values)} values for {len(names)} columns", where)
        elif not all(map(is_decoded, values)):
            yield BadRow(UNDECODED, where)
        else:
            values = [_unescape(v) for v in values] if options.unescape else values
            yield dict(zip(names, values, strict=True))


def _unquoted(path: Path, options: ReadOptions, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in _lines(path, options):
        if line:
            yield number, line.split(delimiter)


def _unescape(value: str) -> str:
    if "\\" not in value:
        return value
    out, escaped = [], False
    for char in value:
        if escaped:
            out.append({"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}.get(char, "\\" + char))
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out.append(char)
    return "".join(out) + ("\\" if escaped else "")


def _csv(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    return _delimited(path, options, ",", quoting=True)


def _tsv(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    return _delimited(path, options, "\t", quoting=False)


def _text(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    if options.lines is not None or options.blank:
        yield from _line_groups(path, options)
        return
    if options.whole:
        text = "\n".join(line for _, line in _lines(path, options))
        yield {"text": text} if is_decoded(text) else BadRow(UNDECODED, path.name)
        return
    for number, line in _lines(path, options):
        yield {"text": line} if is_decoded(line) else BadRow(UNDECODED, f"{path.name}:{number}")


def _line_groups(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """Rows of several lines: so many each, or those between blank lines."""
    held: list[str] = []
    number = 0
    for number, line in _lines(path, options):
        if line.strip() or not options.blank:
            held.append(line)
        if held and (not line.strip() if options.blank else len(held) == options.lines):
            yield _grouped(held, f"{path.name}:{number}")
            held = []
    if held and options.blank:
        yield _grouped(held, f"{path.name}:{number}")
    elif any(line.strip() for line in held):
        yield BadRow(f"the last {len(held)} lines are fewer than a row's", f"{path.name}:{number}")


def _grouped(lines: list[str], where: str) -> Row | BadRow:
    return {"lines": lines} if all(map(is_decoded, lines)) else BadRow(UNDECODED, where)


def _parquet(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise fail("FC304", f"{path}: not Parquet, or damaged: {error}") from None


def _arrow(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            try:
                reader = pa.ipc.open_file(source)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            except pa.ArrowInvalid:
                source.seek(0)
                batches = iter(pa.ipc.open_stream(source))
            for batch in batches:
                batch.validate(full=True)  # what is not sound would end the process when it is read
                for start in range(0, len(batch), 1024):
                    yield from batch.slice(start, 1024).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise fail("FC304", f"{path}: not Arrow IPC, or damaged: {error}") from None


def _xml(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The elements at the path `rows`: attributes by name, children by tag, text as `text`.

    A child without attributes or children is its text; a tag that is repeated gives a list.
    """
    if options.rows is None:
        raise fail("FC303", f"{path}: XML needs `read: {{rows: path/of/the/row}}`")
    wanted = options.rows.strip("/").replace(".", "/").split("/")
    stack: list[str] = []
    open_: list[ElementTree.Element] = []
    with open_bytes(path) as stream:
        try:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                if event == "start":
                    stack.append(element.tag)
                    open_.append(element)
                    continue
                open_.pop()
                if stack[-len(wanted) :] == wanted:
                    value = _element(element)
                    yield value if isinstance(value, dict) else {"text": value}
                    element.clear()
                    if open_:  # what was read is let go, or a long file would not fit
                        open_[-1].remove(element)
                stack.pop()
        except ElementTree.ParseError as error:
            raise fail("FC304", f"{path}: not XML: {error}") from None


def _element(element: ElementTree.Element) -> Any:
    text = (element.text or "").strip()
    if not element.attrib and not len(element):
        return element.text or ""
    found: Row = dict(element.attrib)
    for child in element:
        value = _element(child)
        if child.tag in found and child.tag not in element.attrib:
            before = found[child.tag]
            found[child.tag] = (
                [*before, value] if isinstance(before, _Repeated) else _Repeated([before, value])
            )
            found[child.tag] = _Repeated(found[child.tag])
        else:
            found[child.tag] = value
    if text:
        found["text"] = text
    return {k: list(v) if isinstance(v, _Repeated) else v for k, v in found.items()}


class _Repeated(list[Any]):
    """Values of a tag that came more than once; apart from values that are lists themselves."""


def _natural_instructions(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    for row in instruction_rows(path, options.encoding):
        texts = (row["input"], *row["outputs"])
        yield row if all(map(is_decoded, texts)) else BadRow(UNDECODED, f"{path.name}: {row['id']}")


_READERS: dict[Format, Callable[[Path, ReadOptions], Iterator[Row | BadRow]]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "tsv": _tsv,
    "text": _text,
    "parquet": _parquet,
    "arrow": _arrow,
    "xml": _xml,
    "natural_instructions": _natural_instructions,
}


def explode(row: Row, path: Sequence[str]) -> Iterator[Row | BadRow]:
    """The innermost items at a path of lists, each with its parents' columns; inner names win."""
    if not path:
        yield row
        return
    key, rest = path[0], path[1:]
    if key not in row:
        yield BadRow(f"explode: no {key!r}", "")
        return
    others = {k: v for k, v in row.items() if k != key}
    value = row[key]
    items = value if isinstance(value, list) else [value]
    for item in items:
        inner = {**others, **item} if isinstance(item, dict) else {**others, key: item}
        yield from explode(cast(Row, inner), rest)

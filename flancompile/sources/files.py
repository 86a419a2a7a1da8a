"""Readers of file formats: rows as mappings, in file order, without loading the file.

A row that cannot be read is a `BadRow` with reason and place, and reading continues. An unreadable
file raises FC301 to FC304.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from flancompile.dsl.models.source import Format, ReadOptions, format_by_name, unknown_option
from flancompile.errors import fail
from flancompile.sources.instructions import instruction_rows
from flancompile.sources.json_rows import json_lines_rows, json_rows
from flancompile.sources.quoted import quoted_records
from flancompile.sources.rows import EVERY_COLUMN, BadRow, Projection, Row
from flancompile.sources.streams import UNDECODED, is_decoded, numbered_lines, open_bytes

__all__ = ["explode", "format_of", "read_rows"]


def format_of(path: Path, declared: Format | None) -> Format:
    """The declared format, or that of the extension. Raises FC303."""
    if declared is not None:
        return declared
    found = format_by_name(path.name)
    if found is None:
        hint = f"set `format:` ({', '.join(sorted({*_READERS, *_BY_COLUMN}))})"
        raise fail("FC303", f"{path}: unknown file extension", hint=hint)
    return found


def read_rows(
    path: Path, format_: Format, options: ReadOptions, projection: Projection = EVERY_COLUMN
) -> Iterator[Row | BadRow]:
    """The rows of one file. Raises FC303 for an option that the format does not have.

    projection: columns to read, for formats that can read single columns.
    """
    if (why := unknown_option(options.model_fields_set, format_)) is not None:
        raise fail("FC303", f"{path}: {why}")
    if format_ in _BY_COLUMN:
        return _BY_COLUMN[format_](path, options, projection)
    return _READERS[format_](path, options)


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
        names = names or _header(path, *first)
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


def _header(path: Path, number: int, names: list[str]) -> list[str]:
    """Names of columns, `columnN` for an empty one. Raises FC304 for repeated names."""
    found = [n or f"column{i}" for i, n in enumerate(names, 1)]
    seen: dict[str, int] = {}
    for place, name in enumerate(found, 1):
        if name in seen:
            why = f"columns {seen[name]} and {place} are both named {name!r}"
            hint = (
                "name them with `read: {columns: [...]}`; add `header: false` if the first line is "
                "a row"
            )
            raise fail("FC304", f"{path}:{number}: {why}", hint=hint)
        seen[name] = place
    return found


def _unquoted(path: Path, options: ReadOptions, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in numbered_lines(path, options):
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
        text = "\n".join(line for _, line in numbered_lines(path, options))
        yield {"text": text} if is_decoded(text) else BadRow(UNDECODED, path.name)
        return
    for number, line in numbered_lines(path, options):
        yield {"text": line} if is_decoded(line) else BadRow(UNDECODED, f"{path.name}:{number}")


def _line_groups(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """Rows of several lines: a fixed number of lines, or those between blank lines."""
    lines: list[str] = []
    number = 0
    for number, line in numbered_lines(path, options):
        if line.strip() or not options.blank:
            lines.append(line)
        if lines and (not line.strip() if options.blank else len(lines) == options.lines):
            yield _grouped(lines, f"{path.name}:{number}")
            lines = []
    if lines and options.blank:
        yield _grouped(lines, f"{path.name}:{number}")
    elif any(line.strip() for line in lines):
        yield BadRow(f"the last {len(lines)} lines are fewer than a row's", f"{path.name}:{number}")


def _grouped(lines: list[str], where: str) -> Row | BadRow:
    return {"lines": lines} if all(map(is_decoded, lines)) else BadRow(UNDECODED, where)


def _parquet(path: Path, options: ReadOptions, projection: Projection) -> Iterator[Row | BadRow]:
    from flancompile.sources.arrow_rows import parquet_rows

    return parquet_rows(path, projection)


def _arrow(path: Path, options: ReadOptions, projection: Projection) -> Iterator[Row | BadRow]:
    from flancompile.sources.arrow_rows import arrow_rows

    return arrow_rows(path, projection)


def _xml(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The elements at the path `rows`: attributes by name, children by tag, text as `text`.

    A child without attributes or children is its text; a repeated tag is a list. With text between
    children (`a <b>c</b> d`), `text` is the whole text, that of the children included. A row in
    which two of these have one name is a `BadRow`.
    """
    if options.rows is None:
        raise fail("FC303", f"{path}: XML needs `read: {{rows: path/of/the/row}}`")
    row_path = options.rows.strip("/").replace(".", "/").split("/")
    stack: list[str] = []
    open_: list[ElementTree.Element] = []
    number = 0
    with open_bytes(path) as stream:
        try:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                if event == "start":
                    stack.append(element.tag)
                    open_.append(element)
                    continue
                open_.pop()
                if stack[-len(row_path) :] == row_path:
                    number += 1
                    yield _xml_row(element, f"{path.name}: {row_path[-1]} {number}")
                    element.clear()
                    if open_:  # free the elements already read, for files larger than memory
                        open_[-1].remove(element)
                stack.pop()
        except ElementTree.ParseError as error:
            raise fail("FC304", f"{path}: not XML: {error}") from None


def _xml_row(element: ElementTree.Element, where: str) -> Row | BadRow:
    try:
        value = _element(element)
    except ValueError as error:
        return BadRow(str(error), where)
    return value if isinstance(value, dict) else {"text": value}


def _element(element: ElementTree.Element) -> Any:
    """The value of an element. Raises ValueError if two of its parts have one name."""
    if not element.attrib and not len(element):
        return element.text or ""
    found: Row = dict(element.attrib)
    for child in element:
        value = _element(child)
        before = found.get(child.tag)
        if child.tag in element.attrib:
            raise ValueError(f"{child.tag!r} is an attribute and an element of <{element.tag}>")
        if child.tag not in found:
            found[child.tag] = value
        else:
            more = before if isinstance(before, _Repeated) else [before]
            found[child.tag] = _Repeated([*more, value])
    is_mixed = any((child.tail or "").strip() for child in element)
    text = ("".join(element.itertext()) if is_mixed else element.text or "").strip()
    if text and "text" in found:
        raise ValueError(f"'text' is a part of <{element.tag}>, which has a text of its own too")
    if text:
        found["text"] = text
    return {k: list(v) if isinstance(v, _Repeated) else v for k, v in found.items()}


class _Repeated(list[Any]):
    """Values of a repeated tag, as distinct from a value that is a list."""


def _natural_instructions(path: Path, options: ReadOptions) -> Iterator[Row | BadRow]:
    for row in instruction_rows(path, options.encoding):
        texts = (row["input"], *row["outputs"])
        yield row if all(map(is_decoded, texts)) else BadRow(UNDECODED, f"{path.name}: {row['id']}")


_BY_COLUMN: dict[Format, Callable[[Path, ReadOptions, Projection], Iterator[Row | BadRow]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
}
_READERS: dict[Format, Callable[[Path, ReadOptions], Iterator[Row | BadRow]]] = {
    "jsonl": json_lines_rows,
    "json": json_rows,
    "csv": _csv,
    "tsv": _tsv,
    "text": _text,
    "xml": _xml,
    "natural_instructions": _natural_instructions,
}


def explode(row: Row, path: Sequence[str]) -> Iterator[Row | BadRow]:
    """Rows for the innermost items at a path of lists, with their parents' columns.

    An inner name replaces an outer one.
    """
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

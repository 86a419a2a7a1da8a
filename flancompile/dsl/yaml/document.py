"""YAML with source positions: plain data, and the span of every key and value.

PyYAML's C parser composes nodes with marks; the data and the spans come from one walk over them.
The scalars follow YAML 1.2's core schema, so `yes`, `no` and `on` are text, as an author of answer
options means them, and not booleans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from flancompile.dsl.jinja.places import occurrences, spots
from flancompile.dsl.jinja.tokens import Part
from flancompile.dsl.yaml.syntax import QUOTES, syntax_diagnostic
from flancompile.errors import Diagnostic, FlancompileError, Span

__all__ = [
    "SCALARS",
    "Document",
    "Index",
    "Key",
    "decoded",
    "parse",
    "read",
    "read_bytes",
    "read_text",
]

Key = tuple[str | int, ...]


class _Loader(yaml.CSafeLoader):
    """Loader of YAML 1.2 core scalars over the C parser; other tags are errors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    yaml_constructors = {
        tag: build
        for tag, build in yaml.CSafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("null", "str", "seq", "map")
    }


SCALARS = (  # type, form, first characters
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
)
for _tag, _pattern, _first in SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def _scalar(kind: str, read: Callable[[str], object]) -> Callable[[Any, yaml.Node], object]:
    """Constructor of scalars of one type; invalid ones are reported at their position."""

    def build(loader: Any, node: yaml.Node) -> object:
        text = str(loader.construct_scalar(node))
        try:
            return read(text)
        except (ValueError, KeyError):
            message = f"{text if len(text) < 40 else text[:37] + '...'!r} is no {kind}"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from None

    return build


_BOOLEANS = {"true": True, "false": False}
for _tag, _kind, _read in (
    ("int", "whole number", int),
    ("float", "number", float),
    ("bool", "boolean", lambda text: _BOOLEANS[text.lower()]),
):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _scalar(_kind, _read))

MAX_DEPTH = 100  # lists and maps within one another


@dataclass
class Index:
    """Spans of a file's keys and values."""

    lines: list[str]
    values: dict[Key, Span] = field(default_factory=dict)
    keys: dict[Key, Span] = field(default_factory=dict)


@dataclass
class Document:
    """A parsed file: `data`, and the spans of its parts, computed on first use.

    partial: whether invalid parts were removed from the data.
    """

    path: str
    data: Any
    text: str = ""
    digest: bytes = b""
    partial: bool = False

    @cached_property
    def index(self) -> Index:
        """Spans of the file's parts."""
        return parse(self.text, self.path).index

    def span(self, key: Key, *, of_key: bool = False) -> Span:
        """The span of the value (or key) at `key`, or of its nearest parent with a span.

        Components that are not keys of the file, such as union members' names, are skipped.
        """
        spot = self._written(key)
        if of_key and spot in self.index.keys:
            return self.index.keys[spot]
        return self.index.values.get(spot, Span(self.path, 1, 1, 1, 1))

    def _written(self, key: Key) -> Key:
        """The key as the file has it, without the components that it lacks, such as the place in a
        list of a single item that is written without the list."""
        spot: Key = ()
        for part in key:
            if (*spot, part) in self.index.values:
                spot = (*spot, part)
        return spot

    def value(self, key: Key) -> Any:
        """The value at `key`, or None."""
        found = self.data
        for part in key:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def spot(self, key: Key, start: int, length: int = 1) -> Span:
        """The span of characters of the text at `key`; the whole text's if they are not found."""
        key = self._written(key)
        whole, text = self.span(key), self.value(key)
        known = isinstance(text, str) and key in self.index.values
        places = spots(self.index.lines, whole, text) if known else None
        if places is None or start + length > len(places):
            return whole
        line, column = places[start]
        last_line, last = places[start + length - 1]
        return Span(self.path, line, column, line, (last if last_line == line else column) + 1)

    def every(self, key: Key, word: str, part: Part | None = None) -> list[Span]:
        """The spans of a word in the text at `key`, or of an item of a list; else the whole span.

        part: the word's syntactic role.
        """
        key = self._written(key)
        text = self.value(key)
        if isinstance(text, list) and word in text:
            return [self.span((*key, place)) for place, item in enumerate(text) if item == word]
        found = occurrences(text, word, part) if isinstance(text, str) else []
        return [self.spot(key, start, len(word)) for start in found] or [self.span(key)]

    def find(self, key: Key, word: str, part: Part | None = None) -> Span:
        """The first of `every`."""
        return self.every(key, word, part)[0]

    def place(
        self, key: Key, text_line: int = 1, word: str | None = None, part: Part | None = None
    ) -> Span:
        """The span of a line of the text at `key` (from 1), or of a word in or after that line."""
        key = self._written(key)
        text = self.value(key)
        if not isinstance(text, str):
            return self.span(key)
        lines = text.split("\n")[: max(1, text_line)]
        first = sum(len(line) + 1 for line in lines[:-1])
        if word is not None and (found := occurrences(text, word, part)):
            start = next((place for place in found if place >= first), found[-1])
            return self.spot(key, start, len(word))
        if len(lines) == 1 and "\n" not in text:
            return self.span(key)
        inside = lines[-1].strip()
        return self.spot(key, first + lines[-1].find(inside), max(1, len(inside)))


def read(path: Path) -> Document:
    """Parse a YAML file. Raises FC101 for invalid YAML, FC102 for a duplicate key."""
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """A file's text. Raises FC101 if it cannot be read or is not UTF-8."""
    return decoded(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises FC101 if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        span = Span(str(path), 1, 1, 1, 1)
        message = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
        hint = "fix it, or remove it from the library, whose *.yaml files are all read"
        raise FlancompileError([Diagnostic("FC101", message, span, hint)]) from error


def decoded(raw: bytes, path: Path) -> str:
    """Decode a file's bytes. Raises FC101 if they are not UTF-8."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        span = Span(str(path), line, 1, line, 1)
        raise FlancompileError(
            [Diagnostic("FC101", "the file is not UTF-8 text", span, "save it as UTF-8")]
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str, path: str) -> Document:
    """Parse YAML text; `path` names the file in diagnostics. Errors as for `read`."""
    if (line := _too_deep(text)) is not None:
        raise FlancompileError([_depth(Span(path, line, 1, line, 1))])
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        document = Document(path, None, text)
        document.index = Index(text.splitlines())
        if node is None:
            return document
        faults = list(_walk(loader, node, (), document, ()))
        if faults:
            raise FlancompileError(faults)
        document.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise FlancompileError([syntax_diagnostic(error, path, text, _Loader)]) from error
    except yaml.reader.ReaderError as error:
        before = text.encode("utf-8", "replace")[: error.position].decode("utf-8", "ignore")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"character U+{int(error.character):04X} is not allowed in YAML"
        span = Span(path, line, column, line, column + 1)
        hint = 'remove it; in "double quotes" write it as \\x and two digits'
        raise FlancompileError([Diagnostic("FC101", message, span, hint)]) from error
    finally:
        loader.dispose()
    return document


def _too_deep(text: str) -> int | None:
    """The line where brackets are nested too deeply for the parser, or None."""
    if text.count("[") + text.count("{") < 1000:
        return None
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text):
        depth = max(0, depth + (1 if match[0] in "[{" else -1))
        if depth == 1000:
            return text.count("\n", 0, match.start()) + 1
    return None


def _depth(span: Span) -> Diagnostic:
    message = f"lists and maps are nested more than {MAX_DEPTH} deep"
    return Diagnostic("FC101", message, span, "no key of the language needs such depth")


def _walk(
    loader: Any, node: yaml.Node, key: Key, document: Document, above: tuple[yaml.Node, ...]
) -> Iterator[Diagnostic]:
    span = document.index.values[key] = _span(node, document.path)
    if isinstance(node, yaml.ScalarNode):
        return
    if node in above:
        message = "an alias is inside of the value that it names"
        yield Diagnostic("FC101", message, span, "remove the alias")
        return
    if len(above) > MAX_DEPTH:
        yield _depth(span)
        return
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(loader, item, (*key, index), document, above)
        return
    for name_node, item in node.value:
        if name_node.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(name_node, yaml.ScalarNode):
            yield _no_key(node, name_node, document)
            return
        name = loader.construct_object(name_node, deep=True)
        spot = (*key, name)
        if spot in document.index.keys:
            first = document.index.keys[spot].line
            message = f"the key {name!r} occurs twice; the first is in line {first}"
            found = _span(name_node, document.path)
            yield Diagnostic("FC102", message, found, "keep one of them")
            continue  # its inner keys are usually duplicates too
        document.index.keys[spot] = _span(name_node, document.path)
        yield from _walk(loader, item, spot, document, above)


def _no_key(node: yaml.Node, name: yaml.Node, document: Document) -> Diagnostic:
    """Diagnostic of a list or map as a key, usually an unquoted slot, `{{ x }}`."""
    span = _span(name, document.path)
    line, column = node.start_mark.line, node.start_mark.column
    if document.index.lines[line][column : column + 2] == "{{":
        slot = Span(document.path, line + 1, column + 1, line + 1, column + 3)
        return Diagnostic("FC101", "not YAML: {{ begins a map", slot, QUOTES)
    kind = "map" if isinstance(name, yaml.MappingNode) else "list"
    return Diagnostic("FC101", f"not YAML: a {kind} as a key", span, "a key must be text")


def _span(node: yaml.Node, path: str) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

"""YAML with places: plain data, and the span of every key and value in it.

PyYAML's C parser composes nodes with marks; the data and the spans come from one walk over them.
The scalars follow YAML 1.2's core schema, so `yes`, `no` and `on` are text, as an author of answer
options means them, and not booleans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from flancompile.errors import Diagnostic, FlancompileError, Span

__all__ = ["Document", "Key", "parse", "read"]

Key = tuple[str | int, ...]


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 core scalars over the C parser."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass
class Index:
    """Where each part of a file stands, and which texts are written as blocks."""

    lines: list[str]
    values: dict[Key, Span] = field(default_factory=dict)
    keys: dict[Key, Span] = field(default_factory=dict)
    blocks: set[Key] = field(default_factory=set)


@dataclass
class Document:
    """A parsed file: `data`, and where each part of it stands (found when it is asked for)."""

    path: str
    data: Any
    text: str = ""
    digest: bytes = b""

    @cached_property
    def index(self) -> Index:
        """The places of the file's parts."""
        return parse(self.text, self.path).index

    def span(self, key: Key, *, of_key: bool = False) -> Span:
        """The span of the value (or the key) at `key`, or of its nearest parent that has one.

        Parts that are no keys of the file (names of union members in a model's error) are skipped.
        """
        spot: Key = ()
        for part in key:
            if (*spot, part) in self.index.values:
                spot = (*spot, part)
        if of_key and spot in self.index.keys:
            return self.index.keys[spot]
        return self.index.values.get(spot, Span(self.path, 1, 1, 1, 1))

    def place(self, key: Key, text_line: int = 1, word: str | None = None) -> Span:
        """The span of a line of the text at `key` (from 1), or of a word in or after that line."""
        if word is not None:
            found = self.find(key, word, text_line)
            if found != self.span(key):
                return found
        whole = self.span(key)
        if key not in self.index.blocks:
            return whole
        line = min(whole.line + text_line, len(self.index.lines))
        text = self.index.lines[line - 1]
        return Span(self.path, line, len(text) - len(text.lstrip()) + 1, line, len(text) + 1)

    def find(self, key: Key, needle: str, text_line: int = 1) -> Span:
        """The span of `needle` within the text at `key`, from line `text_line` of that text on.

        Falls back to the whole text's span, where the YAML writes the text in another form.
        """
        whole = self.span(key)
        first = whole.line + (text_line if key in self.index.blocks else 0)
        word = rf"(?<!\w){re.escape(needle)}(?!\w)" if needle.isidentifier() else re.escape(needle)
        for pattern in (rf"\{{[{{%][^}}]*?({word})", f"({word})"):
            for line in range(first, min(whole.end_line, len(self.index.lines)) + 1):
                start = whole.column - 1 if line == whole.line else 0
                if match := re.compile(pattern).search(self.index.lines[line - 1], start):
                    return Span(self.path, line, match.start(1) + 1, line, match.end(1) + 1)
        return whole


def read(path: Path) -> Document:
    """Parse a YAML file. Raises FC101 for what is no YAML, FC102 for a key given twice."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        span = Span(str(path), line, 1, line, 1)
        raise FlancompileError(
            [Diagnostic("FC101", "the file is not UTF-8 text", span, "save it as UTF-8")]
        ) from error
    return parse(text, str(path))


def parse(text: str, path: str) -> Document:
    """Parse YAML text; `path` is what its places are called by. Errors as for `read`."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        document = Document(path, None, text)
        document.index = Index(text.splitlines())
        if node is None:
            return document
        twice = list(_walk(loader, node, (), document))
        if twice:
            raise FlancompileError(twice)
        document.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise FlancompileError([_syntax(error, path)]) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"character U+{ord(text[error.position]):04X} may not stand in YAML"
        span = Span(path, line, 1, line, 1)
        raise FlancompileError([Diagnostic("FC101", message, span)]) from error
    finally:
        loader.dispose()
    return document


def _syntax(error: yaml.MarkedYAMLError, path: str) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    if "end of stream" in str(error.problem) and error.context_mark is not None:
        mark = error.context_mark  # where the quote or bracket was opened
    span = None
    if mark is not None:
        span = Span(path, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
    parts = [p for p in (error.context, error.problem) if p]
    hint = None
    if "mapping values are not allowed" in str(error.problem):
        hint = "text with a colon and a space needs quotes"
    elif "quoted scalar" in str(error.context):
        hint = "the quote that opens here is never closed"
    elif (
        "cannot start any token" in str(error.problem)
        or "flow" in str(error.context)
        or "expected key" in str(error.problem)
    ):
        hint = "text that begins with {, [, % or @ needs quotes"
    return Diagnostic("FC101", f"not YAML: {', '.join(parts)}", span, hint)


def _walk(loader: Any, node: yaml.Node, key: Key, document: Document) -> Iterator[Diagnostic]:
    document.index.values[key] = _span(node, document.path)
    if isinstance(node, yaml.ScalarNode):
        if node.style in ("|", ">"):
            document.index.blocks.add(key)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(loader, item, (*key, index), document)
    elif isinstance(node, yaml.MappingNode):
        for name_node, item in node.value:
            if name_node.tag == "tag:yaml.org,2002:merge":
                continue
            name = loader.construct_object(name_node, deep=True)
            spot = (*key, name)
            span = _span(name_node, document.path)
            if spot in document.index.keys:
                first = document.index.keys[spot].line
                message = f"the key {name!r} is given twice; the first is in line {first}"
                yield Diagnostic("FC102", message, span, "keep one of them")
            document.index.keys[spot] = span
            yield from _walk(loader, item, spot, document)


def _span(node: yaml.Node, path: str) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

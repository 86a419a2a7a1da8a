"""Format YAML canonically; data and comments are unchanged.

Two spaces of indentation, indented sequences, double quotes (single ones about quotes and
backslashes), texts of several lines as blocks. Keys stay in their order, and flow and folded texts
are unchanged. A file is left as it is if its formatted text would have other data, or comments at
other words.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from flancompile.dsl.yaml import document as yaml
from flancompile.errors import FlancompileError

__all__ = ["format_file", "formatted"]


def formatted(text: str, path: str = "") -> str:
    """The text in its canonical form; formatting that again changes nothing.

    Raises FC101 and FC102 for invalid YAML. Texts whose block would end in white space are
    unchanged, and so is a file without data, or one whose data or comments would change.
    """
    from ruamel.yaml.error import YAMLError

    before = yaml.parse(text, path).data
    if before is None:
        return text
    try:
        found = _written(text)
        rewritten = _written(found)
    except YAMLError:  # of the writer's own parser, which is stricter
        return text
    if rewritten != found:
        found = rewritten
    try:
        same = yaml.parse(found, path).data == before
    except FlancompileError:
        same = False
    return found if same and _comments(found) == _comments(text) else text


_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)


def _comments(text: str) -> list[tuple[str, int, bool]]:
    """Each comment, the number of words before it, and whether the last word is on its line."""
    words = [(0, 0, ""), *_words(text), (len(text), len(text), "")]
    found = []
    for number, ((_, before, _), (start, end, style)) in enumerate(pairwise(words)):
        if style:  # a block's own comment is on its first line
            end = text.find("\n", start)
        for match in _COMMENT.finditer(text, before, end if style else start):
            is_trailing = "\n" not in text[before : match.start()] or match.start() > start
            found.append((match[0].rstrip(), number + (match.start() > start), is_trailing))
    return found


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Start and end of the file's tokens, in characters, and the marker of each block."""
    import yaml as pyyaml

    for token in pyyaml.scan(text, Loader=pyyaml.SafeLoader):
        start, end = token.start_mark.index, token.end_mark.index
        style = getattr(token, "style", None)
        if start < end:
            yield start, end, style if style in ("|", ">") else ""


def _written(text: str) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import (
        DoubleQuotedScalarString,
        FoldedScalarString,
        LiteralScalarString,
        SingleQuotedScalarString,
    )

    engine = YAML()
    engine.width = 4096  # lines are the author's: a folded text would be another text
    engine.indent(mapping=2, sequence=4, offset=2)
    engine.preserve_quotes = True
    engine.allow_duplicate_keys = False

    def styled(value: Any, flow: bool) -> Any:
        if isinstance(value, dict):
            inside = flow or _is_flow(value)
            for key in value:
                value[key] = styled(value[key], inside)
        elif isinstance(value, list):
            inside = flow or _is_flow(value)
            for place, item in enumerate(value):
                value[place] = styled(item, inside)
        elif isinstance(value, str) and not isinstance(value, FoldedScalarString):
            if "\n" in value and not flow and _fits_block(value):
                return (
                    value if isinstance(value, LiteralScalarString) else LiteralScalarString(value)
                )
            if type(value) is not str and not isinstance(value, LiteralScalarString):
                single = {'"', "\\"} & set(value) and value.isprintable()
                return (SingleQuotedScalarString if single else DoubleQuotedScalarString)(value)
        return value

    data = engine.load(text)
    out = io.StringIO()
    engine.dump(styled(data, False), out)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip("\n") + "\n"


def _is_flow(value: Any) -> bool:
    format_ = getattr(value, "fa", None)
    return format_ is not None and bool(format_.flow_style())


def _fits_block(text: str) -> bool:
    """Whether a literal block can represent the text exactly."""
    lines = text.split("\n")
    plain = all(line == line.rstrip() for line in lines) and text == text.lstrip()
    return plain and all(c.isprintable() or c == "\n" for c in text)


def format_file(path: Path) -> tuple[str, str]:
    """A file's text, and the text in canonical form. Raises FC101 and FC102."""
    text = yaml.read_text(path)
    return text, formatted(text, str(path))

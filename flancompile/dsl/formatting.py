"""One canonical form for authors' YAML that keeps comments, and the meaning to the last character.

Two spaces of indentation, sequences set in, double quotes (single ones about quotes and
backslashes), texts of several lines as blocks. Keys stay in their order, and flow stays flow. What
would not read back as the same data is left as it was.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from flancompile.dsl import yaml
from flancompile.errors import FlancompileError

__all__ = ["format_file", "formatted"]


def formatted(text: str, path: str = "") -> str:
    """The text in its canonical form; formatting that again changes nothing.

    Raises FC101 and FC102 for what is no YAML. Texts whose block would end in white space, or whose
    meaning the form would change, are kept as they stand.
    """
    from ruamel.yaml.error import YAMLError

    before = yaml.parse(text, path).data
    try:
        found = _written(text)
        again = _written(found)
    except YAMLError:  # of the writer's own parser, which is stricter
        return text
    if again != found:
        found = again
    try:
        same = yaml.parse(found, path).data == before
    except FlancompileError:
        same = False
    return found if same else text


def _written(text: str) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import (
        DoubleQuotedScalarString,
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
        elif isinstance(value, str):
            if "\n" in value and not flow and _fits_block(value):
                return LiteralScalarString(value)
            if type(value) is not str and not isinstance(value, LiteralScalarString):
                single = {'"', "\\"} & set(value) and value.isprintable()
                return (SingleQuotedScalarString if single else DoubleQuotedScalarString)(value)
        return value

    data = engine.load(text)
    out = io.StringIO()
    engine.dump(styled(data, False), out)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip("\n") + "\n"


def _is_flow(value: Any) -> bool:
    about = getattr(value, "fa", None)
    return about is not None and bool(about.flow_style())


def _fits_block(text: str) -> bool:
    """Whether a literal block gives the text back: no white space at ends, no odd characters."""
    lines = text.split("\n")
    plain = all(line == line.rstrip() for line in lines) and text == text.lstrip()
    return plain and all(c.isprintable() or c == "\n" for c in text)


def format_file(path: Path) -> tuple[str, str]:
    """A file's text as it is and in its canonical form. Raises FC101 and FC102."""
    text = yaml.read_text(path)
    return text, formatted(text, str(path))

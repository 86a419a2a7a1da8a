"""YAML dumper whose texts are texts to the language's reader and to PyYAML's."""

from __future__ import annotations

import io
import re

import yaml

from flancompile.dsl.yaml.document import SCALARS

__all__ = ["Dumper"]


class Dumper(yaml.SafeDumper):
    """Dump plain data; a text that one of both readers takes for another type is quoted.

    Printable characters are written as they are (with `allow_unicode=True`).
    """

    stream: io.StringIO

    def choose_scalar_style(self) -> str:
        """Use double quotes for U+0085, which elsewhere is a line break and read as another."""
        style = str(super().choose_scalar_style())
        return '"' if "\x85" in (getattr(self.event, "value", None) or "") else style

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Write characters beyond U+FFFF as they are, where PyYAML escapes them."""
        outer, self.stream = self.stream, io.StringIO()
        try:
            super().write_double_quoted(text, split)
            written = self.stream.getvalue()
        finally:
            self.stream = outer
        outer.write(_ESCAPE.sub(_character, written) if self.allow_unicode else written)


_ESCAPE = re.compile(r"\\(?:U([0-9A-F]{8})|.)", re.DOTALL)


def _character(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16)) if match[1] else ""
    return character if character.isprintable() and character else match[0]


for _tag, _pattern, _first in SCALARS:
    Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))

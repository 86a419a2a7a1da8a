"""Results of an import, and conversion of names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from flancompile.authoring.importers.statements import names_of
from flancompile.dsl.checks.names import TAKEN as NAMES
from flancompile.dsl.yaml.dump import Dumper
from flancompile.errors import TextError

__all__ = [
    "FUNCTIONS",
    "TAKEN",
    "Imported",
    "LeftOut",
    "dumped",
    "first_line",
    "renames",
    "slug",
    "through",
]

TAKEN = NAMES | {"instruction"}  # names with a meaning of ours
FUNCTIONS = {"zip", "len", "range", "dict", "namespace", "joiner", "cycler"}


@dataclass(frozen=True)
class LeftOut:
    """A template, or one of its keys, that was not imported, with the reason."""

    name: str
    reason: str


@dataclass
class Imported:
    """A dataset file made from a task file.

    text: the dataset file's YAML; templates: original name -> (task, new name); files: path in the
    library -> text of files beside it; notes: keys of imported templates without an equivalent, and
    how they are handled.
    """

    id: str
    text: str
    templates: dict[str, tuple[str, str]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    notes: list[LeftOut] = field(default_factory=list)

    def note(self, key: str, becomes: str) -> None:
        """Add a note about a key, once."""
        if (one := LeftOut(key, becomes)) not in self.notes:
            self.notes.append(one)


class _Dumper(Dumper):
    """Dump YAML in the canonical form of `flancompile fmt`: texts of several lines as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent sequences."""
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> str:
        """Use double quotes, and single quotes around quotes and backslashes."""
        style = str(super().choose_scalar_style())
        value = getattr(self.event, "value", "")
        return '"' if style == "'" and not {'"', "\\"} & set(value) else style


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def dumped(data: dict[str, Any]) -> str:
    """A file's YAML, its keys in the order given."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)


def first_line(error: Exception) -> str:
    """An error's reason in one line."""
    text = error.diagnostics[0].message if isinstance(error, TextError) else str(error)
    return text.splitlines()[0]


def through(names: set[str], let: dict[str, str]) -> set[str]:
    """Names that some names depend on, with `let` names expanded."""
    found, pending = set(names), list(names & set(let))
    while pending:
        new = names_of("{{ " + let[pending.pop()] + " }}") - {"pick"} - found
        found |= new
        pending += new & set(let)
    return found


def renames(columns: Iterable[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """Column -> field, for columns whose names are no valid field names; fields are distinct.

    A field's name is ASCII, begins with a letter and is no reserved word of the language. reserved:
    further names that a field may not have; a column's own name is not among them.
    """
    every = sorted(set(columns))
    bad = [n for n in every if n in TAKEN or not _FIELD.fullmatch(n)]
    taken = {*reserved, *every, *TAKEN}
    return {n: slug(f"{n.encode('ascii', 'replace').decode()}_column", taken) for n in bad}


_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def slug(name: str, taken: set[str]) -> str:
    """Turn a name into a new identifier in ASCII and add it to those in use."""
    slug = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_").lower() or "template"
    slug = slug if slug[0].isalpha() else f"t_{slug}"
    found, number = slug, 2
    while found in taken:
        found, number = f"{slug}_{number}", number + 1
    taken.add(found)
    return found

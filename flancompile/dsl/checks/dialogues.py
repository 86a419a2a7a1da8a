"""Detect columns that neither `row | chat` nor any other expression reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import nodes

from flancompile.dsl.jinja.dialogues import ROW_KEYS
from flancompile.dsl.jinja.expression import parsed_expression
from flancompile.dsl.jinja.paths import paths_read
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.library.lock import Schema
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, TextError

__all__ = ["unread_columns"]

# Columns of provenance and statistics, which are no part of a dialogue.
_PROVENANCE = re.compile(
    r"(?:^|_)(?:id|ids|idx|index|uuid|hash|source|dataset|split|lang|language|license|url|date|"
    r"time|timestamp|model|score|rating|length|tokens?)$",
    re.IGNORECASE,
)


def unread_columns(dataset: Loaded[DatasetFile], schema: Schema) -> Iterator[Diagnostic]:
    """FC335 if `row | chat` or `row | exchanges` is used and some columns are never read."""
    texts = dict(_expressions(dataset.model))
    places = [key for key, text in texts.items() if _reads_rows(text)]
    if not places:
        return
    paths = {path for text in texts.values() for path in paths_read(text)}
    read = {path[0] for path in paths} | {p[1] for p in paths if p[0] == "row" and len(p) > 1}
    unread = sorted(n for n in schema.columns.keys() - ROW_KEYS - read if not _PROVENANCE.search(n))
    if unread:
        plural = "columns" if len(unread) > 1 else "column"
        message = f"`chat` does not read the {plural} {', '.join(map(repr, unread))} of a row"
        hint = "show them in a turn or a field of their own, or give the reason under `allow`"
        span = dataset.document.find(places[0], "row")
        yield Diagnostic("FC335", message, span, hint, "warning")


def _expressions(file: DatasetFile) -> Iterator[tuple[Key, str]]:
    """Expressions over columns, with their keys."""
    yield from ((("fields", name), text) for name, text in file.fields.items())
    yield from ((("let", name), text) for name, text in file.let.items())
    yield from ((("where",), text) for text in (file.where,) if text is not None)
    source = file.source
    found = {"id": source.id, "where": source.where} if source is not None else {}
    yield from ((("source", name), text) for name, text in found.items() if text is not None)
    if source is not None and isinstance(source.explode, dict):
        yield from ((("source", "explode", name), text) for name, text in source.explode.items())


def _reads_rows(text: str) -> bool:
    """Whether an expression applies `chat` or `exchanges` to the whole row."""
    try:
        tree = parsed_expression(text)
    except TextError:
        return False
    return any(
        node.name in ("chat", "exchanges")
        and isinstance(node.node, nodes.Name)
        and node.node.name == "row"
        for node in tree.find_all(nodes.Filter)
    )

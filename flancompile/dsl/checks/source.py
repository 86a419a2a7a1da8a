"""Static checks of sources: paths, repository names, expressions over columns."""

from __future__ import annotations

from collections.abc import Iterator

from flancompile.dsl.checks.calls import variable_diagnostics
from flancompile.dsl.checks.style import located_errors, name_hint
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.jinja.types import Type
from flancompile.dsl.models.source import PlaceOptions
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import Document, Key
from flancompile.errors import Diagnostic, TextError

__all__ = ["check_paths", "check_sources", "place_expressions"]


def check_sources(
    file: DatasetFile, document: Document, variable: dict[str, Type]
) -> list[Diagnostic]:
    """Check the source of a dataset file and its alternative places."""
    found = place_expressions(document, ("source",), file.source)
    found += check_paths(document, ("source",), file.source, variable)
    for name, place in file.source.places.items():
        found += place_expressions(document, ("source", "places", name), place)
        found += check_paths(document, ("source", "places", name), place, variable)
    for index, language in enumerate(file.source.languages):
        found += _path(document, ("source", "languages", index), language, variable)
    for category, task in file.tasks.items():
        for index, rung in enumerate(task.rungs):
            found += _path(document, ("tasks", category, "rungs", index), rung, variable)
        if task.exemplars.file is not None:
            key = ("tasks", category, "exemplars", "file")
            found += _path(document, key, task.exemplars.file, variable)
    return found


def place_expressions(document: Document, key: Key, place: PlaceOptions) -> list[Diagnostic]:
    """Check that the expressions of a place compile; its columns are not known here."""
    found: list[Diagnostic] = []
    texts = {("columns", name): text for name, text in place.columns.items()}
    if isinstance(place.explode, dict):
        texts |= {("explode", name): text for name, text in place.explode.items()}
    whole = {("id",): getattr(place, "id", None), ("where",): place.where}
    for spot, text in [*texts.items(), *((s, t) for s, t in whole.items() if t is not None)]:
        try:
            compile_expression(text)
        except TextError as error:
            found += located_errors(document, (*key, *spot), error)
    return found


def check_paths(
    document: Document, key: Key, place: PlaceOptions, variable: dict[str, Type]
) -> list[Diagnostic]:
    """FC202 for names in paths of a place other than the variable of `for_each`."""
    found: list[Diagnostic] = []
    for spot, text in _texts_of_place(place):
        found += _path(document, (*key, *spot), text, variable)
    return found


def _texts_of_place(place: PlaceOptions) -> Iterator[tuple[Key, str]]:
    """Texts of a place that may show the variable of `for_each`, with their keys."""
    for name in ("hub", "config"):
        if (text := getattr(place, name)) is not None:
            yield (name,), text
    for split, text in (place.splits or {}).items():
        yield ("splits", split), text
    yield from _files(("files",), place.files)
    for index, join in enumerate(place.join):
        yield from _files(("join", index, "files"), join.files)


def _files(key: Key, files: object) -> Iterator[tuple[Key, str]]:
    if isinstance(files, str):
        yield key, files
    elif isinstance(files, dict):
        for split, given in files.items():
            yield from _files((*key, split), given)
    elif isinstance(files, tuple):
        for index, text in enumerate(files):
            yield (*key, index), text


def _path(
    document: Document, key: Key, text: str, variable: dict[str, Type]
) -> Iterator[Diagnostic]:
    if "{{" not in text:
        return
    try:
        names = compile_template(text).names
    except TextError as error:
        yield from located_errors(document, key, error)
        return
    for name in sorted(names - variable.keys()):
        hint = name_hint(name, variable) or "a path may show only the variable of `for_each`"
        for span in document.every(key, name, "name"):
            yield Diagnostic("FC202", f"there is no {name!r} here", span, hint)
    for diagnostic in variable_diagnostics(text, variable):
        span = document.place(key, diagnostic.line, diagnostic.word, "attribute")
        yield Diagnostic(diagnostic.code, diagnostic.message, span, diagnostic.hint)

"""Names of a dataset file that mean something else already, or that hide one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flancompile.dsl.task import DatasetFile
from flancompile.dsl.yaml import Document, Key
from flancompile.errors import Diagnostic

__all__ = ["ROW_NAMES", "name_faults"]

ROW_NAMES = {
    "row": "the whole row, in `fields`, `let` and `id`",
    "row_number": "a row's number in its split",
}
_SHOWN = {
    "options": "the block of answer options",
    "gold": "the right answer as a template shows it",
    "pick": "the draw of a `let`",
}
_STORED = dict.fromkeys(("_row", "_id", "_ordinal"), "a column of the read split")
_WORDS = dict.fromkeys(
    ("and", "caller", "else", "false", "if", "in", "is", "loop", "none", "not", "or", "self",
     "super", "true", "False", "None", "True"),
    "a word of expressions",
)  # fmt: skip
_TURNS = dict.fromkeys(("turn", "n", "count", "last", "role"), "a name of each turn")


def name_faults(file: DatasetFile, document: Document) -> Iterator[Diagnostic]:
    """FC229 for each name that is taken."""
    taken = {**ROW_NAMES, **_SHOWN, **_STORED, **_WORDS}
    yield from _taken(document, ("let",), file.let, {**ROW_NAMES, **_WORDS})
    yield from _taken(document, ("fields",), file.fields, taken)
    each = file.for_each
    if each is not None:
        meant = taken.get(each.variable)
        if meant is not None:
            yield _fault(document, ("for_each",), each.variable, meant)
        hidden = "the variable of `for_each`, which would hide it"
        for part, names in (("let", file.let), ("fields", file.fields)):
            yield from _taken(document, (part,), names, {each.variable: hidden})
    for category, task in file.tasks.items():
        key = ("tasks", category)
        yield from _taken(document, (*key, "let"), task.let, taken)
        for index, template in enumerate(task.templates):
            spot = (*key, "templates", index)
            yield from _taken(document, (*spot, "let"), template.let, taken)
            if template.turns is not None:
                yield from _taken(document, ("fields",), file.fields, _TURNS)
                yield from _taken(document, (*spot, "let"), template.let, _TURNS)


def _taken(
    document: Document, key: Key, names: Mapping[str, object], taken: Mapping[str, str]
) -> Iterator[Diagnostic]:
    for name in names:
        if name in taken:
            yield _fault(document, (*key, name), name, taken[name])


def _fault(document: Document, key: Key, name: str, meant: str) -> Diagnostic:
    message = f"the name {name!r} is taken: it is {meant}"
    return Diagnostic("FC229", message, document.span(key, of_key=True), "choose another name")

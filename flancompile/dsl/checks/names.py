"""Detect names of a dataset file that are reserved or hide one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flancompile.dsl.jinja.names import used_names
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import Document, Key
from flancompile.errors import Diagnostic

__all__ = ["ROW_NAMES", "TAKEN", "name_diagnostics"]

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
_TURN = "a name that its turns already have"
TURN_NAMES = frozenset({"turn", "n", "count", "last", "role"})
_TAKEN = {**ROW_NAMES, **_SHOWN, **_STORED, **_WORDS}
TAKEN = frozenset(_TAKEN)


def name_diagnostics(file: DatasetFile, document: Document) -> Iterator[Diagnostic]:
    """FC229 for each reserved or hidden name."""
    yield from _taken(document, ("let",), file.let, {**ROW_NAMES, **_WORDS})
    yield from _taken(document, ("fields",), file.fields, _TAKEN)
    each = file.for_each
    if each is not None:
        meant = _TAKEN.get(each.variable)
        if meant is not None:
            yield _name_diagnostic(document, ("for_each",), each.variable, meant)
        hidden = "the variable of `for_each`, which would hide it"
        for part, names in (("let", file.let), ("fields", file.fields)):
            yield from _taken(document, (part,), names, {each.variable: hidden})
    for category, task in file.tasks.items():
        key = ("tasks", category)
        yield from _taken(document, (*key, "let"), task.let, _TAKEN)
        for index, template in enumerate(task.templates):
            spot = (*key, "templates", index)
            yield from _taken(document, (*spot, "let"), template.let, _TAKEN)
            if template.turns is not None:
                turns = template.turns
                texts = (turns.role, turns.text, turns.loss)
                used = [used_names(text, True) or frozenset() for text in texts]
                of_turns = dict.fromkeys(TURN_NAMES & frozenset().union(*used), _TURN)
                yield from _taken(document, ("fields",), file.fields, of_turns)
                yield from _taken(document, (*spot, "let"), template.let, of_turns)


def _taken(
    document: Document, key: Key, names: Mapping[str, object], taken: Mapping[str, str]
) -> Iterator[Diagnostic]:
    for name in names:
        if name in taken:
            yield _name_diagnostic(document, (*key, name), name, taken[name])


def _name_diagnostic(document: Document, key: Key, name: str, meant: str) -> Diagnostic:
    message = f"the name {name!r} is reserved: it is {meant}"
    return Diagnostic("FC229", message, document.span(key, of_key=True), "choose another name")

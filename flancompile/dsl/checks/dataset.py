"""Static checks of dataset files and styles, without reading rows.

Checks that need rows are in `lint`, those that need the whole mixture in `compiler.check`.
"""

from __future__ import annotations

from flancompile.dsl.checks.allowed import allow_diagnostics, mark_allowed
from flancompile.dsl.checks.calls import variable_type
from flancompile.dsl.checks.names import name_diagnostics
from flancompile.dsl.checks.ranking import ranking_diagnostics
from flancompile.dsl.checks.scope import FileScope, Names
from flancompile.dsl.checks.source import check_paths, check_sources, place_expressions
from flancompile.dsl.checks.style import check_styles, name_hint, unknown_styles
from flancompile.dsl.checks.templates import check_template, compare_templates
from flancompile.dsl.checks.types import cached_type_diagnostics
from flancompile.dsl.library.library import Library, Loaded
from flancompile.dsl.library.lock import source_digest
from flancompile.dsl.library.memo import Memo
from flancompile.dsl.models.task import DatasetFile, Task
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic

__all__ = ["check_dataset", "check_library"]

# Diagnostics of missing parts, which may be in the parts of the file that could not be read.
_OF_THE_WHOLE = frozenset(
    ["FC208", "FC212", "FC213", "FC214", "FC215", "FC218", "FC219", "FC220", "FC227"]
)


def check_library(library: Library, *, typed: bool = True) -> list[Diagnostic]:
    """Check all dataset files, overlays and styles of a library, in the order of its files.

    typed: whether to check types by the library's schemas.lock.
    """
    found: list[Diagnostic] = []
    for dataset in library.datasets.values():
        diagnostics = check_dataset(dataset, library.memo)
        schema = library.schemas.get(dataset.id) if typed else None
        whole = not dataset.document.partial
        if schema is not None and whole and schema.source == source_digest(dataset.model.source):
            diagnostics += cached_type_diagnostics(dataset, schema, library.memo)
        for category, task in dataset.model.tasks.items():
            place = ("tasks", category, "styles")
            unknown = unknown_styles(library, dataset.document, place, task.styles)
            diagnostics = [*diagnostics, *unknown]
        found += mark_allowed(dataset, diagnostics)
    for overlay in library.overlays.values():
        for id_, choice in overlay.model.sources.items():
            key = ("sources", id_)
            found += place_expressions(overlay.document, key, choice)
            if id_ in library.datasets:
                known = variable_type(library.datasets[id_].model.for_each)
                found += check_paths(overlay.document, key, choice, known)
    for document in library.documents:
        if isinstance(document.data, dict) and library.styles.keys() & set(document.data):
            found += check_styles(library, document)
    return found


def check_dataset(dataset: Loaded[DatasetFile], memo: Memo) -> list[Diagnostic]:
    """Check one dataset file. memo: cache of earlier diagnostics."""
    found = memo.diagnostics(dataset.document)
    if found is None:
        found = _checked(dataset)
        if dataset.document.partial:
            found = [d for d in found if d.code not in _OF_THE_WHOLE]
        memo.store(dataset.document, found)
    return found


def _checked(dataset: Loaded[DatasetFile]) -> list[Diagnostic]:
    """Diagnostics of one file, in order of its parts."""
    scope = FileScope(dataset)
    file, document = scope.file, scope.document
    scope.found += check_sources(file, document, scope.keys)
    scope.found += allow_diagnostics(document, ("allow",), file.allow)
    scope.found += dict.fromkeys(name_diagnostics(file, document))
    for part, texts in (("let", file.let), ("fields", file.fields)):
        for name, text in texts.items():
            scope.expression((part, name), text, None)
    if file.where is not None:
        seen = scope.fields | scope.variable | file.let.keys() | {"row_number"}
        scope.expression(("where",), file.where, seen)
    for category, task in file.tasks.items():
        _task(scope, ("tasks", category), task)
    return scope.found


def _task(scope: FileScope, key: Key, task: Task) -> None:
    signature = task.signature
    scope.found += allow_diagnostics(scope.document, (*key, "allow"), task.allow)
    for name in (*signature.inputs, *signature.outputs):
        if name not in scope.fields:
            hint = name_hint(name, scope.fields)
            message = f"the signature names {name!r}, which is not a field"
            scope.report("FC203", message, (*key, "signature"), hint, name)
    seen = scope.fields | scope.variable
    if task.where is not None:
        scope.expression((*key, "where"), task.where, seen)
    _exemplars(scope, (*key, "exemplars"), task, seen)
    for name in task.truncate:
        if name not in signature.inputs:
            message = f"truncate names {name!r}, which is not an input of the signature"
            hint = name_hint(name, signature.inputs)
            scope.report("FC204", message, (*key, "truncate"), hint, name)
    lets = scope.lets((*key, "let"), task.let, seen, dict.fromkeys(signature.inputs, True))
    if task.choices is not None:
        scope.choices((*key, "choices"), task.choices, seen | set(lets))
    if task.instruction is not None:
        spot = (*key, "instruction")
        shown = scope.template(spot, task.instruction, seen | set(lets))
        for name in sorted(shown & set(signature.outputs)):
            message = f"the instruction shows {name!r}, which is an output of the task"
            hint = "remove it from the instruction: the prompt would contain the answer"
            scope.report("FC206", message, spot, hint, name)
    if task.eval is not None and task.eval.answers is not None:
        scope.expression((*key, "eval", "answers"), task.eval.answers, seen)
    for index, template in enumerate(task.templates):
        check_template(scope, (*key, "templates", index), task, template, lets)
    compare_templates(scope, key, task)
    for message, hint in ranking_diagnostics(task):
        scope.report("FC227", message, (*key, "eval", "metric"), hint)
    _inversion(scope, key, task)


def _inversion(scope: FileScope, key: Key, task: Task) -> None:
    """FC219 unless an inverted task swaps an input and an output of another task."""
    direct = [t.signature for t in scope.file.tasks.values() if not t.inverted]
    inverted_inputs = {name for s in direct for name in s.inputs} & set(task.signature.outputs)
    reversed_outputs = {name for s in direct for name in s.outputs} & set(task.signature.inputs)
    if task.inverted and direct and not inverted_inputs and not reversed_outputs:
        message = "the inverted task inverts none of the file's other tasks"
        hint = "ask for an input of one of them, or show an output; or remove `inverted`"
        scope.report("FC219", message, (*key, "signature"), hint, severity="warning")


def _exemplars(scope: FileScope, key: Key, task: Task, seen: Names) -> None:
    exemplars = task.exemplars
    for by in ("same", "unlike"):
        named = getattr(exemplars, by)
        if named is not None and named not in scope.fields:
            message = f"`{by}` names {named!r}, which is not a field"
            scope.report("FC203", message, (*key, by), name_hint(named, scope.fields))
    if exemplars.explanation is not None:
        over_items = exemplars.source in ("column", "file")
        names = scope.variable | {"item"} if over_items else seen
        scope.expression((*key, "explanation"), exemplars.explanation, names)
    if exemplars.rows is not None:
        scope.expression((*key, "rows"), exemplars.rows, seen)
    for name, text in exemplars.fields.items():
        if name not in scope.fields:
            message = f"exemplars give {name!r}, which is not a field"
            scope.report("FC203", message, (*key, "fields", name), name_hint(name, scope.fields))
        scope.expression((*key, "fields", name), text, seen | {"item"})

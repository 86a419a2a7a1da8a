"""Data and exemplar files that a library names and that are not on this machine; none is opened."""

from __future__ import annotations

from collections.abc import Iterator

from flancompile.compiler.exemplar_files import exemplar_path
from flancompile.dsl.library import Library, TaskDef, builtin_library
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.sources.place import resolve_place

__all__ = ["missing_files"]


def missing_files(library: Library) -> Iterator[Diagnostic]:
    """Complaints about them: an error for exemplars, a warning for rows.

    A library may describe more than is at hand, so data files that are missing stop nothing here;
    those of a dataset for which an overlay names another place are not looked for.
    """
    placed = {id_ for o in library.overlays.values() for id_ in o.model.sources}
    own = builtin_library()  # its rows are elsewhere: `check --data` says of which it has none
    seen: set[str] = set()
    for task in library.tasks().values():
        if task.task.exemplars.file is not None:
            yield from _of_exemplars(task)
        source = task.dataset.model.source
        if task.dataset.id in placed or source.files is None or task.source_id in seen:
            continue
        seen.add(task.source_id)
        if not task.dataset.folder.is_relative_to(own):
            yield from _of_source(task)


def _of_exemplars(task: TaskDef) -> Iterator[Diagnostic]:
    try:
        exemplar_path(task)
    except FlancompileError as error:
        yield from (d for d in error.diagnostics if d.code == "FC301")  # others are static faults


def _of_source(task: TaskDef) -> Iterator[Diagnostic]:
    dataset = task.dataset
    files = dataset.model.source.files
    splits = list(files) if isinstance(files, dict) else ["train"]
    for split in splits:
        key = ("source", "files", split) if isinstance(files, dict) else ("source", "files")
        span = dataset.document.span(key)
        try:
            resolve_place(
                dataset.model.source, None, split, dataset.folder, None, task.variable, span
            )
        except FlancompileError as error:
            for found in error.diagnostics:
                if found.code == "FC301":
                    hint = f"{found.hint or 'see the path'}; or an overlay says where the rows are"
                    yield Diagnostic("FC301", found.message, found.span, hint, "warning")

"""Static checks of the splits and files that dataset files name; no row is read.

Only local files and named splits are checked, since the files of a Hub repository are unknown here.
A missing data file is a warning unless a similar name exists: a library may describe data on
another machine. Overlays locate the data of the built-in library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flancompile.compiler.render.exemplar_files import exemplar_path
from flancompile.dsl.library.library import Library, Loaded, TaskDef, builtin_library
from flancompile.dsl.models.source import Join, PlaceOptions, Source
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, FlancompileError, nearest
from flancompile.sources.place import resolve_place

__all__ = ["USUAL_SPLITS", "check_places", "named_splits"]

USUAL_SPLITS = ("train", "validation", "test", "dev")
_ABSENT = "put it there, or give its place in an overlay; if the library may lack it, add `allow`"


def check_places(library: Library) -> Iterator[Diagnostic]:
    """FC301 and FC319 for missing splits and files; FC109 for tasks with the same id."""
    by_dataset: dict[str, list[TaskDef]] = {}
    seen: dict[str, TaskDef] = {}
    for task in library.every_task():
        by_dataset.setdefault(task.dataset.id, []).append(task)
        other = seen.setdefault(task.id, task)
        if other.dataset.id != task.dataset.id:
            message = f"{task.id!r} is also a task of {other.dataset.document.path}"
            span = task.dataset.document.span(("tasks", task.category), of_key=True)
            yield Diagnostic("FC109", message, span, "give one of the files another `id`")
    for id_, tasks in by_dataset.items():
        dataset = library.datasets[id_]
        overlaid = [o.model.sources[id_] for o in library.overlays.values()
                    if id_ in o.model.sources]  # fmt: skip
        places = _places(dataset.model.source, overlaid)
        yield from _splits(dataset, places)
        yield from _exemplar_files(tasks)
        shipped = Path(dataset.document.path).is_relative_to(builtin_library() / "datasets")
        if len(places) == 1 and not overlaid and not shipped:
            yield from _data_files(tasks)


def _places(source: Source, overlaid: Sequence[PlaceOptions]) -> list[PlaceOptions]:
    """All places that may hold a source's rows."""
    own: list[PlaceOptions] = [source] if source.hub or source.files else []
    others = [o for o in overlaid if o.hub or o.files]
    return [*own, *source.places.values(), *others]


def named_splits(place: PlaceOptions) -> list[str] | None:
    """The splits that a place names; None if it names none."""
    if place.hub is not None:
        return list(place.splits) if place.splits else None
    return list(place.files) if isinstance(place.files, dict) else None


def _has(place: PlaceOptions, split: str) -> bool:
    """Whether a place may have a split: a Hub repository may have more than the file names."""
    known = named_splits(place)
    if known is None or split in known:
        return True
    return place.hub is not None and (split in USUAL_SPLITS or nearest(split, known) is None)


def _splits(dataset: Loaded[DatasetFile], places: Sequence[PlaceOptions]) -> Iterator[Diagnostic]:
    """Splits of `exemplars` and `eval` that no place of the source has."""
    for category, task in dataset.model.tasks.items():
        splits = {"exemplars": task.exemplars.split, "eval": task.eval.split if task.eval else None}
        for part, split in splits.items():
            if split is None or not places or any(_has(p, split) for p in places):
                continue
            known = sorted({s for p in places for s in named_splits(p) or ()})
            hint = nearest(split, known) or f"splits here: {', '.join(known)}"
            span = dataset.document.span(("tasks", category, part, "split"))
            yield Diagnostic("FC301", f"the source has no split {split!r}", span, hint)


def _exemplar_files(tasks: Sequence[TaskDef]) -> Iterator[Diagnostic]:
    """Missing files of exemplars, the first of each task."""
    reported: set[str] = set()
    for task in tasks:
        if task.task.exemplars.file is None or task.category in reported:
            continue
        try:
            exemplar_path(task)
        except FlancompileError as error:
            reported.add(task.category)
            yield from (d for d in error.diagnostics if d.code == "FC301")


def _data_files(tasks: Sequence[TaskDef]) -> Iterator[Diagnostic]:
    """Missing local files of a source, the first of each key."""
    source = tasks[0].dataset.model.source
    reported: set[Key] = set()
    for task in {t.source_id: t for t in tasks}.values():
        bare = source.model_copy(update={"join": (), "explode": None})
        parts: list[tuple[Key, Source]] = [(("source", "files"), bare)] if source.files else []
        parts += [(("source", "join", n, "files"), _joined(j)) for n, j in enumerate(source.join)]
        for key, part in parts:
            for split in part.files if isinstance(part.files, dict) else ("train",):
                spot = (*key, split) if isinstance(part.files, dict) else key
                if spot not in reported and (found := _absent(task, part, split, spot)) is not None:
                    reported.add(spot)
                    yield found


def _joined(join: Join) -> Source:
    return Source.model_construct(files=join.files, format=join.format, read=join.read)


def _absent(task: TaskDef, source: Source, split: str, key: Key) -> Diagnostic | None:
    """The diagnostic of a split with a missing file; None if all files exist."""
    folder: Path = task.dataset.folder
    span = task.dataset.document.span(key)
    try:
        resolve_place(source, None, split, folder, None, task.variable, span)
    except FlancompileError as error:
        first = error.diagnostics[0]
        if first.code != "FC301":  # a path that does not render is reported elsewhere
            return None
        changes: dict[str, Any] = {"span": span}
        if first.hint is not None and first.hint.startswith("looked in"):
            changes |= {"code": "FC319", "severity": "warning"}
            changes["hint"] = f"{first.hint}; {_ABSENT}"
        return replace(first, **changes)
    return None

"""Types of each dataset's columns over every split that its tasks read, stored in schemas.lock.

An entry holds a digest of each split's data. If the data has changed since, diagnostics that rest
on its types are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import blake3

from flancompile.compiler.read import split_spec
from flancompile.compiler.request import CompileRequest
from flancompile.dsl.jinja.types import Type, common_type, type_of
from flancompile.dsl.library.library import Library, TaskDef, builtin_library
from flancompile.dsl.library.lock import Schema, Seen, read_lock, source_digest, write_lock
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.sources.fields import column_rows
from flancompile.sources.place import Resolved, resolve_place

__all__ = [
    "Broken",
    "linted_splits",
    "located",
    "mark_stale",
    "schemas_of",
    "splits_read",
    "update_schemas_lock",
]  # fmt: skip

Broken = dict[tuple[str, str], list[Diagnostic]]  # by source id and split

SCHEMA_ROWS = 200  # of each split of a source
EDGE_BYTES = 1 << 16  # of each end of a file, for the digest of its data
EVALUATION_SPLITS = ("validation", "test")  # without a split of its own, in this order


def linted_splits(task: TaskDef, known: Sequence[str]) -> list[str]:
    """The splits for data lints: the training split (the first) and the evaluation split."""
    settings = task.task.eval
    evaluated = None if settings is None else settings.split
    if settings is not None and evaluated is None:
        evaluated = next((s for s in EVALUATION_SPLITS if s in known), None)
    return list(dict.fromkeys(s for s in (*known[:1], evaluated) if s is not None and s in known))


def splits_read(task: TaskDef, known: Sequence[str]) -> list[str]:
    """The splits for data lints, and the split of the task's exemplars."""
    exemplar_split = task.task.exemplars.split
    return list(
        dict.fromkeys([*linted_splits(task, known), *(s for s in known if s == exemplar_split)])
    )


def schemas_of(
    request: CompileRequest,
    tasks: Sequence[TaskDef],
    splits: Mapping[str, Sequence[str]],
    broken: Broken,
) -> dict[str, Schema]:
    """Types of the columns of each dataset whose rows are on this machine, over all of `for_each`.

    splits: the splits that each task reads, by task id; broken: diagnostics of splits that cannot
    be read, extended in place. A dataset with a broken split has no schema, as its columns are not
    all known. A column that a whole split lacks does not count as absent: only rows among others
    that have it do.
    """
    seen: dict[str, dict[str, list[Type]]] = {}
    data: dict[str, dict[str, list[str]]] = {}
    for (source_id, split), task in _sources(tasks, splits).items():
        if (source_id, split) in broken:
            continue
        spec, id_ = split_spec(request, task, split), task.dataset.id
        try:
            shapes = [type_of(row) for row in column_rows(spec, SCHEMA_ROWS)]
        except FlancompileError as error:
            broken[source_id, split] = located(error, task)
            continue
        seen.setdefault(id_, {}).setdefault(split, []).extend(shapes)
        data.setdefault(id_, {}).setdefault(split, []).append(f"{source_id} {_digest(spec.place)}")
    schemas = {}
    partly = {t.dataset.id for t in tasks if any((t.source_id, s) in broken for s in splits[t.id])}
    for id_, by_split in seen.items():
        if id_ in partly:
            continue
        rows = [row for types in by_split.values() if (row := common_type(types)) is not None]
        if rows and all(row.kind == "map" for row in rows):
            sampled = {s: Seen(len(t), _joined(data[id_][s])) for s, t in by_split.items()}
            columns = dict.fromkeys(name for row in rows for name in row.keys)
            types = {n: common_type(r.keys[n] for r in rows if n in r.keys) for n in columns}
            absent = frozenset(name for row in rows for name in row.absent)
            whole = {n: t for n, t in types.items() if t is not None}
            digest = source_digest(request.library.datasets[id_].model.source)
            schemas[id_] = Schema(whole, digest, sampled, absent)
    return schemas


def located(error: FlancompileError, task: TaskDef) -> list[Diagnostic]:
    """The diagnostics of a split that cannot be read, at the dataset's `source`."""
    span = task.dataset.document.span(("source",))
    return [d if d.span is not None else replace(d, span=span) for d in error.diagnostics]


def _sources(
    tasks: Iterable[TaskDef], splits: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], TaskDef]:
    """One task of each source and split that is read."""
    return {(task.source_id, split): task for task in tasks for split in splits[task.id]}


def update_schemas_lock(
    request: CompileRequest, schemas: Mapping[str, Schema], folders: Sequence[Path]
) -> None:
    """Update the lock of each library folder, if its schemas have changed."""
    for folder in set(folders) - {builtin_library()}:
        paths = {i: d.document.path for i, d in request.library.datasets.items()}
        own = {i: s for i, s in schemas.items() if Path(paths[i]).is_relative_to(folder)}
        try:
            stored: dict[str, Schema] | None = read_lock(folder)
        except FlancompileError:  # a damaged lock is replaced
            stored = None
        known = {i: s for i, s in (stored or {}).items() if i in paths}
        if own and {**known, **own} != stored:
            write_lock(folder, {**known, **own})


def mark_stale(library: Library) -> None:
    """Mark schemas whose data is on this machine and has changed since they were written."""
    marked = {i for i, s in library.schemas.items() if i in library.datasets and s.splits}
    if not marked:
        return
    found: dict[str, dict[str, list[str]]] = {}
    checked: set[str] = set()
    for task in library.every_task():
        id_ = task.dataset.id
        if id_ not in marked or task.source_id in checked:
            continue
        checked.add(task.source_id)
        source, folder = task.dataset.model.source, task.dataset.folder
        for split in library.schemas[id_].splits:
            digests = found.setdefault(id_, {}).setdefault(split, [])
            with suppress(FlancompileError):  # not on this machine, or located by an overlay
                place = resolve_place(source, None, split, folder, None, task.variable)
                digests.append(f"{task.source_id} {_digest(place)}")
    for id_, by_split in found.items():
        schema = library.schemas[id_]
        if any(
            digests and schema.splits[s].data != _joined(digests) for s, digests in by_split.items()
        ):
            library.schemas[id_] = replace(schema, stale=True)


def _digest(place: Resolved) -> str:
    """A digest of a place's data: sizes and both ends of its files; for a Hub repository its name.

    Much cheaper than a digest of all bytes, so that a check without rows can afford it.
    """
    files = [Path(f) for f in place.all_files()]
    if place.hub is not None and Path(place.hub).is_dir():
        files += sorted(p for p in Path(place.hub).rglob("*") if p.is_file())
    hasher = blake3.blake3(f"{place.hub} {place.revision}".encode() if not files else b"")
    for path in files:
        size = path.stat().st_size
        with path.open("rb") as file:
            hasher.update(f"{path.name} {size} ".encode() + file.read(EDGE_BYTES))
            file.seek(max(0, size - EDGE_BYTES))
            hasher.update(file.read(EDGE_BYTES))
    return hasher.hexdigest()[:24]


def _joined(parts: Iterable[str]) -> str:
    return str(blake3.blake3("\n".join(sorted(parts)).encode()).hexdigest()[:24])

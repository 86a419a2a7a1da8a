"""The check pass on rows: each task is rendered on a sample (or all rows) and linted.

A source whose rows are not on this machine is named and left out: a library may describe more than
anyone has at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flancompile.compiler.lints import Reading, lint_task
from flancompile.compiler.reading import split_spec
from flancompile.compiler.request import Request, bare_request
from flancompile.dsl.allowed import marked
from flancompile.dsl.check import check_dataset
from flancompile.dsl.check_types import check_types
from flancompile.dsl.library import TaskDef, builtin_library
from flancompile.dsl.lock import Schema, read_lock, source_digest, write_lock
from flancompile.dsl.select import parse_selector
from flancompile.dsl.types import Type, merged, type_of
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.sources.blocks import sample
from flancompile.sources.fields import column_rows

__all__ = ["check_rows"]

SCHEMA_ROWS = 200  # of each source
HIDDEN = "FC307"  # rows that are here, and whose column a variable hides
Tell = Callable[[str, int, int | None], None]


def check_rows(
    folders: Sequence[Path],
    overlay: str | None,
    reading: Reading,
    *,
    loose: Sequence[Path] = (),
    tell: Tell = lambda *_: None,
) -> list[Diagnostic]:
    """Complaints from rows about every task of some libraries whose files have no errors.

    loose: single files beside the folders. Those that a file allows are marked.
    """
    request = bare_request(tuple(folders), overlay, loose=loose)
    chosen = parse_selector(reading.select).pick(request.tasks.values())
    tasks = [request.tasks[i] for i in chosen]
    if reading.on_hand:
        tasks = [t for t in tasks if _splits(request, t)]
    found: list[Diagnostic] = []
    schemas = _schemas(request, tasks)
    for id_, schema in schemas.items():
        dataset = request.library.datasets[id_]
        found += marked(dataset, check_types(dataset, schema))
    if reading.keep:
        _keep(request, schemas, folders)
    for done, task in enumerate(tasks):
        tell("rows", done, len(tasks))
        if not any(
            d.severity == "error" for d in check_dataset(task.dataset, request.library.memo)
        ):
            found += marked(task.dataset, _task(request, task, reading), task.category)
    tell("rows", len(tasks), len(tasks))
    return list(dict.fromkeys(found))


def _schemas(request: Request, tasks: Sequence[TaskDef]) -> dict[str, Schema]:
    """The columns of each dataset whose rows are here, over all values of its `for_each`."""
    rows: dict[str, list[Type]] = {}
    sources = {task.source_id: task for task in tasks}
    for task in sources.values():
        for split in _splits(request, task)[:1]:
            spec = split_spec(request, task, split)
            seen = rows.setdefault(task.dataset.id, [])
            seen += [type_of(row) for row in column_rows(spec, SCHEMA_ROWS)]
    found = {}
    for id_, types in rows.items():
        row = merged(types)
        if row is not None and row.kind == "map":
            digest = source_digest(request.library.datasets[id_].model.source)
            found[id_] = Schema(row.keys, digest, len(types), row.absent)
    return found


def _keep(request: Request, schemas: Mapping[str, Schema], folders: Sequence[Path]) -> None:
    """Write what changed into each library folder's lock."""
    for folder in set(folders) - {builtin_library()}:
        paths = {i: d.document.path for i, d in request.library.datasets.items()}
        own = {i: s for i, s in schemas.items() if Path(paths[i]).is_relative_to(folder)}
        try:
            kept: dict[str, Schema] | None = read_lock(folder)
        except FlancompileError:  # a damaged one is written anew
            kept = None
        known = {i: s for i, s in (kept or {}).items() if i in paths}
        if own and {**known, **own} != kept:
            write_lock(folder, {**known, **own})


def _task(request: Request, task: TaskDef, reading: Reading) -> list[Diagnostic]:
    splits = _splits(request, task)
    if not splits:
        span = task.dataset.document.span(("source",))
        message = f"the rows of {task.source_id!r} are not on this machine"
        return [Diagnostic("FC319", message, span, "an overlay says where they lie", "warning")]
    try:
        found = lint_task(request, task, splits[0], reading)
        return found + _across(request, task, splits, reading)
    except FlancompileError as error:
        span = task.dataset.document.span(("for_each",))
        return [replace(d, span=span) if d.code == HIDDEN else d for d in error.diagnostics]


def _splits(request: Request, task: TaskDef) -> list[str]:
    """The splits that can be read here, the training split first."""
    place = task.dataset.model.source
    if request.overlay is not None and task.dataset.id in request.overlay.model.sources:
        choice = request.overlay.model.sources[task.dataset.id]
        place = place.places[choice.place] if choice.place else choice  # type: ignore[assignment]
    names = list(place.files) if isinstance(place.files, dict) else list(place.splits or ())
    found = []
    for name in sorted(names or ["train"], key=lambda n: (n != "train", n)):
        try:
            sample(split_spec(request, task, name), 1)
        except FlancompileError as error:
            if error.diagnostics[0].code != HIDDEN:
                continue
        found.append(name)
    return found


def _across(
    request: Request, task: TaskDef, splits: Sequence[str], reading: Reading
) -> list[Diagnostic]:
    """Rows of one split that stand in another one too; only all rows can tell."""
    if reading.rows is not None or len(splits) < 2:
        return []
    names = task.task.signature.inputs
    seen: dict[int, str] = {}
    found = []
    for split in splits:
        rows, _ = sample(split_spec(request, task, split), 1 << 62, names)
        keys = {hash(tuple(" ".join(str(r.get(n)).lower().split()) for n in names)) for r in rows}
        for other in splits[: splits.index(split)]:
            if double := sum(seen.get(k) == other for k in keys):
                message = f"{task.id}: {double:,} inputs stand in {other!r} and in {split!r}"
                span = task.dataset.document.span(("source",))
                hint = "an evaluation on them tells little"
                found.append(Diagnostic("FC332", message, span, hint, "warning"))
        for key in keys:
            seen.setdefault(key, split)
    return found

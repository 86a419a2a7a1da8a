"""Lints of a library over rows: render each task on a sample, or on all rows, and check it.

Sources whose data is not on this machine are reported and skipped, since a library may describe
more datasets than anyone has downloaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from flancompile.authoring.preview import is_evaluated
from flancompile.compiler.check.row_types import (
    Broken,
    linted_splits,
    located,
    schemas_of,
    splits_read,
    update_schemas_lock,
)
from flancompile.compiler.read import NOT_HERE, split_spec
from flancompile.compiler.request import CompileRequest, bare_request
from flancompile.dsl.checks.allowed import mark_allowed
from flancompile.dsl.checks.dataset import check_dataset
from flancompile.dsl.checks.types import check_types
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.library.select import parse_selector
from flancompile.errors import Diagnostic, FlancompileError, fail, nearest
from flancompile.lint.reading import Reading
from flancompile.lint.task import lint_task
from flancompile.sources.blocks import sample

__all__ = ["check_rows"]

HIDDEN = "FC307"  # rows that are here, and whose column a variable hides
_SHARED_ID = (
    "all are kept, but an id should name one row: add a part that differs, such as "
    "`id: id ~ '-' ~ row_number`"
)
Progress = Callable[[str, int, int | None], None]


def check_rows(
    folders: Sequence[Path],
    overlay: str | None,
    reading: Reading,
    *,
    loose: Sequence[Path] = (),
    progress: Progress = lambda *_: None,
) -> list[Diagnostic]:
    """Lint every task of some libraries whose files have no errors.

    loose: single files beside the folders. Diagnostics that a file allows are marked.
    """
    request = bare_request(tuple(folders), overlay, loose=loose)
    chosen = parse_selector(reading.select).pick(request.tasks.values())
    tasks = [request.tasks[i] for i in chosen]
    broken: Broken = {}
    known = {t.id: _splits(request, t, broken) for t in tasks}
    if reading.split is not None:
        tasks = _having(request, tasks, known, reading.split)
    if reading.on_hand:
        tasks = [t for t in tasks if known[t.id]]
    found: list[Diagnostic] = []
    read_of = {t.id: splits_read(t, known[t.id]) for t in tasks}
    schemas = schemas_of(request, tasks, read_of, broken)
    found += [d for diagnostics in broken.values() for d in diagnostics]
    for id_, schema in schemas.items():
        dataset = request.library.datasets[id_]
        found += mark_allowed(dataset, check_types(dataset, schema))
    if reading.write_lock:
        update_schemas_lock(request, schemas, folders)
    for done, task in enumerate(tasks):
        progress("rows", done, len(tasks))
        if not any(
            d.severity == "error" for d in check_dataset(task.dataset, request.library.memo)
        ):
            found += mark_allowed(
                task.dataset, _task(request, task, known[task.id], reading, broken), task.category
            )
    progress("rows", len(tasks), len(tasks))
    return list(dict.fromkeys(found))


def _having(
    request: CompileRequest,
    tasks: Sequence[TaskDef],
    known: Mapping[str, Sequence[str]],
    split: str,
) -> list[TaskDef]:
    """Tasks with at least one split on this machine. Raises FC301 if there is none."""
    having = [t for t in tasks if split in known[t.id]]
    if having or not tasks:
        return having
    every = sorted({name for names in known.values() for name in names})
    hint = nearest(split, every) or f"splits here: {', '.join(every) or 'none'}"
    raise fail("FC301", f"no source of these tasks has a split {split!r}", hint=hint)


def _task(
    request: CompileRequest, task: TaskDef, splits: Sequence[str], reading: Reading, broken: Broken
) -> list[Diagnostic]:
    """Lint a task on its training and evaluation splits, or on the requested split alone.

    A diagnostic of the training split is not repeated for the others. broken: unreadable splits,
    which are skipped."""
    if not splits:
        span = task.dataset.document.span(("source",))
        message = f"the rows of {task.source_id!r} are not on this machine"
        return [Diagnostic("FC319", message, span, "give their place in an overlay", "warning")]
    linted = linted_splits(task, splits) if reading.split is None else [reading.split]
    found: list[Diagnostic] = []
    for split in (s for s in linted if (task.source_id, s) not in broken):
        reported = {(d.code, d.span) for d in found}
        evaluated = split != splits[0] or is_evaluated(task, split)
        try:
            diagnostics = lint_task(request, task, split, reading, evaluated=evaluated)
            found += [d for d in diagnostics if (d.code, d.span) not in reported]
            found += _double_ids(request, task, split, reading)
        except FlancompileError as error:
            found += _unread(error, task)
    return found + _across(request, task, splits, reading, broken)


def _unread(error: FlancompileError, task: TaskDef) -> list[Diagnostic]:
    """Diagnostic of a reading error, at the key that names the data; one key per broken file."""
    span = task.dataset.document.span(("for_each",))
    return [replace(d, span=span) if d.code == HIDDEN else d for d in located(error, task)]


def _splits(request: CompileRequest, task: TaskDef, broken: Broken) -> list[str]:
    """Splits on this machine, the training split first; unreadable ones are added to `broken`."""
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
            if error.code in NOT_HERE:
                continue
            if error.code != HIDDEN:
                broken.setdefault((task.source_id, name), located(error, task))
        found.append(name)
    return found


def _double_ids(
    request: CompileRequest, task: TaskDef, split: str, reading: Reading
) -> Iterator[Diagnostic]:
    """Rows of one split that have one id."""
    spec = split_spec(request, task, split)
    if spec.place.id is None:
        return
    rows, _ = sample(spec, reading.rows or 1 << 62, ())
    counts = Counter(str(row["_id"]) for row in rows)
    double = {id_: n for id_, n in counts.most_common() if n > 1}
    if double:
        such = ", ".join(f"{id_!r} ({n:,} rows)" for id_, n in islice(double.items(), 3))
        message = (
            f"{sum(double.values()):,} of {len(rows):,} rows of {task.source_id!r}, {split!r},"
        )
        message += f" share {len(double):,} id{'s' if len(double) > 1 else ''}: {such}"
        span = task.dataset.document.span(("source", "id"))
        yield Diagnostic("FC337", message, span, _SHARED_ID, "warning")


def _across(
    request: CompileRequest, task: TaskDef, splits: Sequence[str], reading: Reading, broken: Broken
) -> list[Diagnostic]:
    """Count rows that two splits share; this needs all rows."""
    if reading.rows is not None or len(splits) < 2:
        return []
    names = task.task.signature.inputs
    seen: dict[int, str] = {}
    found: list[Diagnostic] = []
    for split in (s for s in splits if (task.source_id, s) not in broken):
        try:
            rows, _ = sample(split_spec(request, task, split), 1 << 62, names)
        except FlancompileError as error:
            found += _unread(error, task)
            continue
        keys = {hash(tuple(" ".join(str(r.get(n)).lower().split()) for n in names)) for r in rows}
        for other in splits[: splits.index(split)]:
            if double := sum(seen.get(k) == other for k in keys):
                message = f"{task.id}: {double:,} inputs occur in both {other!r} and {split!r}"
                span = task.dataset.document.span(("source",))
                hint = "scores on rows seen in training mean little; remove the rows from one split"
                found.append(Diagnostic("FC332", message, span, hint, "warning"))
        for key in keys:
            seen.setdefault(key, split)
    return found

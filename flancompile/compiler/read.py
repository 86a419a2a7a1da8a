"""Read the splits of a compile, each once, however many tasks use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from flancompile.compiler.request import CompileRequest
from flancompile.dsl.library.library import TaskDef
from flancompile.errors import FlancompileError
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_split
from flancompile.sources.place import resolve_place

__all__ = ["NOT_HERE", "Reads", "missing_for", "read_all", "split_spec", "splits_of"]

Reads = dict[tuple[str, str], SplitBlocks]
NOT_HERE = frozenset({"FC301", "FC306"})  # diagnostics of rows that are not on this machine


def split_spec(request: CompileRequest, task: TaskDef, split: str) -> SplitSpec:
    """The spec that determines a split's rows for a task. Raises FC301 for missing files."""
    dataset = task.dataset.model
    choice = root = None
    if request.overlay is not None:
        choice = request.overlay.model.sources.get(task.dataset.id)
        root = request.overlay.folder / (request.overlay.model.root or ".")
    place = resolve_place(
        dataset.source,
        choice,
        split,
        task.dataset.folder,
        root,
        task.variable,
        task.dataset.document.span(("source",)),
    )
    return SplitSpec(
        source_id=task.source_id,
        place=place,
        fields=dict(dataset.fields),
        where=dataset.where,
        seed=request.recipe.model.seed,
        variable=task.variable,
        let=dict(dataset.let),
    )


def read_all(
    request: CompileRequest, splits: Iterable[tuple[TaskDef, str]], executor: Executor | None
) -> tuple[Reads, dict[tuple[str, str], str]]:
    """Read splits. -> (the read splits, reasons for missing ones), by (source id, split)

    A missing split raises, unless the recipe sets `missing: leave_out`.
    """
    specs: dict[tuple[str, str], SplitSpec] = {}
    missing: dict[tuple[str, str], str] = {}
    may_miss = request.recipe.model.missing == "leave_out"
    for task, split in splits:
        key = (task.source_id, split)
        if key not in specs and key not in missing:
            try:
                specs[key] = split_spec(request, task, split)
            except FlancompileError as error:
                missing[key] = _excused(error, may_miss)
    with request.stage("read") as report:
        jobs: Iterator[Callable[[], str]]
        if executor is None:
            jobs = (partial(_read_here, request, spec) for spec in specs.values())
        else:
            arguments = (request.cache.reads, request.memory_bytes)
            futures = [executor.submit(_read, (spec, *arguments)) for spec in specs.values()]
            jobs = (one.result for one in futures)
        found: Reads = {}
        for done, (key, read) in enumerate(zip(specs, jobs, strict=True), 1):
            try:
                found[key] = SplitBlocks.open(Path(read()))
                _pin(request, specs[key], found[key].commit)
            except FlancompileError as error:
                missing[key] = _excused(error, may_miss)
            report(done, len(specs))
    return found, missing


def _pin(request: CompileRequest, spec: SplitSpec, commit: str | None) -> None:
    """Record the commit of a Hub repository for the build's lock."""
    place = spec.place
    if place.hub is not None and not Path(place.hub).is_dir():
        pin = {"repository": place.hub, "config": place.config, "revision": place.revision}
        request.pins[f"{spec.source_id}:{place.split}"] = {**pin, "commit": commit}


def _excused(error: FlancompileError, may_miss: bool) -> str:
    """The reason why a split is missing; raises the error if the recipe does not allow that."""
    if not may_miss or any(d.code not in NOT_HERE for d in error.diagnostics):
        raise error
    return error.diagnostics[0].message


def missing_for(
    tasks: Iterable[TaskDef], split: str, missing: Mapping[tuple[str, str], str]
) -> dict[str, str]:
    """Reasons why tasks cannot be compiled from a split, by task id."""
    found: dict[str, str] = {}
    for task in tasks:
        for _, other in splits_of([task], split):
            if (task.source_id, other) in missing:
                found.setdefault(task.id, missing[task.source_id, other])
    return found


def splits_of(tasks: Iterable[TaskDef], split: str) -> list[tuple[TaskDef, str]]:
    """The split of each task, and the splits of its exemplars."""
    pairs = []
    for task in tasks:
        pairs.append((task, split))
        other = task.task.exemplars.split
        if other is not None:
            pairs.append((task, other))
    return pairs


def _read_here(request: CompileRequest, spec: SplitSpec) -> str:
    """Read a split in this process, reporting progress by rows."""

    def report(rows: int) -> None:
        if request.progress is not None:
            request.progress(f"read {spec.source_id}", rows, None)

    memory = request.memory_bytes
    return str(read_split(spec, request.cache.reads, memory_bytes=memory, progress=report).folder)


def _read(job: tuple[SplitSpec, Path, int]) -> str:
    spec, cache, memory = job
    return str(read_split(spec, cache, memory_bytes=memory).folder)

"""The write pass: read each object once, frame its ids, and scatter them into packs.

Beside packs and examples a build has the ledger, evaluation tables, the tokenizer, the lock
(resolved inputs), run.json (times) and the manifest, which is written last.
"""

from __future__ import annotations

import json
import platform
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from flancompile._version import __version__
from flancompile.compiler.evaluation.tables import EvalTable
from flancompile.compiler.evaluation.write import write_eval_ledger, write_evaluation_set
from flancompile.compiler.link.ledger import ledger_of
from flancompile.compiler.link.link import Linked, Taken
from flancompile.compiler.objects.build import json_digest, read_object
from flancompile.compiler.objects.schedule import threads_within
from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.compiler.packing.pack import PackPlan
from flancompile.compiler.prepared_recipe import PreparedRecipe
from flancompile.compiler.render.exemplar_pools import pool_names
from flancompile.compiler.special_tokens import NONE, framed
from flancompile.dsl.library.library import TaskDef
from flancompile.store.manifest import EvalEntry, Manifest, TaskCount, TokenizerAbout
from flancompile.store.schema import NAMES
from flancompile.store.writer import BuildWriter, PackTable

__all__ = ["write_build"]

_PINNED = ("numpy", "pyarrow", "jinja2", "tokenizers", "sentencepiece", "gigatoken", "numba")
AHEAD = 8  # objects whose examples are gathered ahead of the writer
T = TypeVar("T")
R = TypeVar("R")
_EXAMPLE_COLUMNS = (
    "row", "row_id", "template", "option_style", "shots_style", "shots_asked", "shots", "options",
    "cot", "truncated", "exact", "exemplars", "prompt_tokens", "target_tokens",
)  # fmt: skip


def write_build(
    prepared: PreparedRecipe,
    streams: Streams,
    linked: Linked,
    packs: PackPlan,
    tables: Sequence[EvalTable],
    out: Path,
    *,
    overwrite: bool,
) -> Manifest:
    """Write a build and rename it into place."""
    recipe, request = prepared.context.recipe, prepared.request
    dtype = "uint16" if prepared.tokenizer.vocab_size <= 1 << 16 else "uint32"
    arguments: dict[str, Any] = {"recipe": recipe.recipe, "overwrite": overwrite}
    with BuildWriter(out, recipe.layout, _lengths(prepared), dtype, **arguments) as writer:
        pad = prepared.tokenizer.pad_id or 0
        with _write_pool(threads_within(request.memory_bytes)) as pool:
            with request.stage("write") as report:
                in_packs = linked.order[packs.items]
                table = PackTable(packs.offsets, in_packs, linked.loss_spans.take(in_packs))
                writer.create_packs(table, recipe.shards.packs, pad)
                ledger = pool.submit(_write_ledger, writer, prepared, streams, linked)
                one = partial(_write_object, writer, prepared, linked)
                for done, examples in enumerate(_some_ahead(pool, one, linked.taken), 1):
                    writer.write_examples(examples)
                    report(done, len(linked.taken))
            with request.stage("ledger"):
                ledger.result()
        evaluation = [write_evaluation_set(writer, t) for t in tables]
        others = _write_others(writer, prepared, tables) | _write_names(writer, prepared)
        others |= write_eval_ledger(writer, tables)
        manifest = _manifest(prepared, streams, linked, packs, dtype, pad, evaluation)
        with request.stage("finish"):
            _write_run(writer, prepared, streams)
            return writer.finish(manifest, others, ["run.json"])


@contextmanager
def _write_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """A thread pool for independent writes; an error cancels those that have not begun."""
    pool = ThreadPoolExecutor(count, "write")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _some_ahead(
    pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]
) -> Iterator[R]:
    """Map a function over items in order, computing a few results ahead."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _write_ledger(
    writer: BuildWriter, prepared: PreparedRecipe, streams: Streams, linked: Linked
) -> None:
    split = prepared.context.recipe.split
    for id_ in sorted(streams.streams):
        stream = streams.streams[id_]
        blocks = prepared.context.reads[stream.planned.task.source_id, split]
        for part in ledger_of(stream, blocks, split, linked.counts.get(id_, 0)):
            writer.write_ledger(part)


def _write_object(
    writer: BuildWriter, prepared: PreparedRecipe, linked: Linked, taken: Taken
) -> pa.Table:
    """Frame an object's ids and put them into their packs. -> its lines of the examples table"""
    table = read_object(taken.piece.path)
    rows, frame = taken.rows, prepared.frame
    ids = table["ids"].combine_chunks()
    ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
    starts = ids.offsets.to_numpy()[rows]
    flat = ids.values.to_numpy(zero_copy_only=False)
    whole = framed(flat, starts, taken.piece.loss_spans.part(0, taken.count), frame)
    lengths = linked.lengths[taken.first : taken.first + taken.count]
    assert len(whole) == int(lengths.sum()), f"lengths of {taken.piece.path} do not add up"
    writer.scatter(taken.first, whole, lengths)
    part = table.select(list(_EXAMPLE_COLUMNS)).take(rows)
    task, split = taken.stream.planned.task, prepared.context.recipe.split
    for name, value in (
        ("task", pa.scalar(task.id)),
        ("split", pa.scalar(split)),
        ("pass", pa.scalar(taken.piece.epoch, pa.uint16())),
        ("inverted", pa.scalar(task.task.inverted)),
    ):
        part = part.append_column(name, pa.repeat(value, taken.count))
    return _plain(part)


def _plain(table: pa.Table) -> pa.Table:
    columns = {}
    for name in table.column_names:
        column = table[name]
        is_coded = pa.types.is_dictionary(column.type)
        columns[name] = column.cast(pa.string()) if is_coded else column
    return pa.table(columns)


def _write_others(
    writer: BuildWriter, prepared: PreparedRecipe, tables: Sequence[EvalTable]
) -> dict[str, int]:
    prepared.tokenizer.save(writer.folder / "tokenizer")
    lock = _lock(prepared, tables)
    text = json.dumps(lock, indent=2, sort_keys=True) + "\n"
    (writer.folder / "recipe.lock").write_text(text, encoding="utf-8")
    names = [f"tokenizer/{p.name}" for p in (writer.folder / "tokenizer").iterdir()]
    return dict.fromkeys([*names, "recipe.lock"], 1)


def _write_names(writer: BuildWriter, prepared: PreparedRecipe) -> dict[str, int]:
    """Names of exemplars from another split or a file: the ledger has none of their rows."""
    context = prepared.context
    lines: list[tuple[str, int, str]] = []
    for id_, planned in sorted(prepared.planned.items()):
        settings = planned.task.task.exemplars
        has_exemplars = any(shots > 0 for shots, _ in planned.arms.shots)
        if has_exemplars and settings.source in ("split", "file"):
            ref = context.pool(planned.task, context.recipe.split)
            names = pool_names(ref, settings) if ref is not None else {}
            lines += [(id_, row, name) for row, name in names.items()]
    if not lines:
        return {}
    columns = [pa.array(c, f.type) for c, f in zip(zip(*lines, strict=True), NAMES, strict=True)]
    table = pa.table(columns, schema=NAMES)
    parquet.write_table(table, writer.folder / "exemplars.parquet", compression="zstd")
    return {"exemplars.parquet": len(table)}


def _lock(prepared: PreparedRecipe, tables: Sequence[EvalTable]) -> dict[str, Any]:
    """Resolved digests and versions, to repeat the build and to see differences between builds."""
    context = prepared.context
    trained = [p.task for p in prepared.planned.values()]
    tasks = sorted([*trained, *(t.set.task for t in tables)], key=lambda t: t.id)
    library = {
        "/".join(Path(d.path).parts[-2:]): json_digest(d.index.lines)
        for d in prepared.request.library.documents
    }
    sources = {
        f"{source}:{split}": {"rows": b.rows, "kept": b.kept, "read": b.folder.name}
        for (source, split), b in sorted(context.reads.items())
    }
    return {
        "recipe": context.recipe.model_dump(mode="json", by_alias=True),
        "tokenizer": prepared.tokenizer.digest,
        "sources": sources,
        "hub": prepared.request.pins,
        "library": library,
        "templates": {t.id: template_places(t) for t in tasks},
        "versions": {"flancompile": __version__, **{n: metadata.version(n) for n in _PINNED}},
    }


def template_places(task: TaskDef) -> dict[str, str]:
    """Template name -> `folder/file.yaml:line`, relative to the library's parent folder."""
    found = {}
    for place, template in enumerate(task.task.templates):
        span = task.span("templates", place)
        found[template.name] = f"{'/'.join(Path(span.path).parts[-2:])}:{span.line}"
    return found


def _write_run(writer: BuildWriter, prepared: PreparedRecipe, streams: Streams) -> None:
    run = {
        "seconds": {k: round(v, 4) for k, v in prepared.request.seconds.items()},
        "objects_built": streams.built,
        "objects_found": streams.found,
        "encoder": prepared.tokenizer.encoder,
        "work": streams.work(),
        "workers": prepared.request.workers,
        "python": sys.version.split()[0],
        "machine": platform.machine(),
        "system": platform.system(),
    }
    text = json.dumps(run, indent=2, sort_keys=True) + "\n"
    (writer.folder / "run.json").write_text(text, encoding="utf-8")


def _lengths(prepared: PreparedRecipe) -> dict[str, int]:
    lengths = prepared.context.recipe.lengths
    if prepared.context.recipe.layout == "decoder":
        return {"tokens": lengths.pack or 0}
    return {"inputs": lengths.input or 0, "targets": lengths.target or 0}


def _manifest(
    prepared: PreparedRecipe,
    streams: Streams,
    linked: Linked,
    packs: PackPlan,
    dtype: Any,
    pad: int,
    evaluation: Sequence[EvalEntry],
) -> Manifest:
    recipe, tokenizer, frame = prepared.context.recipe, prepared.tokenizer, prepared.frame
    counts = {
        "packs": len(packs.offsets) - 1,
        "examples": len(linked),
        "tokens": int(linked.lengths.sum()),
        "target_tokens": int(linked.lengths[:, 1].sum()),
        "inexact_targets": linked.inexact,
        "frame_prompt": frame.prompt_extra,
        "frame_target": frame.target_extra,
    }
    mixture = prepared.request.library.mixture(recipe.mixture).model
    tasks = task_counts(prepared, streams, linked, mixture.rate_in)
    counts["unknown_prompts"] = sum(t.unknown_prompts for t in tasks)
    counts["special_in_data"] = sum(t.special_in_data for t in tasks)
    recipe_keys = recipe.model_dump(mode="json", by_alias=True, exclude={"overlay", "description"})
    return Manifest(
        flancompile_version=__version__,
        recipe=recipe_keys,
        recipe_digest=json_digest(recipe_keys),
        layout=recipe.layout,
        lengths=_lengths(prepared),
        token_dtype=dtype,
        tokenizer=TokenizerAbout(
            name=tokenizer.name,
            kind=tokenizer.kind,
            digest=tokenizer.digest,
            vocab_size=tokenizer.vocab_size,
            bos_id=tokenizer.bos_id,
            eos_id=tokenizer.eos_id,
            pad_id=tokenizer.pad_id,
            lossless=tokenizer.lossless,
        ),
        frame={k: None if v == NONE else v for k, v in _frame(prepared).items()},
        pad_id=pad,
        counts=counts,
        rate_in=mixture.rate_in,
        tasks=tuple(tasks),
        held_out=prepared.held_out,
        left_out=prepared.left_out,
        unwritten_styles=_unwritten(prepared),
        empty=tuple(sorted(i for i, s in streams.streams.items() if s.usable == 0)),
        packing=packs.certificate.as_dict(),
        evaluation=tuple(evaluation),
    )


def _unwritten(prepared: PreparedRecipe) -> dict[str, str]:
    """Reasons for styles that the tokenizer cannot write, of kinds that the build's tasks use."""
    tasks = [p.task.task for p in prepared.planned.values()]
    chats = any(t.turns is not None for task in tasks for t in task.templates)
    used = {
        "shots": True,
        "option": any(t.options != "none" for task in tasks for t in task.templates),
        "chat": chats or prepared.context.recipe.styles.wrap,
    }
    found = prepared.context.unwritten
    return {i: why for kind, styles in found.items() if used[kind] for i, why in styles.items()}


def _frame(prepared: PreparedRecipe) -> dict[str, int]:
    frame = prepared.frame
    return {
        "before": frame.before,
        "after_prompt": frame.after_prompt,
        "after_target": frame.after_target,
    }


def task_counts(
    prepared: PreparedRecipe, streams: Streams, linked: Linked, rate_in: str
) -> list[TaskCount]:
    """Requested and realised counts of each task."""
    by_task: dict[str, list[Taken]] = {}
    for taken in linked.taken:
        by_task.setdefault(taken.stream.id, []).append(taken)
    amounts = {i: _amount(linked, parts, rate_in) for i, parts in by_task.items()}
    total = sum(amounts.values()) or 1
    return [
        _task_count(
            prepared, linked, streams.streams[i], by_task.get(i, []), amounts.get(i, 0) / total
        )
        for i in sorted(streams.streams)
    ]


def _amount(linked: Linked, parts: Sequence[Taken], rate_in: str) -> int:
    if rate_in == "examples":
        return sum(p.count for p in parts)
    return sum(int(linked.lengths[p.first : p.first + p.count, 1].sum()) for p in parts)


def _task_count(
    prepared: PreparedRecipe,
    linked: Linked,
    stream: Stream,
    parts: Sequence[Taken],
    realised: float,
) -> TaskCount:
    task = stream.planned.task
    blocks = prepared.context.reads[task.source_id, prepared.context.recipe.split]
    columns = (
        "template", "shots_asked", "shots", "fewer_shots", "options", "cot", "truncated", "exact",
        "unknown", "spells_special",
    )  # fmt: skip
    tables = [_plain(read_object(p.piece.path, columns).take(p.rows)) for p in parts]
    table = pa.concat_tables(tables) if tables else None
    lengths = [linked.lengths[p.first : p.first + p.count].sum(axis=0) for p in parts]
    prompt, target = np.sum(lengths, axis=0).tolist() if lengths else (0, 0)
    count = sum(p.count for p in parts)
    return TaskCount(
        task=task.id,
        member=stream.planned.member,
        source=task.source_id,
        cluster=task.task.cluster,
        category=task.category,
        inverted=task.task.inverted,
        share_requested=prepared.shares.get(task.id, 0.0),
        share_realised=realised,
        examples_requested=linked.requested.get(task.id, 0),
        examples=count,
        rows=blocks.rows,
        passes=round(count / stream.usable_rows, 6) if stream.usable_rows else 0.0,
        prompt_tokens=prompt,
        target_tokens=target,
        shots_asked=_counted(table, "shots_asked"),
        shots=_counted(table, "shots"),
        fewer_shots=_counted(table, "fewer_shots"),
        with_options=_counted(table, "options").get(True, 0),
        cot=_counted(table, "cot").get(True, 0),
        truncated=_counted(table, "truncated").get(True, 0),
        inexact_targets=_counted(table, "exact").get(False, 0),
        unknown_prompts=_counted(table, "unknown").get(True, 0),
        special_in_data=_counted(table, "spells_special").get(True, 0),
        templates=_counted(table, "template"),
    )


def _counted(table: pa.Table | None, column: str) -> dict[Any, int]:
    """Count of each value of a column, sorted by value."""
    if table is None:
        return {}
    counts = table[column].drop_null().value_counts().to_pylist()
    return {c["values"]: c["counts"] for c in sorted(counts, key=lambda c: c["values"])}

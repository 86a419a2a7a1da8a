"""Objects: the rendered, tokenised examples of one (task, block, epoch), by content address.

An object's key is a digest of all that determines its bytes: the block's columns that the task
reads, the task's definition, styles, arms, example lengths, tokenizer, seed and `OBJECT_VERSION`;
never a path or a time. So after a change of rates, caps, packing or shards every object is found
again, and a change of one task misses only that task's. The ids hold no special tokens: both
layouts share an object.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import blake3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.assemble import assemble
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects.examples import FittedColumns, example_table, fit_columns
from flancompile.compiler.objects.fit import Budget, Fitted, fit
from flancompile.compiler.objects.used_fields import query_fields, used_fields
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplar_pools import PoolRef, pool_batch
from flancompile.compiler.render.exemplars import Pools, item_rows
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.compiler.render.row_set import RowSet, Stored
from flancompile.drop_reasons import DropReason
from flancompile.errors import fail
from flancompile.marks import replaced
from flancompile.sources.blocks import SplitBlocks
from flancompile.sources.gaps import GAP, gap_fields, split_gaps, without_gaps
from flancompile.store.loss_spans import LossSpans
from flancompile.tokenizer.chat import ChatTemplate
from flancompile.tokenizer.load import TokenizerRef
from flancompile.tokenizer.special import special_token_rows, without_marks
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.unfinished import making_file

__all__ = [
    "OBJECT_VERSION",
    "WORK",
    "ObjectJob",
    "block_rows",
    "build_object",
    "examples_of",
    "is_built",
    "json_digest",
    "loss_spans_of",
    "lost_rows",
    "object_key",
    "object_table",
    "pools_of",
    "read_object",
    "row_set",
    "write_object",
]  # fmt: skip

OBJECT_VERSION = 18
# One example in so many is compared with the reference encoder, and at least so many an object: in
# a block's first epoch, which encodes nearly all of its texts, and in later ones.
PROVEN_FIRST, PROVEN_LATER = (1024, 2), (4096, 1)
# In an object's metadata: texts by encoder, rows by how they were rendered, parts of messages that
# their texts leave out.
WORK = b"work"
_SPELLS = "spells_special"
_MARK = b"ARROW1"
SEGMENT_CACHE_BYTES, MAX_SEGMENT_CACHES = 64 << 20, 16  # of each thread
S = TypeVar("S", Sequence[Fitted], npt.NDArray[np.int64])


@dataclass(frozen=True)
class ObjectJob:
    """One object to build; picklable, and small."""

    key: str
    path: str
    spec: RenderSpec
    budget: Budget
    tokenizer: TokenizerRef
    folder: str
    block: int
    epoch: int
    reserved: int = 0
    pool: PoolRef | None = None


def object_key(
    job: ObjectJob, digests: Mapping[str, str], tokenizer: str, spec: str | None = None
) -> str:
    """The content address of a job's object.

    digests: of the block's columns, by name; spec: the digest of the job's spec, if known.
    """
    names = used_fields(job.spec.task, digests)
    own = {*names, *(GAP + n for n in names), "_row", "_id", "_ordinal"}
    read = {n: d for n, d in digests.items() if n in own}
    pool = None if job.pool is None else [job.pool.digest, job.pool.count, list(job.pool.rows)]
    return json_digest(
        {
            "version": OBJECT_VERSION,
            "columns": read,
            "spec": spec or json_digest(job.spec.as_json()),
            "budget": asdict(job.budget),
            "tokenizer": tokenizer,
            "pass": job.epoch,
            "reserved": job.reserved,
            "pool": pool,
            "pool of own split": job.pool is not None and job.pool.folder == job.folder,
        }
    )


def json_digest(value: Any) -> str:
    """BLAKE3 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return str(blake3.blake3(text.encode()).hexdigest())


def build_object(job: ObjectJob) -> str:
    """Render, tokenise and write one object, unless it exists. Returns its path.

    This is the unit of work of every executor: it depends only on the job and the files that it
    names, and writes by rename.
    """
    path = Path(job.path)
    if is_built(path):
        os.utime(path)
        return job.path
    write_object(path, object_table(job))
    return job.path


def is_built(path: Path) -> bool:
    """Whether a whole object exists at a path; one that a crash has cut short is built again.

    Objects are not synced to disk, which for many small files takes longer than building them. An
    Arrow file ends in a magic number: reading it takes 7 microseconds, opening the file 400.
    """
    try:
        with path.open("rb") as file:
            file.seek(-2 * len(_MARK), os.SEEK_END)  # a file begins with the number too
            return file.read().endswith(_MARK)
    except OSError:  # missing, or shorter than both
        return False


def write_object(path: Path, table: pa.Table) -> None:
    """Write an object into the cache, in one record batch."""
    with (
        making_file(path) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=len(table) or None)


def object_table(job: ObjectJob, *, by_columns: bool = True) -> pa.Table:
    """A job's examples. by_columns: false renders each row by itself, with the same result."""
    block, lost = block_rows(job), lost_rows(job)
    pools, tokenizer = pools_of(job, block[0]), job.tokenizer.load()
    reserved = min(job.reserved, len(block[0]))  # of the rows with all fields, as in `pool_batch`
    cache = _thread_caches.segment_cache(_scope(job, _gaps(job)), job.block, tokenizer)
    table = examples_of(
        job.spec, block, pools, tokenizer, job.budget, reserved=reserved,
        by_columns=by_columns, segment_cache=cache,
    )  # fmt: skip
    if lost is None:
        return table
    wide = tokenizer.vocab_size > 1 << 16
    rows, ids, ordinals, reasons = lost
    more = example_table(job.spec, rows, ids, ordinals, None, (), dict(enumerate(reasons)), wide)
    more = more.append_column(_SPELLS, pa.array(np.zeros(len(more), np.bool_)))
    whole = pa.concat_tables([table, more.replace_schema_metadata(table.schema.metadata)])
    return whole.combine_chunks()


def examples_of(
    spec: RenderSpec,
    block: tuple[RowSet, pa.Array, pa.Array],
    pools: Pools,
    tokenizer: Tokenizer,
    budget: Budget,
    *,
    reserved: int = 0,
    by_columns: bool = True,
    segment_cache: SegmentCache | None = None,
) -> pa.Table:
    """The examples of a block's rows (with their ids and ordinals), a line for each row.

    reserved: number of first rows that are reserved for exemplars; segment_cache:
    segments that earlier epochs of the block encoded.
    """
    rows, ids, ordinals = block
    before = dict(tokenizer.encoder_counts)
    dropped: dict[int, str] = dict.fromkeys(range(reserved), DropReason.RESERVED)
    segment_cache = segment_cache or SegmentCache(tokenizer)
    assembly = assemble(spec, rows, pools, dropped, segment_cache) if by_columns else None
    columns, fallback_rows, known = None, None, dropped
    if assembly is not None:
        columns = fit_columns(assembly, segment_cache, budget, may_cut=bool(spec.task.truncate))
        fallback_rows, known = columns.fallback_rows.tolist(), {**dropped, **assembly.reasons}
    renderer = Renderer(spec, rows, pools, known, fallback_rows)
    fitted = list(fit(renderer, tokenizer, budget))
    _prove(spec, rows, tokenizer, columns, fitted)
    wide = tokenizer.vocab_size > 1 << 16
    table = example_table(spec, rows, ids, ordinals, columns, fitted, renderer.reasons, wide)
    table = table.append_column(_SPELLS, pa.array(_spelling(rows, tokenizer)))
    by_row = len(rows) - reserved if fallback_rows is None else len(fallback_rows)
    paths = {
        n: c - before.get(n, 0) for n, c in tokenizer.encoder_counts.items() if c > before.get(n, 0)
    }
    work = {"texts": paths, "rows": {"by column": len(rows) - reserved - by_row, "by row": by_row}}
    if renderer.left_out:
        work["left_out"] = {f"{spec.task_id}: {n}": c for n, c in renderer.left_out.items()}
    return table.replace_schema_metadata({WORK: json.dumps(work, sort_keys=True)})


def _spelling(rows: RowSet, tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """Rows that spell a special token of the tokenizer in a field that the task reads."""
    stored = rows.columns
    columns = stored.arrays() if isinstance(stored, Stored) else stored
    names = sorted(columns)
    return rows.cached(
        rows.shared.spellings,
        (tokenizer.digest, *names),
        lambda: special_token_rows((columns[n] for n in names), tokenizer.special_texts, len(rows)),
    )


def _prove(
    spec: RenderSpec,
    rows: RowSet,
    tokenizer: Tokenizer,
    columns: FittedColumns | None,
    fitted: Sequence[Fitted],
) -> None:
    """Compare a sample of the ids with the tokenizer's reference encoder. Raises FC512."""
    texts: list[str] = []
    ids: list[npt.NDArray[np.uint32]] = []
    if columns is not None:
        some = _sampled(columns.places, rows)
        fragments = columns.prompts.cache.fragments
        texts += fragments.texts(columns.assembly.prompts(some)).to_pylist()
        texts += fragments.texts(columns.assembly.targets.take(some)).to_pylist()
        ids += [*columns.prompts.take(some), *columns.targets.take(some)]
    for one in _sampled(fitted, rows):
        spans = one.draft.texts(spec)
        whole = isinstance(spec.layout_of(one.draft), ChatTemplate)
        texts += ["".join(spans)] if whole else spans
        ids += [np.concatenate(one.parts)] if whole else one.parts
    for text, found, expected in zip(texts, ids, tokenizer.reference(texts), strict=True):
        if not np.array_equal(found, expected):
            message = f"{spec.task_id}: {tokenizer.encoder} and the reference give other ids"
            raise fail("FC512", f"{message} for {text[:60]!r}", hint="please report this text")


def _sampled(items: S, rows: RowSet) -> S:
    """A sample of the items, a different one in each epoch."""
    share, least = PROVEN_LATER if rows.epoch else PROVEN_FIRST
    step = min(share, max(1, len(items) // least))
    first = int(rows.bits("proof", rows=np.zeros(1, np.int64))[0]) % step
    return items[first::step]


def read_object(path: str | Path, columns: Iterable[str] | None = None) -> pa.Table:
    """An object's table, memory-mapped; only `columns` when they are given."""
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()  # memory-mapped, without a copy
        return table if columns is None else table.select(list(columns))


def loss_spans_of(table: pa.Table) -> LossSpans:
    """Loss spans of an object's rows, without the frame.

    A row without an example has two of length 0.
    """
    column = table["runs"].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    lengths = [table[n].to_numpy().astype(np.int64) for n in ("prompt_tokens", "target_tokens")]
    if column.null_count == len(column):
        return LossSpans.pairs(np.stack(lengths, axis=1))
    many = [c or [p, t] for c, p, t in zip(column.to_pylist(), *lengths, strict=True)]
    counts = [0, *(len(m) for m in many)]
    return LossSpans(np.array([n for m in many for n in m], np.int64), np.cumsum(counts))


def row_set(spec: RenderSpec, batch: pa.RecordBatch, epoch: int, folder: str) -> RowSet:
    """A block's rows as templates see them. folder: the read split of the rows."""
    names = used_fields(spec.task, batch.schema.names)
    fields = {f.name: f for f in batch.schema if f.name in names}
    columns = Stored({n: without_marks(batch.column(n)) for n in fields}, fields)
    return RowSet(
        task_id=spec.task_id,
        task=spec.task,
        seed=spec.seed,
        epoch=epoch,
        digests=batch.column("_row").to_numpy(),
        columns=columns,
        variable=spec.variable,
        arrays=columns.exact(),
        origin=folder,
    )


def block_rows(job: ObjectJob, *, evaluated: bool = False) -> tuple[RowSet, pa.Array, pa.Array]:
    """A job's rows with their ids and ordinals, without those of `lost_rows`.

    evaluated: they are queries of an evaluation, of which a missing rationale is null.
    """
    gaps = _gaps(job, evaluated)
    batch = without_gaps(_batch(job), gaps)
    rows = row_set(job.spec, batch, job.epoch, job.folder)
    rows.shared = _thread_caches.shared(_scope(job, gaps), job.block)
    return rows, batch.column("_id"), batch.column("_ordinal")


def lost_rows(
    job: ObjectJob, *, evaluated: bool = False
) -> tuple[RowSet, pa.Array, pa.Array, list[str]] | None:
    """A block's rows that lack a field that the task reads: rows, ids, ordinals and reasons."""
    _, batch, reasons = split_gaps(_batch(job), _gaps(job, evaluated))
    if not reasons:
        return None
    rows = row_set(job.spec, batch, job.epoch, job.folder)
    return rows, batch.column("_id"), batch.column("_ordinal"), reasons


def _batch(job: ObjectJob) -> pa.RecordBatch:
    return _opened(job.folder).block(job.block)


def _gaps(job: ObjectJob, evaluated: bool = False) -> tuple[str, ...]:
    """Fields that the task needs and that some rows of the block lack."""
    batch, needed = _batch(job), query_fields if evaluated else used_fields
    return gap_fields(batch, needed(job.spec.task, batch.schema.names))


def _scope(job: ObjectJob, gaps: Iterable[str]) -> str:
    """A name for the rows of the job's block that its task sees, which are those without a gap."""
    return "|".join((job.folder, *gaps))


class _ThreadCaches(threading.local):
    """Cached values of the blocks that a thread rendered last, by `_scope` and block.

    segment caches: up to `SEGMENT_CACHE_BYTES`; shared: values that do not depend on the tokenizer.
    """

    def __init__(self) -> None:
        self._segment_caches: dict[tuple[str, int, str], SegmentCache] = {}
        self.shared = lru_cache(maxsize=32)(lambda scope, block: BlockCache())

    def segment_cache(self, scope: str, block: int, tokenizer: Tokenizer) -> SegmentCache:
        """Segment cache of a block; evicts the oldest caches over the memory limit."""
        key = (scope, block, tokenizer.digest)
        found = self._segment_caches.pop(key, None)
        if found is None or found.nbytes > SEGMENT_CACHE_BYTES:
            found = SegmentCache(tokenizer)
        room = SEGMENT_CACHE_BYTES - found.nbytes
        for place, (other, cache) in enumerate(reversed(list(self._segment_caches.items())), 1):
            room -= cache.nbytes
            if room < 0 or place == MAX_SEGMENT_CACHES:
                del self._segment_caches[other]
        self._segment_caches[key] = found
        return found


_thread_caches = _ThreadCaches()


@lru_cache(maxsize=64)
def _opened(folder: str) -> SplitBlocks:
    return SplitBlocks.open(Path(folder))


def pools_of(job: ObjectJob, rows: RowSet) -> Pools:
    """The exemplar pools of a job's rows."""
    settings = job.spec.task.exemplars
    if job.pool is None:
        return Pools(settings, rows)
    if job.pool.folder is None:
        items = [replaced(json.loads(r)) for r in job.pool.rows]
        return Pools(settings, item_rows(rows, items, settings))
    batch = pool_batch(job.pool, settings)
    return Pools(settings, row_set(job.spec, batch, job.epoch, job.pool.folder))

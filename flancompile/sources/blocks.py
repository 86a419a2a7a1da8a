"""Read pass: a split of a source becomes blocks of fields, in an order fixed by the seed.

Rows are sorted by a draw on their identity, so every prefix is a random sample. The sort is
external: rows are collected up to a limit, spilled as sorted files, then merged by ranges of the
key, which are even since the key is uniform. A split larger than memory therefore compiles. The
result is cached by a key of the files' bytes and the definitions, without paths or times.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import blake3
import numpy as np
import pyarrow as pa

from flancompile import draw
from flancompile.sources.columns import (
    ColumnTypes,
    column_digests,
    column_field,
    mixed_as_json,
    restored,
    stored,
    weights,
)
from flancompile.sources.digests import file_digest
from flancompile.sources.field_columns import FieldBatch, field_batches
from flancompile.sources.fields import FieldRow, SplitSpec, field_rows
from flancompile.sources.gaps import GAP, count_gaps, gap_columns, without_empty, without_gaps
from flancompile.sources.hub import hub_commit, hub_files
from flancompile.sources.order import block_sizes, fresh, sorted_rows
from flancompile.sources.place import Resolved
from flancompile.unfinished import clear, making_folder, remove

__all__ = [
    "READ_VERSION",
    "SplitBlocks",
    "SplitSpec",
    "read_key",
    "read_split",
    "read_to_the_end",
    "sample",
]

READ_VERSION = 11
MEMORY_BYTES = 256 << 20
SPILL_BYTES = 256 << 20  # limit of a spilled file: a text column has 31-bit offsets
BLOCK_BYTES = 256 << 20  # rows of over 64 KiB each make smaller blocks
ROW_BYTES = 400
DROPPED_PER_ROW = 100  # a sample stops after so many dropped rows for each wanted one
DROPPED = pa.schema(
    [("ordinal", pa.uint64()), ("row", pa.uint64()), ("id", pa.string()), ("reason", pa.string())]
)
HEAD = [("_row", pa.uint64()), ("_id", pa.string()), ("_ordinal", pa.uint64())]


@dataclass(frozen=True)
class SplitBlocks:
    """A split in blocks, memory-mapped, and its dropped rows.

    rows, kept: of the source, and in blocks; commit: of the Hub repository, if known; gaps: sets of
    fields that failed together in kept rows, with the number of those rows.
    """

    folder: Path
    rows: int
    kept: int
    block_rows: tuple[int, ...]
    column_digests: tuple[dict[str, str], ...]
    columns: tuple[str, ...]
    commit: str | None = None
    gaps: tuple[tuple[tuple[str, ...], int], ...] = ()

    @classmethod
    def open(cls, folder: Path) -> SplitBlocks:
        """Open a folder written by `read_split`."""
        metadata = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        return cls(
            folder,
            metadata["rows"],
            metadata["kept"],
            tuple(metadata["block_rows"]),
            tuple(metadata["column_digests"]),
            tuple(metadata["columns"]),
            metadata.get("commit"),
            tuple((tuple(names), rows) for names, rows in metadata.get("gaps", ())),
        )

    def rows_with(self, fields: Collection[str]) -> int:
        """Number of kept rows with a value in each of the fields."""
        return self.kept - count_gaps(self.gaps, fields)

    def rows_for(self, fields: Collection[str]) -> tuple[int, ...]:
        """Rows of each block with a value in each of the fields."""
        if self.rows_with(fields) == self.kept:
            return self.block_rows
        return tuple(len(without_gaps(self.block(i), fields)) for i in range(self.batches))

    @cached_property
    def _file(self) -> Any:
        return pa.ipc.open_file(pa.memory_map(str(self.folder / "blocks.arrow")))

    @property
    def batches(self) -> int:
        """Number of blocks in the file."""
        return int(self._file.num_record_batches)

    def block(self, index: int) -> pa.RecordBatch:
        """A block: `_row`, `_id`, `_ordinal`, a stored column for each field, and gap columns."""
        return self._file.get_batch(index)

    def digests(self, index: int) -> dict[str, str]:
        """A digest of each column of a block, by name."""
        return self.column_digests[index]

    def dropped(self) -> pa.Table:
        """Dropped rows: ordinal, row, id, reason; in the source's order."""
        with pa.memory_map(str(self.folder / "dropped.arrow")) as source:
            return pa.ipc.open_file(source).read_all()


def read_key(spec: SplitSpec, cache: Path) -> str:
    """The content address of a read split."""
    place = spec.place
    if place.hub is not None and not Path(place.hub).is_dir():
        commit = hub_commit(place.hub, place.revision)
        content = [place.hub, commit] if commit else [place.hub, *_hub_digests(place, cache)]
    else:
        content = []
        if place.hub is not None:
            folder = Path(place.hub)
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                content += [path.relative_to(folder).as_posix(), file_digest(path, cache)]
    content += [file_digest(Path(f), cache) for f in place.all_files()]
    metadata = {
        "version": READ_VERSION,
        "source": spec.source_id,
        "content": content,
        "place": place.as_json(),
        "id": place.id,
        "fields": list(spec.fields.items()),
        **({"let": list(spec.let.items())} if spec.let else {}),
        "where": spec.where,
        "seed": spec.seed,
        "variable": spec.variable,
        "block_rows": spec.block_rows,
    }
    text = json.dumps(metadata, sort_keys=True)
    return str(blake3.blake3(text.encode()).hexdigest())[:40]


def _hub_digests(place: Resolved, cache: Path) -> list[str]:
    """Digests of the cached files of a Hub split whose commit is unknown."""
    assert place.hub is not None
    files = hub_files(place.hub, place.config, place.revision, place.split)
    return [file_digest(f, cache) for f in files]


def read_split(
    spec: SplitSpec,
    cache: Path,
    *,
    memory_bytes: int = MEMORY_BYTES,
    progress: Callable[[int], None] | None = None,
) -> SplitBlocks:
    """Read a split into blocks under `cache`, or open them from there.

    memory_bytes: of rows before they are spilled; the merge takes about as much. Raises FC3xx.
    """
    spec = _pinned(spec)
    folder = cache / read_key(spec, cache)
    if (found := _whole(folder)) is not None:
        os.utime(folder)
        return found
    clear(cache)
    with making_folder(folder) as work:
        _Reader(spec, work, memory_bytes, progress).run()
        if _whole(folder) is None:
            remove(folder)
            try:
                work.rename(folder)
            except OSError:
                if _whole(folder) is None:  # not made by another process meanwhile
                    raise
    return SplitBlocks.open(folder)


def _whole(folder: Path) -> SplitBlocks | None:
    """A cached split; None if there is none or its files are damaged."""
    try:
        found = SplitBlocks.open(folder)
        found.dropped()
        return found if found.batches == len(found.block_rows) else None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None


def _pinned(spec: SplitSpec) -> SplitSpec:
    """Replace the revision by its current commit, so that rows and key agree."""
    place = spec.place
    commit = None if place.hub is None else hub_commit(place.hub, place.revision)
    return spec if commit is None else replace(spec, place=replace(place, revision=commit))


def sample(
    spec: SplitSpec,
    rows: int,
    fields: Collection[str] | None = None,
    row_id: str | None = None,
) -> tuple[list[dict[str, Any]], list[FieldRow]]:
    """The first rows of a source: fields of usable rows, and dropped rows.

    Values are stored in columns and restored, as in a compile. fields: those that a task reads, so
    that a row without one of them is dropped; None: all. row_id: one more row to include, wherever
    it is in the source.
    """
    waiting = row_id is not None
    kept: list[FieldRow] = []
    dropped: list[FieldRow] = []
    names = list(spec.fields)
    types = ColumnTypes(names)
    for row in field_rows(spec):
        is_requested = waiting and row.id == row_id
        waiting = waiting and not is_requested
        if (len(kept) >= rows or len(dropped) >= DROPPED_PER_ROW * rows) and not is_requested:
            if not waiting:
                break
            continue
        fitting = _fitting(row, types).without(names if fields is None else fields)
        (dropped if fitting.values is None else kept).append(fitting)
        if len(kept) >= rows and not waiting:
            break
    columns: dict[str, list[Any]] = {
        "_row": [r.digest for r in kept],
        "_id": [r.id for r in kept],
        "_ordinal": [r.ordinal for r in kept],
    }
    for place, name in enumerate(names):
        column = stored((cast(Any, r.values)[place] for r in kept), name in types.mixed)
        columns[name] = restored(column, column_field(name, column, types.mixed))
    return [
        dict(zip(columns, v, strict=True)) for v in zip(*columns.values(), strict=True)
    ], dropped


def read_to_the_end(kept: Sequence[Any], dropped: Sequence[Any], requested: int) -> bool:
    """Whether a `sample` of so many wanted rows has read all rows of its split."""
    return len(kept) < requested and len(dropped) < DROPPED_PER_ROW * requested


def _fitting(row: FieldRow, types: ColumnTypes) -> FieldRow:
    """The row, dropped if its values cannot be stored in columns."""
    if row.values is not None and (reason := types.misfit(row.values)):
        return FieldRow(row.ordinal, row.digest, row.id, None, reason)
    return row


class _Reader:
    """One read of a split: sorted files, then blocks."""

    def __init__(
        self, spec: SplitSpec, work: Path, memory_bytes: int, progress: Callable[[int], None] | None
    ) -> None:
        self.spec, self.work, self.progress = spec, work, progress
        self.limit = min(SPILL_BYTES, max(1 << 16, memory_bytes // 4))
        self.names = list(spec.fields)
        self.types = ColumnTypes(self.names)
        self.spilled: list[Path] = []
        self.total_bytes = self.rows = self.kept = self.weight = 0
        self.gaps: Counter[tuple[str, ...]] = Counter()

    def run(self) -> None:
        sink = pa.OSFile(str(self.work / "dropped.arrow"), "wb")
        with sink, pa.ipc.new_file(sink, DROPPED) as dropped:
            pending: list[FieldBatch] = []
            pending_bytes = 0
            for batch in field_batches(self.spec):
                self.rows += len(batch.ordinals) + len(batch.lost)
                batch = batch.without(self.types.misfits(batch.columns))
                pending.append(batch)
                pending_bytes += self._weight(batch)
                if pending_bytes > self.limit:
                    self._spill(pending, dropped)
                    pending, pending_bytes = [], 0
                if self.progress is not None:
                    self.progress(self.rows)
            self._spill(pending, dropped)
        self._write_blocks()

    def _weight(self, batch: FieldBatch) -> int:
        """Bytes of a batch; counts its gaps and the weight of its values."""
        size = sum(map(weights, batch.columns))
        for gaps in batch.gaps:
            if gaps:
                self.gaps[tuple(sorted(gaps))] += 1
                size += weights(list(gaps.values()))
        self.weight += size
        return size + ROW_BYTES * (len(batch.ordinals) + len(batch.lost))

    def _spill(self, batches: Sequence[FieldBatch], dropped: Any) -> None:
        lost = [row for batch in batches for row in batch.lost]
        if lost:
            columns = [
                pa.array([r.ordinal for r in lost], pa.uint64()),
                pa.array([r.digest for r in lost], pa.uint64()),
                pa.array([_plain(r.id) for r in lost], pa.string()),
                pa.array([_plain(r.reason) for r in lost], pa.string()),
            ]
            dropped.write_batch(pa.record_batch(columns, schema=DROPPED))
        digests = np.array([d for b in batches for d in b.digests], dtype=np.uint64)
        if not len(digests):
            return
        self.kept += len(digests)
        keys = draw.bits(self.spec.seed, "order", self.spec.source_id, digests)
        ordinals = np.array([n for b in batches for n in b.ordinals], dtype=np.uint64)
        order = np.lexsort((ordinals, keys))
        ids = pa.array([i for b in batches for i in b.ids], pa.string())
        columns = [pa.array(keys), pa.array(digests), ids, pa.array(ordinals)]
        names = ["_key", *(n for n, _ in HEAD)]
        fields = [pa.field(n, c.type) for n, c in zip(names, columns, strict=True)]
        mixed = self.types.mixed
        for place, name in enumerate(self.names):
            columns.append(stored([v for b in batches for v in b.columns[place]], name in mixed))
            fields.append(column_field(name, columns[-1], mixed))
        for name, column in gap_columns([g for b in batches for g in b.gaps]).items():
            columns.append(column)
            fields.append(pa.field(name, column.type))
        table = pa.table(columns, schema=pa.schema(fields)).take(order)
        self.total_bytes += table.nbytes
        path = self.work / f"spilled{len(self.spilled)}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        self.spilled.append(path)

    def _write_blocks(self) -> None:
        fitting = self.kept * BLOCK_BYTES // max(1, self.weight)
        sizes = block_sizes(self.kept, max(1, min(self.spec.block_rows, fitting)))
        digests: list[dict[str, str]] = []
        schema = pa.schema(
            [*HEAD, *((n, pa.null()) for n in self.names)]
        )  # for a split without rows
        sink = pa.OSFile(str(self.work / "blocks.arrow"), "wb")
        with sink:
            writer = None
            for batch in self._blocks(sizes):
                writer = writer or pa.ipc.new_file(sink, batch.schema)
                writer.write_batch(batch)
                digests.append(column_digests(without_empty(batch)))
                del batch  # a block may be large: free it before the next is made
            (writer or pa.ipc.new_file(sink, schema)).close()
        for path in self.spilled:
            path.unlink()
        place = self.spec.place
        metadata: dict[str, Any] = {
            "rows": self.rows,
            "kept": self.kept,
            "block_rows": sizes,
            "column_digests": digests,
            "columns": self.names,
            **({"gaps": sorted(self.gaps.items())} if self.gaps else {}),
        }
        if place.hub is not None and (commit := hub_commit(place.hub, place.revision)) is not None:
            metadata["commit"] = commit
        (self.work / "about.json").write_text(json.dumps(metadata), encoding="utf-8")

    def _blocks(self, sizes: Sequence[int]) -> Iterator[pa.RecordBatch]:
        ready: list[pa.Table] = []
        count = 0
        ranges = self._ranges()
        for size in sizes:
            while count < size:
                part = next(ranges)
                ready.append(part)
                count += len(part)
            table = pa.concat_tables(ready)
            batch = fresh(table.slice(0, size))
            ready, count = [table.slice(size)], count - size
            del table
            yield batch
            del batch

    def _ranges(self) -> Iterator[pa.Table]:
        """All rows in order, as tables with one schema, of about `limit` bytes each."""
        tables = [pa.ipc.open_file(pa.memory_map(str(p))).read_all() for p in self.spilled]
        keys = [t["_key"].to_numpy() for t in tables]
        parts = max(1, -(-self.total_bytes // self.limit))
        empties = [t.slice(0, 0) for t in tables]
        starts = [0] * len(tables)
        for part in range(1, parts + 1):
            edge = np.uint64(min(part * (2**64 // parts), 2**64 - 1))
            ends = [
                len(k) if part == parts else int(np.searchsorted(k, edge, side="left"))
                for k in keys
            ]
            slices = [t.slice(a, b - a) for t, a, b in zip(tables, starts, ends, strict=True)]
            starts = ends
            parts_ = [mixed_as_json(t, self.types.mixed) for t in (*slices, *empties)]
            table = sorted_rows(pa.concat_tables(parts_, promote_options="permissive"))
            gaps = sorted(n for n in table.column_names if n.startswith(GAP))
            yield table.select([*(n for n, _ in HEAD), *self.names, *gaps])


def _plain(text: str | None) -> str | None:
    """Escape lone surrogates, which names quoted in a reason may contain."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()

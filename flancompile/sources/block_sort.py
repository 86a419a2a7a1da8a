"""External sort of a split's rows into blocks, in memory of a fixed size.

Rows are collected up to a limit, spilled as sorted files, then merged by ranges of the key, which
are even since the key is uniform. A split larger than memory therefore compiles.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flancompile import draw
from flancompile.sources.columns import (
    ColumnTypes,
    column_digests,
    column_field,
    mixed_as_json,
    stored,
    weights,
)
from flancompile.sources.field_columns import FieldBatch, field_batches
from flancompile.sources.fields import FieldRow, SplitSpec
from flancompile.sources.gaps import GAP, gap_columns, without_empty
from flancompile.sources.hub import hub_commit
from flancompile.sources.order import block_sizes, fresh, sorted_rows

__all__ = ["BlockSort", "fitting"]

SPILL_BYTES = 256 << 20  # limit of a spilled file: a text column has 31-bit offsets
BLOCK_BYTES = 256 << 20  # rows of over 64 KiB each make smaller blocks
ROW_BYTES = 400
DROPPED = pa.schema(
    [("ordinal", pa.uint64()), ("row", pa.uint64()), ("id", pa.string()), ("reason", pa.string())]
)
HEAD = [("_row", pa.uint64()), ("_id", pa.string()), ("_ordinal", pa.uint64())]


def fitting(row: FieldRow, types: ColumnTypes) -> FieldRow:
    """The row, dropped if its values cannot be stored in columns."""
    if row.values is not None and (reason := types.misfit(row.values)):
        return FieldRow(row.ordinal, row.digest, row.id, None, reason)
    return row


class BlockSort:
    """External sort of a split's rows: sorted files, then blocks in the folder `work`."""

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
        """Read all rows; write blocks.arrow, dropped.arrow and about.json."""
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
        most_rows = self.kept * BLOCK_BYTES // max(1, self.weight)
        sizes = block_sizes(self.kept, max(1, min(self.spec.block_rows, most_rows)))
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

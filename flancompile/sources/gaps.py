"""Gaps: rows in which one field has no value because its expression failed.

A row is dropped only for the tasks that read such a field. In a block the field is null there, and
a column `_gap:FIELD` holds the reason (null where the field has its value).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "GAP", "count_gaps", "gap_columns", "gap_fields", "split_gaps", "without_empty", "without_gaps",
]  # fmt: skip

GAP = "_gap:"  # no field has a colon in its name


def gap_columns(gaps: Sequence[Mapping[str, str]]) -> dict[str, pa.Array]:
    """The gap columns of some rows, sorted by field. gaps: of each row, field -> reason."""
    names = sorted({name for row in gaps for name in row})
    return {GAP + n: pa.array([row.get(n) for row in gaps], pa.string()) for n in names}


def gap_fields(batch: pa.RecordBatch, fields: Collection[str]) -> tuple[str, ...]:
    """Those of some fields that have a gap in a block, in the block's order."""
    names = set(batch.schema.names)
    wanted = [n for n in batch.schema.names if n in fields and GAP + n in names]
    return tuple(n for n in wanted if batch.column(GAP + n).null_count < batch.num_rows)


def without_gaps(batch: pa.RecordBatch, fields: Collection[str]) -> pa.RecordBatch:
    """The rows of a block that have every one of the fields."""
    return split_gaps(batch, fields)[0]


def split_gaps(
    batch: pa.RecordBatch, fields: Collection[str]
) -> tuple[pa.RecordBatch, pa.RecordBatch, list[str]]:
    """(rows with all the fields, the other rows, the reason of each of those)."""
    names = gap_fields(batch, fields)
    if not names:
        return batch, batch.slice(0, 0), []
    reasons = pc.coalesce(*(batch.column(GAP + n) for n in names))
    lost = batch.filter(pc.is_valid(reasons))
    return batch.filter(pc.is_null(reasons)), lost, reasons.drop_null().to_pylist()


def count_gaps(counts: Iterable[tuple[Iterable[str], int]], fields: Collection[str]) -> int:
    """Rows with a gap in one of the fields. counts: (fields with a gap, rows), each set once."""
    wanted = set(fields)
    return sum(rows for names, rows in counts if not wanted.isdisjoint(names))


def without_empty(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A block without the gap columns that hold no reason: only other blocks have such gaps."""
    names = batch.schema.names
    full = [n for n in names if not n.startswith(GAP) or batch.column(n).null_count < len(batch)]
    return batch if len(full) == len(names) else batch.select(full)

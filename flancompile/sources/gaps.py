"""Gaps: rows in which one field has no value because its expression failed.

A row is dropped only for the tasks that read such a field. In a block the field is null, and the
column `_gap:FIELD` has the reason (null for a row with a value).
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
    """Gap columns of rows, sorted by field. gaps: field -> reason, for each row."""
    names = sorted({name for row in gaps for name in row})
    return {GAP + n: pa.array([row.get(n) for row in gaps], pa.string()) for n in names}


def gap_fields(batch: pa.RecordBatch, fields: Collection[str]) -> tuple[str, ...]:
    """The fields that have a gap in a block, in the block's order."""
    names = set(batch.schema.names)
    gapped = [n for n in batch.schema.names if n in fields and GAP + n in names]
    return tuple(n for n in gapped if batch.column(GAP + n).null_count < batch.num_rows)


def without_gaps(batch: pa.RecordBatch, fields: Collection[str]) -> pa.RecordBatch:
    """The rows of a block that have a value in each of the fields."""
    return split_gaps(batch, fields)[0]


def split_gaps(
    batch: pa.RecordBatch, fields: Collection[str]
) -> tuple[pa.RecordBatch, pa.RecordBatch, list[str]]:
    """Split a block: rows with all the fields, other rows, and a reason for each of those."""
    names = gap_fields(batch, fields)
    if not names:
        return batch, batch.slice(0, 0), []
    reasons = pc.coalesce(*(batch.column(GAP + n) for n in names))
    lost = batch.filter(pc.is_valid(reasons))
    return batch.filter(pc.is_null(reasons)), lost, reasons.drop_null().to_pylist()


def count_gaps(counts: Iterable[tuple[Iterable[str], int]], fields: Collection[str]) -> int:
    """Number of rows with a gap in a field. counts: (fields with a gap, rows), each set once."""
    given = set(fields)
    return sum(rows for names, rows in counts if not given.isdisjoint(names))


def without_empty(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Remove the gap columns without a reason in this block."""
    names = batch.schema.names
    full = [n for n in names if not n.startswith(GAP) or batch.column(n).null_count < len(batch)]
    return batch if len(full) == len(names) else batch.select(full)

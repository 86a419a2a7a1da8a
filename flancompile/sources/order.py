"""The order of a split's rows: sorted by their keys, with digests made unique, in even blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile import draw

__all__ = ["block_sizes", "fresh", "sorted_rows"]


def sorted_rows(table: pa.Table) -> pa.Table:
    """The rows by `_key`, then `_ordinal`, without `_key`; equal `_row` digests are made unique."""
    keys = table["_key"].to_numpy()
    table = table.take(np.lexsort((table["_ordinal"].to_numpy(), keys))).drop_columns(["_key"])
    digests = _unique(table["_row"].to_numpy())
    return table.set_column(0, "_row", pa.array(digests))


def fresh(table: pa.Table) -> pa.RecordBatch:
    """One batch in buffers of its own: their bytes depend on the values alone, not on slices."""
    columns = []
    for column in table.columns:
        chunks = column.chunks or [pa.array([], column.type)]
        columns.append(pa.concat_arrays([*chunks, chunks[0].slice(0, 0)]))
    return pa.record_batch(columns, schema=table.schema)


def _unique(digests: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Equal digests stand together: from the second on, each gets its ordinal mixed in."""
    found = digests.copy()
    ordinal = 0
    for place in np.flatnonzero(digests[1:] == digests[:-1]) + 1:
        is_second = place == 1 or digests[place - 2] != digests[place]
        ordinal = 1 if is_second else ordinal + 1
        found[place] = draw.bits(0, "duplicate", "", digests[place : place + 1], 0, ordinal)[0]
    return found


def block_sizes(rows: int, wanted: int) -> list[int]:
    """Rows of each block: as near to `wanted` as a whole number of even blocks comes."""
    if rows == 0:
        return []
    count = max(1, round(rows / wanted))
    base, more = divmod(rows, count)
    return [base + (i < more) for i in range(count)]

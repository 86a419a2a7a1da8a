"""Sort the rows of a split by their keys, with unique digests, and divide them into even blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile import draw

__all__ = ["block_sizes", "fresh", "sorted_rows"]


def sorted_rows(table: pa.Table) -> pa.Table:
    """Sort rows by `_key`, then `_ordinal`; drop `_key`; make equal `_row` digests unique."""
    keys = table["_key"].to_numpy()
    table = table.take(np.lexsort((table["_ordinal"].to_numpy(), keys))).drop_columns(["_key"])
    digests = _unique(table["_row"].to_numpy())
    return table.set_column(0, "_row", pa.array(digests))


def fresh(table: pa.Table) -> pa.RecordBatch:
    """Copy to one batch with new buffers, whose bytes depend on the values only, not on slices."""
    columns = []
    for column in table.columns:
        chunks = column.chunks or [pa.array([], column.type)]
        columns.append(pa.concat_arrays([*chunks, chunks[0].slice(0, 0)]))
    return pa.record_batch(columns, schema=table.schema)


def _unique(digests: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Make sorted digests unique: mix an ordinal into each repeated one, from the second on."""
    found = digests.copy()
    ordinal = 0
    for place in np.flatnonzero(digests[1:] == digests[:-1]) + 1:
        is_second = place == 1 or digests[place - 2] != digests[place]
        ordinal = 1 if is_second else ordinal + 1
        found[place] = draw.bits(0, "duplicate", "", digests[place : place + 1], 0, ordinal)[0]
    return found


def block_sizes(rows: int, target: int) -> list[int]:
    """Rows of each block: even blocks, as close to `target` rows as possible."""
    if rows == 0:
        return []
    count = max(1, round(rows / target))
    base, more = divmod(rows, count)
    return [base + (i < more) for i in range(count)]

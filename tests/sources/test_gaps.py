"""Gaps: rows split by the fields that a task reads, against a loop over rows."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.sources.gaps import (
    GAP,
    count_gaps,
    gap_columns,
    gap_fields,
    split_gaps,
    without_empty,
    without_gaps,
)

FIELDS = ("a", "b", "c")
ROWS = st.lists(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["x", "y"]), max_size=3))


def block(rows: list[dict[str, str]]) -> pa.RecordBatch:
    values = {n: pa.array([None if n in r else f"{n}{i}" for i, r in enumerate(rows)], pa.string())
              for n in FIELDS}  # fmt: skip
    return pa.RecordBatch.from_pydict({**values, **gap_columns(rows)})


@settings(deadline=None)
@given(ROWS, st.sets(st.sampled_from(FIELDS)))
def test_rows_are_split_by_the_fields_that_are_read(
    rows: list[dict[str, str]], fields: set[str]
) -> None:
    batch = block(rows)
    usable, lost, reasons = split_gaps(batch, fields)
    gapped = [i for i, r in enumerate(rows) if fields & r.keys()]
    complete = [i for i, r in enumerate(rows) if not fields & r.keys()]
    assert usable == without_gaps(batch, fields)
    assert usable.to_pylist() == batch.take(pa.array(complete, pa.int64())).to_pylist()
    assert lost.to_pylist() == batch.take(pa.array(gapped, pa.int64())).to_pylist()
    assert reasons == [
        next(rows[i][n] for n in FIELDS if n in fields & rows[i].keys()) for i in gapped
    ]
    counts = [(tuple(r), 1) for r in rows if r]
    assert count_gaps(counts, fields) == len(gapped)
    assert set(gap_fields(batch, fields)) == {n for r in rows for n in r} & fields


def test_a_block_drops_gap_columns_of_other_blocks() -> None:
    batch = block([{}, {"a": "x"}, {"b": "y"}])
    assert batch.schema.names == ["a", "b", "c", f"{GAP}a", f"{GAP}b"]
    first = without_empty(batch.slice(0, 2))
    assert first.schema.names == ["a", "b", "c", f"{GAP}a"]
    assert without_empty(batch) is batch

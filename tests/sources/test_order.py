"""Order of a split: sorted and unique rows, even blocks, and bytes without traces of slices."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.sources.order import block_sizes, fresh, sorted_rows


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 500))
def test_blocks_are_even_and_hold_every_row(rows: int, target: int) -> None:
    sizes = block_sizes(rows, target)
    assert sum(sizes) == rows
    assert len(sizes) == (max(1, round(rows / target)) if rows else 0)
    assert not sizes or max(sizes) - min(sizes) <= 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=30), st.randoms(use_true_random=False))
def test_rows_are_sorted_and_their_digests_unique(digests: list[int], random: object) -> None:
    keys = np.array([d // 2 for d in digests], np.uint64)  # digests with one key, as if they met
    table = pa.table({
        "_row": pa.array(digests, pa.uint64()), "_ordinal": pa.array(range(len(digests)), pa.uint64()),
        "_key": pa.array(keys),
    })  # fmt: skip
    shuffled = list(range(len(digests)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = sorted_rows(table)
    assert found.column_names == ["_row", "_ordinal"]
    assert found == sorted_rows(table.take(pa.array(shuffled, pa.int64())))
    order = sorted(range(len(digests)), key=lambda i: (digests[i] // 2, i))
    assert found["_ordinal"].to_pylist() == order
    firsts = [
        i for place, i in enumerate(order) if place == 0 or digests[order[place - 1]] != digests[i]
    ]
    for i in firsts:  # the first of equal ones keeps its digest
        assert found["_row"][order.index(i)].as_py() == digests[i]
    if len(set(keys.tolist())) == len(set(digests)):  # equal digests stand together
        assert len(set(found["_row"].to_pylist())) == len(digests)


def test_a_fresh_batch_has_the_bytes_of_its_values() -> None:
    values = ["a", None, "ccc", "dd", "e"]
    whole = pa.table({"x": pa.array(values), "n": pa.array(range(5))})
    pieces = pa.concat_tables([whole.slice(0, 2), whole.slice(2)])
    expected = pa.record_batch({"x": pa.array(values[1:4]), "n": pa.array([1, 2, 3])})
    found = fresh(pieces.slice(1, 3))
    assert found == expected == fresh(whole.slice(1, 3))
    for mine, theirs in zip(found.columns, expected.columns, strict=True):
        assert [b and bytes(b)[: b.size] for b in mine.buffers()][1:] == [
            b and bytes(b)[: b.size] for b in theirs.buffers()
        ][1:]
    assert fresh(whole.slice(0, 0)).num_rows == 0

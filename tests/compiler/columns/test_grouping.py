"""Rows grouped by keys."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flancompile.compiler.columns.grouping import unique_combinations

KEYS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 300)] * width), max_size=50)
)


@given(KEYS)
def test_rows_are_combined_where_all_their_keys_are_the_same(rows: list[tuple[int, ...]]) -> None:
    width = len(rows[0]) if rows else 2
    keys = np.array(rows, np.int64).reshape(-1, width)
    first, of = unique_combinations(list(keys.T))
    assert len(first) == len(set(rows))
    assert [rows[i] for i in first[of]] == rows


def test_keys_may_be_large() -> None:
    large = np.array([1 << 40, 5, 1 << 40, 1 << 40])
    first, of = unique_combinations([large, np.array([1, 1, 1, 0])])
    assert len(first) == 3
    assert of[0] == of[2]

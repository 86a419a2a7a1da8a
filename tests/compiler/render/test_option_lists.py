"""Options of many rows in arrays."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from flancompile.compiler.render.duplicates import read_form
from flancompile.compiler.render.option_lists import OptionLists

TEXTS = st.sampled_from(["a", "A", "a ", " a", "é", "e\u0301", "x  y", "x y", ""])


@given(st.lists(st.lists(TEXTS, max_size=4), max_size=8), st.integers(0, 3))
def test_duplicates_are_options_that_read_alike(rows: list[list[str]], before: int) -> None:
    flat = ["z"] * before + [text for row in rows for text in row]
    counts = np.array([len(row) for row in rows], np.int64)
    starts = before + np.cumsum(counts) - counts
    none = np.zeros(len(rows), np.int64)
    lists = OptionLists(pa.array(flat, pa.string()), starts, counts, none, none > 0)
    expected = [len({read_form(t) for t in row}) < len(row) for row in rows]
    assert lists.has_duplicates.tolist() == expected

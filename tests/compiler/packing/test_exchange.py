"""Exchanges that fill gaps: never an invalid packing, never one more pack."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packers import next_fit

from flancompile.compiler.packing.exchange import exchange
from flancompile.compiler.packing.histogram import place, plan_histogram


def packed(lengths: np.ndarray, capacity: int) -> np.ndarray:
    counts = np.bincount(lengths, minlength=capacity + 1)
    return place(lengths, plan_histogram(counts, capacity), capacity)


@st.composite
def repeated(draw: st.DrawFn) -> tuple[list[int], int]:
    """A few lengths, each many times, in a random order: enough packs for exchanges."""
    capacity = draw(st.integers(5, 60))
    counts = draw(
        st.dictionaries(st.integers(1, capacity), st.integers(1, 100), min_size=1, max_size=6)
    )
    lengths = [length for length, count in counts.items() for _ in range(count)]
    random.Random(draw(st.integers(0, 99))).shuffle(lengths)
    return lengths, capacity


@settings(max_examples=60)
@given(repeated(), st.booleans())
def test_every_example_is_in_one_pack_that_holds_it(
    given_: tuple[list[int], int], wasteful: bool
) -> None:
    lengths, capacity = given_
    sizes = np.array(lengths, np.int64)
    before = np.array(next_fit(lengths, capacity)) if wasteful else packed(sizes, capacity)
    known = before.copy()
    after = exchange(sizes, before, capacity)
    assert np.array_equal(before, known)  # the given packing is not changed
    assert len(after) == len(lengths)
    filled = np.bincount(after, weights=lengths)
    assert filled.min() > 0 and filled.max() <= capacity  # no pack is empty or over-full
    assert len(filled) <= before.max() + 1


@pytest.mark.parametrize("mean", [4.0, 5.0])
def test_gaps_are_exchanged_away(mean: float) -> None:
    rng = np.random.default_rng(6)
    lengths = np.clip(rng.lognormal(mean, 1, 20_000), 30, 1024).astype(np.int64)
    before = packed(lengths, 1024)
    after = exchange(lengths, before, 1024)
    full = [(np.bincount(p, weights=lengths) == 1024).sum() for p in (before, after)]
    assert full[1] > full[0] + 150
    assert len(set(after.tolist())) < len(set(before.tolist()))


def test_a_wasteful_packing_loses_packs() -> None:
    lengths = [6, 5, 4, 5] * 100  # 2 packs of 10 hold four of them; next fit needs 3
    before = np.array(next_fit(lengths, 10))
    after = exchange(np.array(lengths), before, 10)
    assert before.max() + 1 == 300
    assert after.max() + 1 < 300


def test_full_packs_and_few_packs_stay_as_they_are() -> None:
    full = np.repeat([4, 6], 200)
    before = packed(full, 10)
    assert np.array_equal(exchange(full, before, 10), before)
    few = np.array([4, 5, 6])
    assert exchange(few, np.array([0, 1, 2]), 10).tolist() == [0, 1, 2]
    none = np.zeros(0, np.int64)
    assert exchange(none, none, 10).tolist() == []

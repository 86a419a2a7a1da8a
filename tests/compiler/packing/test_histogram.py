"""Best-fit-decreasing from a histogram, against the naive packer."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packers import best_fit_decreasing

from flancompile.compiler.packing.histogram import place, plan_histogram

# Free sizes are searched in blocks of 64, so capacities around its multiples are of interest.
CAPACITIES = st.integers(1, 20) | st.sampled_from([63, 64, 65, 127, 128, 129, 300])


@st.composite
def packable(draw: st.DrawFn) -> tuple[list[int], int]:
    capacity = draw(CAPACITIES)
    return draw(st.lists(st.integers(1, capacity), max_size=120)), capacity


@settings(max_examples=80)
@given(packable())
def test_packs_have_the_free_tokens_of_the_naive_packer(given_: tuple[list[int], int]) -> None:
    lengths, capacity = given_
    operations = plan_histogram(np.bincount(lengths, minlength=capacity + 1), capacity)
    pack_of = place(np.array(lengths, np.int64), operations, capacity)
    wanted = best_fit_decreasing(lengths, capacity)
    free = capacity - np.bincount(pack_of, weights=lengths, minlength=len(wanted))
    assert Counter(free.astype(int).tolist()) == Counter(wanted)
    assert set(pack_of.tolist()) == set(range(len(wanted)))


@settings(max_examples=60)
@given(packable())
def test_an_operation_uses_only_packs_with_that_many_free_tokens(
    given_: tuple[list[int], int],
) -> None:
    lengths, capacity = given_
    waiting: Counter[int] = Counter()
    placed: Counter[int] = Counter()
    operations = plan_histogram(np.bincount(lengths, minlength=capacity + 1), capacity)
    for length, free, packs, each in operations.tolist():
        assert packs > 0 and each > 0
        waiting[free] -= packs if free < capacity else 0
        assert waiting[free] >= 0
        waiting[free - each * length] += packs
        placed[length] += packs * each
    assert placed == Counter(lengths)


def test_operations_place_every_example_once() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 10**9, 2049)
    counts[0] = 0
    operations = plan_histogram(counts, 2048)
    placed = np.zeros(2049, dtype=np.int64)
    np.add.at(placed, operations[:, 0], operations[:, 2] * operations[:, 3])
    assert np.array_equal(placed, counts)
    assert len(operations) < 20_000


def test_examples_of_one_length_are_placed_in_their_order() -> None:
    lengths = np.array([4, 2, 4, 2, 4, 2])
    operations = plan_histogram(np.bincount(lengths, minlength=9), 8)
    assert operations.tolist() == [[4, 8, 1, 2], [4, 8, 1, 1], [2, 4, 1, 2], [2, 8, 1, 1]]
    assert place(lengths, operations, 8).tolist() == [0, 1, 0, 1, 1, 2]


def test_no_examples_need_no_operation() -> None:
    operations = plan_histogram(np.zeros(9, np.int64), 8)
    assert operations.shape == (0, 4)
    assert place(np.zeros(0, np.int64), operations, 8).tolist() == []


@pytest.mark.parametrize(
    ("counts", "capacity", "message"),
    [
        ([0, 1], 2, "capacity 2 needs 3 counts, not 2"),
        ([0], 0, "capacity 0 needs 1 counts"),
        ([1, 0, 0], 2, "an example of length 0"),
    ],
)
def test_counts_that_do_not_fit_the_capacity_are_refused(
    counts: list[int], capacity: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan_histogram(np.array(counts), capacity)

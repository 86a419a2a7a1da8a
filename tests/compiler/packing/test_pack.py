"""The pack pass as a whole: windows, limits, seeds and the certificate."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packers import best_fit_decreasing

from flancompile.compiler.packing.pack import PackPlan, pack, plan_histogram

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=200)
PAIRS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 12)), min_size=1, max_size=150)


def check(plan: PackPlan, lengths: Any, capacity: Any, max_examples: int | None) -> None:
    sizes = np.asarray(lengths).reshape(len(lengths), -1)
    assert sorted(plan.items.tolist()) == list(range(len(lengths)))
    for start, end in zip(plan.offsets[:-1], plan.offsets[1:], strict=True):
        items = plan.items[start:end]
        assert 0 < len(items) <= (max_examples or len(lengths))
        assert (sizes[items].sum(axis=0) <= np.atleast_1d(capacity)).all()
        assert (np.diff(items) > 0).all()
    certificate = plan.certificate
    assert certificate.packs == len(plan) >= certificate.lower_bound
    filled = sizes.sum(axis=0) / (len(plan) * np.atleast_1d(capacity))
    assert np.allclose(certificate.fill, filled)
    bound = sizes.sum(axis=0) / (certificate.lower_bound * np.atleast_1d(capacity))
    assert np.allclose(certificate.bound_fill, bound)


@settings(max_examples=150, deadline=None)
@given(LENGTHS, st.integers(40, 90), st.sampled_from([None, 1, 2, 3, 7]), st.integers(1, 250))
def test_one_dimension(lengths: list[int], capacity: int, most: int | None, window: int) -> None:
    plan = pack(np.array(lengths), capacity, window=window, max_examples=most, seed=3)
    check(plan, lengths, capacity, most)


WIDE = st.lists(st.integers(1, 400), min_size=1, max_size=200)


@settings(max_examples=150, deadline=None)
@given(LENGTHS | WIDE, st.integers(40, 90) | st.integers(400, 900))
def test_as_few_packs_as_best_fit_decreasing(lengths: list[int], capacity: int) -> None:
    capacity = max(capacity, *lengths)
    plan = pack(np.array(lengths), capacity, window=10**6)
    assert plan.certificate.method.startswith("best-fit-decreasing")
    assert len(plan) <= len(best_fit_decreasing(lengths, capacity))


@settings(max_examples=100, deadline=None)
@given(PAIRS, st.sampled_from([None, 2, 5]), st.integers(1, 200))
def test_two_dimensions(pairs: list[tuple[int, int]], most: int | None, window: int) -> None:
    plan = pack(np.array(pairs), (50, 16), window=window, max_examples=most)
    check(plan, pairs, (50, 16), most)


def test_windows_mix_only_by_packs_with_room() -> None:
    plan = pack(np.full(1000, 3), 10, window=100)
    windows = [set(plan.items[a:b] // 100) for a, b in pairwise(plan.offsets)]
    assert max(map(len, windows)) <= 2
    assert sum(len(w) == 2 for w in windows) <= 10
    assert len(plan) == 334


def test_what_never_fills_does_not_wait_for_ever() -> None:
    plan = pack(np.full(10_000, 6), 10, window=64)
    assert len(plan) == 10_000


def test_gaps_are_exchanged_away() -> None:
    lengths = np.repeat([97, 105, 113, 400, 408, 1640], [420, 40, 40, 100, 20, 100])
    placed = plan_histogram(np.bincount(lengths, minlength=2049), 2048)
    opened = placed[placed[:, 1] == 2048, 2].sum()
    plan = pack(lengths, 2048)
    check(plan, lengths, 2048, None)
    assert len(plan) <= opened


def test_the_same_plan_twice_and_another_for_another_seed() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 5000)
    first, second = (pack(lengths, 128, seed=1) for _ in range(2))
    assert np.array_equal(first.items, second.items)
    other = pack(lengths, 128, seed=2)
    assert not np.array_equal(first.items, other.items)
    assert first.certificate == other.certificate


def test_without_packing_each_example_is_alone() -> None:
    plan = pack(np.array([3, 4, 5]), 10, enabled=False)
    assert np.diff(plan.offsets).tolist() == [1, 1, 1]
    assert sorted(plan.items.tolist()) == [0, 1, 2]


def test_no_examples_no_packs() -> None:
    assert len(pack(np.zeros(0, dtype=np.int64), 10)) == 0


@pytest.mark.parametrize("lengths", [[1, 0], [1, 11]])
def test_a_length_out_of_range_is_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="example 1 has length"):
        pack(np.array(lengths), 10)


def test_a_lognormal_mixture_is_packed_to_the_bound() -> None:
    rng = np.random.default_rng(2)
    lengths = np.clip(rng.lognormal(5, 1, 100_000), 1, 2048).astype(int)
    certificate = pack(lengths, 2048).certificate
    assert certificate.fill[0] > 0.9999
    pairs = np.stack([lengths, np.clip(rng.lognormal(2.5, 1.2, 100_000), 1, 512).astype(int)], 1)
    two = pack(pairs, (2048, 512)).certificate
    assert two.packs / two.lower_bound < 1.02


@pytest.mark.parametrize("most", [16, 32, 64, 128])
def test_a_limit_on_examples_is_kept_near_the_bound(most: int) -> None:
    lengths = np.clip(np.random.default_rng(3).lognormal(5, 1, 20_000), 4, 8192).astype(int)
    plan = pack(lengths, 8192, max_examples=most)
    assert np.diff(plan.offsets).max() <= most
    assert len(plan) <= 1.015 * plan.certificate.lower_bound


def test_a_limit_that_no_pack_reaches_changes_nothing() -> None:
    lengths = np.random.default_rng(4).integers(300, 1000, 5000)
    free, limited = pack(lengths, 1024), pack(lengths, 1024, max_examples=3)
    assert np.array_equal(free.items, limited.items)


def test_where_both_dimensions_bind() -> None:
    rng = np.random.default_rng(5)
    means, caps = np.array([6.2, 4.8]), (2048, 512)
    pairs = np.clip(rng.lognormal(means - 0.4, 0.9, (30_000, 2)), 2, caps).astype(int)
    certificate = pack(pairs, caps).certificate
    assert min(certificate.bound_fill) > 0.9
    assert certificate.packs < 1.09 * certificate.lower_bound


@pytest.mark.parametrize("wrong", [{"window": 0}, {"max_examples": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        pack(np.array([1, 2]), 10, **wrong)  # type: ignore[arg-type]


def test_pairs_want_two_capacities() -> None:
    with pytest.raises(ValueError, match="2 dimensions, the capacity 1"):
        pack(np.ones((3, 2), dtype=np.uint32), 10)

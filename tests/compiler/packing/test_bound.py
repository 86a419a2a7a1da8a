"""Lower bounds on packs, against the best packing and the textbook's formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.packing.bound import lower_bound

Size = tuple[int, ...]


def fewest_packs(sizes: list[Size], limits: Size, most: int | None = None) -> int:
    """The packs of the best packing, by trying all packings."""
    best = len(sizes)

    def search(rest: list[Size], packs: list[list[Size]]) -> None:
        nonlocal best
        if len(packs) >= best:
            return
        if not rest:
            best = len(packs)
            return
        for i, pack in enumerate(packs):
            filled = [sum(column) for column in zip(*pack, rest[0], strict=True)]
            room = most is None or len(pack) < most
            if room and all(f <= limit for f, limit in zip(filled, limits, strict=True)):
                search(rest[1:], [*packs[:i], [*pack, rest[0]], *packs[i + 1 :]])
        search(rest[1:], [*packs, [rest[0]]])

    search(sorted(sizes, reverse=True), [])
    return best


def naive_l2(lengths: list[int], capacity: int) -> int:
    """Martello and Toth's bound, threshold by threshold."""
    bounds = []
    for threshold in range(capacity // 2 + 1):
        alone = [n for n in lengths if n > capacity - threshold]
        hosts = [n for n in lengths if capacity - threshold >= n > capacity // 2]
        small = [n for n in lengths if capacity // 2 >= n >= threshold]
        rest = sum(small) - (len(hosts) * capacity - sum(hosts))
        bounds.append(len(alone) + len(hosts) + max(0, -(-rest // capacity)))
    return max(bounds)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(12, 20))
def test_the_bound_is_not_over_the_best_packing(lengths: list[int], capacity: int) -> None:
    best = fewest_packs([(n,) for n in lengths], (capacity,))
    assert lower_bound(np.array(lengths)[:, None], [capacity]) <= best


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), min_size=1, max_size=7),
    st.sampled_from([None, 1, 2, 3]),
)
def test_in_two_dimensions_and_with_a_limit_on_examples(
    sizes: list[Size], most: int | None
) -> None:
    bound = lower_bound(np.array(sizes), [14, 6], most)
    assert bound <= fewest_packs(sizes, (14, 6), most)
    assert bound >= max(sum(s[d] for s in sizes) / limit for d, limit in enumerate((14, 6)))
    assert most is None or bound >= len(sizes) / most


@settings(max_examples=80)
@given(st.integers(1, 40).flatmap(
    lambda c: st.tuples(st.lists(st.integers(1, c), max_size=60), st.just(c))
))  # fmt: skip
def test_all_thresholds_at_once_give_the_formula_of_each(given_: tuple[list[int], int]) -> None:
    lengths, capacity = given_
    sizes = np.array(lengths, np.int64)[:, None]
    assert lower_bound(sizes, [capacity]) == naive_l2(lengths, capacity)


@pytest.mark.parametrize(
    ("lengths", "capacity", "most", "wanted"),
    [
        ([], 8, None, 0),
        ([8], 8, None, 1),
        ([1, 1, 1], 1, None, 3),
        ([5, 5, 5], 8, None, 3),  # over half, though they fill less than two packs
        ([6, 6, 3, 3], 8, None, 3),  # a pack of 6 has no room for 3
        ([1, 1, 1, 1, 1], 8, 2, 3),  # the limit on examples
    ],
)
def test_packs_that_no_packing_can_save(
    lengths: list[int], capacity: int, most: int | None, wanted: int
) -> None:
    assert lower_bound(np.array(lengths, np.int64)[:, None], [capacity], most) == wanted

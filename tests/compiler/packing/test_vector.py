"""Packing in two dimensions, against the norm-based greedy rule tried on all examples."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.packing.vector import pack_vectors

Pair = tuple[int, int]


@st.composite
def sized(draw: st.DrawFn) -> tuple[list[Pair], Pair]:
    """Few kinds of examples, small or large beside the grid of 128 cells a dimension."""
    wide, high = draw(st.tuples(st.integers(4, 40), st.integers(4, 20)) | st.just((1500, 300)))
    pair = st.tuples(st.integers(1, wide), st.integers(1, high))
    return draw(st.lists(pair, min_size=1, max_size=24)), (wide, high)


def weights_of(rest: list[Pair], limits: Pair) -> list[int]:
    """A dimension's part of the remaining demand, in 16 bits and units of the wider dimension."""
    demand = [sum(size[d] for size in rest) / limits[d] for d in (0, 1)]
    scale = [max(limits) / limit for limit in limits]
    return [1 + int(demand[d] / sum(demand) * 65536.0 * scale[d] * scale[d]) for d in (0, 1)]


def follows_the_rule(chosen: list[Pair], rest: list[Pair], limits: Pair) -> bool:
    """Whether some order of a pack's examples takes the best fit each time, until none fits."""
    weights = weights_of(rest, limits)

    def search(chosen: list[Pair], rest: list[Pair], free: Pair) -> bool:
        norms = {
            size: sum(w * (f - s) ** 2 for w, f, s in zip(weights, free, size, strict=True))
            for size in rest
            if size[0] <= free[0] and size[1] <= free[1]
        }
        if not norms or not chosen:
            return not norms and not chosen
        least = min(norms.values())
        for size in {s for s in chosen if norms.get(s) == least}:
            at, among = chosen.index(size), rest.index(size)
            left = (free[0] - size[0], free[1] - size[1])
            if search(chosen[:at] + chosen[at + 1 :], rest[:among] + rest[among + 1 :], left):
                return True
        return False

    return search(chosen, rest, limits)


@settings(max_examples=80)
@given(sized())
def test_each_pack_takes_the_examples_that_leave_the_least(given_: tuple[list[Pair], Pair]) -> None:
    sizes, limits = given_
    pack_of = pack_vectors(np.array(sizes), limits).tolist()
    rest = list(sizes)
    assert set(pack_of) == set(range(max(pack_of) + 1))
    for pack in range(max(pack_of) + 1):
        chosen = [size for size, p in zip(sizes, pack_of, strict=True) if p == pack]
        assert follows_the_rule(chosen, rest, limits)
        for size in chosen:
            rest.remove(size)
    assert rest == []


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 900), st.integers(1, 70)), min_size=1, max_size=150),
    st.integers(900, 2000),
)
def test_a_pack_takes_all_that_fits_before_the_next_is_opened(
    pairs: list[tuple[int, int]], wide: int
) -> None:
    sizes = np.array(pairs)
    pack_of = pack_vectors(sizes, (wide, 100))
    assert pack_of.min() == 0
    for p in range(pack_of.max() + 1):
        free = (wide, 100) - sizes[pack_of == p].sum(axis=0)
        assert not (sizes[pack_of > p] <= free).all(axis=1).any()


@settings(max_examples=60)
@given(sized(), st.integers(1, 5))
def test_a_limit_on_examples_holds_and_closes_packs_for_no_other_reason(
    given_: tuple[list[Pair], Pair], most: int
) -> None:
    sizes, limits = np.array(given_[0]), np.array(given_[1])
    pack_of = pack_vectors(sizes, given_[1], most)
    assert set(pack_of.tolist()) == set(range(pack_of.max() + 1))
    for p in range(pack_of.max() + 1):
        inside = sizes[pack_of == p]
        free = limits - inside.sum(axis=0)
        assert (free >= 0).all() and len(inside) <= most
        assert len(inside) == most or not (sizes[pack_of > p] <= free).all(axis=1).any()


def test_each_choice_leaves_the_shortest_remainder() -> None:
    # Demand is equal in both dimensions, so the weights are. (60, 60) leaves least of all; then of
    # (40, 10), (10, 40) and (30, 30), which all fit, the last; then (10, 10), all that still fits.
    sizes = np.array([[40, 10], [10, 40], [30, 30], [60, 60], [10, 10]])
    assert pack_vectors(sizes, (100, 100)).tolist() == [1, 1, 0, 0, 0]


def test_the_scarce_dimension_decides() -> None:
    # Targets fill 4 packs of 10, inputs one of 100: the example of the longest target comes first,
    # and beside it the one that fills the targets, though the other has more input.
    sizes = np.array([[30, 4], [10, 6], [10, 7], [40, 3], [10, 10], [10, 10]])
    assert pack_vectors(sizes, (100, 10)).tolist() == [3, 3, 2, 2, 0, 1]


def test_no_examples_no_packs() -> None:
    assert pack_vectors(np.zeros((0, 2), np.int64), (10, 10)).tolist() == []

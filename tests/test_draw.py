import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flancompile import draw

KNOWN = [12156481365973235243, 8888344532533917090, 7317399966700170597]
ROWS = np.arange(200_000, dtype=np.uint64)


@given(st.integers(0, 2**40), st.text(max_size=8), st.text(max_size=8), st.integers(0, 99))
def test_a_draw_depends_on_its_own_row_only(seed: int, purpose: str, task: str, epoch: int) -> None:
    rows = np.array([7, 2**63, 12345], dtype=np.uint64)
    together = draw.bits(seed, purpose, task, rows, epoch)
    alone = [int(draw.bits(seed, purpose, task, rows[i : i + 1], epoch)[0]) for i in range(3)]
    assert together.tolist() == alone


def test_every_part_of_the_key_counts() -> None:
    base = draw.bits(1, "a", "t", ROWS[:64])
    for other in (
        draw.bits(2, "a", "t", ROWS[:64]),
        draw.bits(1, "b", "t", ROWS[:64]),
        draw.bits(1, "a", "u", ROWS[:64]),
        draw.bits(1, "a", "t", ROWS[:64], 1),
        draw.bits(1, "a", "t", ROWS[:64], 0, 1),
    ):
        assert not np.any(base == other)


def test_draws_are_uniform_and_independent() -> None:
    share = draw.uniform(3, "x", "t", ROWS)
    assert abs(share.mean() - 0.5) < 0.003
    counts = np.bincount((share * 64).astype(int), minlength=64)
    expected = len(ROWS) / 64
    assert ((counts - expected) ** 2 / expected).sum() < 110  # chi-squared, 63 df, p < 0.0003
    other = draw.uniform(3, "y", "t", ROWS)
    assert abs(np.corrcoef(share, other)[0, 1]) < 0.01
    assert abs(np.corrcoef(share[1:], share[:-1])[0, 1]) < 0.01


def test_one_bit_of_the_row_moves_half_the_bits() -> None:
    flipped = draw.bits(0, "p", "t", ROWS) ^ draw.bits(0, "p", "t", ROWS ^ np.uint64(1 << 40))
    changed = np.unpackbits(flipped.view(np.uint8)).mean()
    assert abs(changed - 0.5) < 0.005


def test_weights_are_kept() -> None:
    counts = np.bincount(draw.weighted([1, 0, 3], 5, "w", "t", ROWS), minlength=3)
    assert counts[1] == 0
    assert abs(counts[2] / len(ROWS) - 0.75) < 0.005


def test_integers_stay_below_their_own_limit() -> None:
    high = (ROWS % np.uint64(7)) + np.uint64(1)
    drawn = draw.integers(high, 1, "i", "t", ROWS)
    assert (drawn >= 0).all()
    assert (drawn < high).all()


def test_order_is_a_permutation() -> None:
    order = draw.order(1, "o", "", ROWS[:5000])
    assert sorted(order.tolist()) == list(range(5000))
    assert order.tolist() != list(range(5000))


def test_known_values_do_not_change() -> None:
    """A change here changes every build's bytes: it needs a new format version."""
    assert draw.bits(1, "template", "squad/qa", [0, 1, 2**64 - 1]).tolist() == KNOWN

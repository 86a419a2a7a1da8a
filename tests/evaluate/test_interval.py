"""95% intervals of mean scores."""

import pytest

from flancompile.evaluate.interval import interval


def test_intervals_contain_their_mean_and_shrink() -> None:
    small, large = interval([1.0, 0.0] * 10), interval([1.0, 0.0] * 1000)
    assert small[0] == large[0] == 0.5
    assert small[1] < large[1] < 0.5 < large[2] < small[2]
    assert interval([1.0] * 20)[1:] == pytest.approx((0.8389, 1.0), abs=1e-4)
    mean, low, high = interval([0.2, 0.4, 0.9])
    assert mean == pytest.approx(0.5) and 0 <= low < 0.5 < high <= 1


def test_equal_fractions_do_not_give_a_narrow_interval() -> None:
    assert interval([0.5])[1:] == (0.0, 1.0)
    mean, low, high = interval([0.8] * 10)
    assert mean == pytest.approx(0.8) and low < 0.65 and high > 0.95
    _, low, high = interval([0.8] * 1000)
    assert 0.79 < low < high < 0.81

"""Limits of sums up to which a word's best path is exact."""

import pytest

from flancompile.tokenizer.paths import Paths
from flancompile.tokenizer.pieces import NORMAL, UNIGRAM, Piece, PieceModel
from flancompile.tokenizer.text import Texts


def test_a_tie_is_never_safe() -> None:
    pieces = [("\u2581", -1.0), ("a", -2.0), ("aa", -3.0), ("b", -2.0), ("ab", -3.99)]
    given = tuple(Piece(t, s, NORMAL) for t, s in pieces)
    paths = Paths(PieceModel(given, UNIGRAM, False, True, True, b""))
    best, limit = paths.limits(Texts.of(["\u2581aaa", "\u2581aa", "\u2581ab", "\u2581?"]))
    assert best.tolist() == pytest.approx([-6.0, -4.0, -4.99, -14.99], abs=1e-3)
    assert limit[0] == 0 and limit[1] > 1e4 and 0 < limit[2] < 1e4 * 10 and limit[3] > 1e4

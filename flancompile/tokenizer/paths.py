"""Greatest sum of scores up to which a word's best path under a unigram model is exact.

SentencePiece chooses the path with the greatest sum and adds in float32 over the whole text, so
each addition has an error of up to half a unit in the last place of the sum so far. After a sum S,
a word's best path is safe if its lead exceeds the total error of both paths.

Source: the lattice is that of SentencePiece's unigram_model.cc. Every occurrence of a piece is an
edge; a character that is not a piece is an unknown with the least score minus 10. Sums are float64
here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit
from flancompile.tokenizer.pieces import NORMAL, PieceModel
from flancompile.tokenizer.text import Texts

__all__ = ["Paths"]

UNKNOWN_PENALTY = 10.0
MOST_SUM, LEAST_SUM = 2.0**17, 2.0**8
SLACK = 1e-5  # the score of unknowns is itself rounded to float32


class Paths:
    """Trie of the pieces of a unigram model."""

    def __init__(self, model: PieceModel) -> None:
        usable = [p for p in model.pieces if p.kind == NORMAL and p.text]
        self._unknown = min(p.score for p in usable) - UNKNOWN_PENALTY
        texts = Texts.of([p.text for p in usable])
        size = 1 << int(2 * (texts.size + 1)).bit_length()
        self._keys, self._nodes = np.full(size, -1, np.int64), np.zeros(size, np.int32)
        self._scores = np.full(texts.size + 1, np.nan)
        scores = np.array([p.score for p in usable])
        _plant(texts.data, texts.offsets, scores, self._keys, self._nodes, self._scores)

    def limits(self, words: Texts) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Best paths of words. -> (scores, limits): float32[words] each

        words: normalised, with spaces as U+2581; limits: greatest sums before a word for which its
        path is safe.
        """
        best, limit = np.zeros((2, len(words)), np.float32)
        _search(
            words.data, words.offsets, self._keys, self._nodes, self._scores, self._unknown,
            best, limit,
        )  # fmt: skip
        return best, limit


@njit
def _edge(keys, nodes, node, letter):  # type: ignore[no-untyped-def]
    """Slot of an edge of the trie, or the empty slot to insert it. -> (slot, key)"""
    key = np.int64(node) << 8 | np.int64(letter)
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    slot = np.int64(mixed >> np.uint64(20)) & (len(keys) - 1)
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & (len(keys) - 1)
    return slot, key


@njit
def _plant(data, offsets, given, keys, nodes, scores):  # type: ignore[no-untyped-def]
    count = 1
    for piece in range(len(offsets) - 1):
        node = 0
        for at in range(offsets[piece], offsets[piece + 1]):
            slot, key = _edge(keys, nodes, node, data[at])
            if keys[slot] == -1:
                keys[slot], nodes[slot] = key, count
                count += 1
            node = nodes[slot]
        scores[node] = given[piece]


@njit
def _search(data, offsets, keys, nodes, scores, unknown, best, limit):  # type: ignore[no-untyped-def]
    longest = 0
    for word in range(len(offsets) - 1):
        longest = max(longest, offsets[word + 1] - offsets[word])
    first, second = np.empty(longest + 1), np.empty(longest + 1)
    pieces = np.empty(longest + 1, np.int64)
    for word in range(len(offsets) - 1):
        text = data[offsets[word] : offsets[word + 1]]
        size = len(text)
        sum_ = MOST_SUM
        while sum_ >= LEAST_SUM:
            unit = sum_ * 2.0**-23
            _two_best(text, keys, nodes, scores, unknown, unit / 2, first, second, pieces)
            if second[size] + SLACK < first[size] - pieces[size] * unit:
                break
            sum_ /= 2
        limit[word] = sum_ if sum_ >= LEAST_SUM else 0.0
        best[word] = first[size] - pieces[size] * (sum_ * 2.0**-24)


@njit
def _two_best(text, keys, nodes, scores, unknown, bonus, first, second, pieces):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Two best sums up to each byte, with `bonus` added per piece, and the best path's length."""
    size = len(text)
    first[: size + 1], second[: size + 1], pieces[: size + 1] = -np.inf, -np.inf, 0
    first[0] = 0.0
    for at in range(size):
        lead = text[at]
        if 0x80 <= lead < 0xC0:
            continue
        width = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        node, alone = 0, False
        for end in range(at, size):
            slot, _ = _edge(keys, nodes, node, text[end])
            if keys[slot] == -1:
                break
            node = nodes[slot]
            if not np.isnan(scores[node]):
                alone = alone or end + 1 - at == width
                _offer(first, second, pieces, at, end + 1, scores[node] + bonus)
        if not alone:
            _offer(first, second, pieces, at, at + width, unknown + bonus)


@njit
def _offer(first, second, pieces, start, end, score):  # type: ignore[no-untyped-def]
    one, other = first[start] + score, second[start] + score
    if one > first[end]:
        second[end] = max(first[end], other)
        first[end], pieces[end] = one, pieces[start] + 1
    else:
        second[end] = max(second[end], one)

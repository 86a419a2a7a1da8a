"""Loss spans: order, parts and sums against lists, and the expansion of chats."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.store.expand import expand
from flancompile.store.loss_spans import LossSpans


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=3),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_loss_spans_of_chats(chats: list[list[tuple[int, int]]], random: random.Random) -> None:
    flat = [n for chat in chats for pair in chat for n in pair]
    loss_spans = LossSpans(np.array(flat, np.int64), np.cumsum([0, *(2 * len(c) for c in chats)]))
    assert loss_spans.tolist() == [[n for pair in chat for n in pair] for chat in chats]
    assert loss_spans.sides.tolist() == [
        [sum(p), sum(t)] for p, t in (zip(*c, strict=True) for c in chats)
    ]
    order = list(range(len(chats)))
    random.shuffle(order)
    assert loss_spans.take(np.array(order, np.int64)).tolist() == [
        loss_spans.tolist()[i] for i in order
    ]
    if chats:
        halves = [loss_spans.part(0, 1), loss_spans.part(1, len(chats))]
        assert LossSpans.joined(halves).tolist() == loss_spans.tolist()
    found = expand("decoder", {"tokens": 200}, loss_spans, np.array([0, len(chats)]))
    weights = [w for chat in chats for p, t in chat for w in [0.0] * p + [1.0] * t]
    assert found["loss_weights"][0].tolist() == weights + [0.0] * (200 - len(weights))
    sizes = [sum(map(sum, chat)) for chat in chats]
    positions = [k for size in sizes for k in range(size)]
    assert found["positions"][0].tolist() == positions + [0] * (200 - len(positions))
    segments = [n for n, size in enumerate(sizes, 1) for _ in range(size)]
    assert found["segment_ids"][0].tolist() == segments + [0] * (200 - len(segments))


def test_pairs_and_bounds() -> None:
    spans = LossSpans.pairs(np.array([[3, 1], [2, 4]]))
    assert (len(spans), spans.counts.tolist(), spans[1].tolist()) == (2, [2, 2], [2, 4])
    for bad in (-1, 2):
        with pytest.raises(IndexError, match=f"example {bad} of 2"):
            spans[bad]
    assert (len(LossSpans.joined([])), LossSpans.joined([]).tolist()) == (0, [])

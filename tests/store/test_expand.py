"""Expansion of loss spans, against a plain loop over tokens."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.store.expand import decoder_batch, expand
from flancompile.store.loss_spans import LossSpans


def naive(loss_spans: list[list[int]], length: int) -> tuple[list[int], list[int], list[float]]:
    segments: list[int] = []
    positions: list[int] = []
    weights: list[float] = []
    for number, (prompt, target) in enumerate(loss_spans, 1):
        segments += [number] * (prompt + target)
        positions += range(prompt + target)
        weights += [0.0] * prompt + [1.0] * target
    rest = length - len(segments)
    return segments + [0] * rest, positions + [0] * rest, weights + [0.0] * rest


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=4),
        min_size=1,
        max_size=5,
    )
)
def test_expansion(packs: list[list[tuple[int, int]]]) -> None:
    lengths = np.array([r for p in packs for r in p], dtype=np.int64).reshape(-1, 2)
    loss_spans = LossSpans.pairs(lengths)
    offsets = np.cumsum([0, *map(len, packs)])
    found = expand("decoder", {"tokens": 60}, loss_spans, offsets)
    for row, pack in enumerate(packs):
        segments, positions, weights = naive([list(r) for r in pack], 60)
        assert found["segment_ids"][row].tolist() == segments
        assert found["positions"][row].tolist() == positions
        assert found["loss_weights"][row].tolist() == weights
    both = expand("encoder_decoder", {"inputs": 40, "targets": 20}, loss_spans, offsets)
    for row, pack in enumerate(packs):
        inputs = [n for n, (p, _) in enumerate(pack, 1) for _ in range(p)]
        assert both["inputs_segment_ids"][row].tolist() == inputs + [0] * (40 - len(inputs))
        targets = sum(t for _, t in pack)
        assert both["targets_loss_weights"][row].sum() == targets


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_a_batch_of_several_parts_equals_each_expanded(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts, owner, rows, expected = [], [], [], []
    for part, packs in enumerate(sizes):
        offsets = np.cumsum([0, *rng.integers(1, 4, packs)])
        spans = LossSpans.pairs(rng.integers(1, 5, (int(offsets[-1]), 2)))
        tokens = rng.integers(0, 1000, (packs, 32)).astype(np.uint16)
        parts.append((tokens, offsets, spans.values, spans.edges))
        arrays = {"tokens": tokens, **expand("decoder", {"tokens": 32}, spans, offsets)}
        for row in range(packs):
            owner.append(part)
            rows.append(row)
            expected.append({name: values[row].tolist() for name, values in arrays.items()})
    order = rng.permutation(len(rows))
    found = decoder_batch(parts, np.array(owner)[order], np.array(rows)[order], 32)
    assert {name: str(a.dtype) for name, a in found.items()} == {
        "tokens": "int32", "segment_ids": "int32", "positions": "int32", "loss_weights": "float32",
    }  # fmt: skip
    for place, index in enumerate(order.tolist()):
        assert {n: a[place].tolist() for n, a in found.items()} == expected[index]

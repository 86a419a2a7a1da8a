"""Attention against the plain formula, one query at a time."""

import numpy as np
import pytest
from jax import numpy as jnp

from flancompile.trainer import attention
from flancompile.trainer.attention import attend


def plain(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    q_seg: np.ndarray,
    kv_seg: np.ndarray,
    causal: bool,
    bias: np.ndarray | None = None,
) -> np.ndarray:
    packs, queries, heads, width = q.shape
    out = np.zeros_like(q)
    group = heads // k.shape[2]
    for b in range(packs):
        for h in range(heads):
            for t in range(queries):
                seen = [
                    s for s in range(k.shape[1])
                    if kv_seg[b, s] > 0 and kv_seg[b, s] == q_seg[b, t] and (not causal or s <= t)
                ]  # fmt: skip
                if not seen:
                    continue
                scores = np.array([q[b, t, h] @ k[b, s, h // group] for s in seen]) / width**0.5
                if bias is not None:
                    scores = scores + np.array([bias[h, t, s] for s in seen])
                shares = np.exp(scores - scores.max())
                shares /= shares.sum()
                out[b, t, h] = sum(
                    w * v[b, s, h // group] for w, s in zip(shares, seen, strict=True)
                )
    return out


def some(queries: int, keys: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(2, queries, 4, 8)).astype(np.float32)
    k, v = (rng.normal(size=(2, keys, 2, 8)).astype(np.float32) for _ in range(2))
    return q, k, v


@pytest.mark.slow
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("stretch", [512, 5])
def test_it_is_softmax_attention_within_segments(
    causal: bool, stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "QUERIES", stretch)
    q, k, v = some(13, 13)
    segments = np.array([[1] * 4 + [2] * 6 + [0] * 3, [1] * 13], np.int32)
    found = attend(*map(jnp.asarray, (q, k, v, segments, segments)), causal=causal)
    want = plain(q, k, v, segments, segments, causal)
    real = segments > 0
    np.testing.assert_allclose(np.asarray(found)[real], want[real], atol=1e-5)
    assert np.isfinite(found).all()


def test_across_sides_of_unequal_length_with_a_bias() -> None:
    q, k, v = some(5, 9, seed=1)
    q_seg = np.array([[1, 1, 2, 2, 0], [1, 2, 2, 3, 3]], np.int32)
    kv_seg = np.array([[1, 1, 1, 2, 2, 2, 0, 0, 0], [1, 1, 2, 2, 2, 2, 3, 3, 0]], np.int32)
    bias = np.random.default_rng(2).normal(size=(4, 5, 9)).astype(np.float32)
    found = attend(
        *map(jnp.asarray, (q, k, v, q_seg, kv_seg)), causal=False, bias=jnp.asarray(bias)
    )
    want = plain(q, k, v, q_seg, kv_seg, False, bias)
    np.testing.assert_allclose(np.asarray(found)[q_seg > 0], want[q_seg > 0], atol=1e-5)

"""Causal attention within the segments of packed rows.

One function for training, prefill and decoding. Plain XLA over blocks of queries, so memory grows
linearly with the length of a row.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["KERNEL", "attend"]

KERNEL = "xla"
QUERIES = 512  # of a block; scores are float32[packs, heads, QUERIES, keys]
MASKED = -1e30  # finite: a query without visible keys must not become NaN


def attend(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    q_segments: jax.Array,
    kv_segments: jax.Array,
    *,
    causal: bool,
    bias: jax.Array | None = None,
) -> jax.Array:
    """Softmax attention within segments. Keys of segment 0 (padding) are masked.

    q: [packs, queries, heads, width]; k, v: [packs, keys, kv_heads, width], where kv_heads divide
    heads; q_segments: int32[packs, queries]; kv_segments: int32[packs, keys]; bias:
    float32[heads, queries, keys], added to the scores; causal: mask keys of a greater index, which
    within a segment is a greater position. -> [packs, queries, heads, width] in q's type
    """
    packs, queries, heads, width = q.shape
    grouped = q.reshape(packs, queries, k.shape[2], heads // k.shape[2], width)

    def block(start: int, length: int) -> jax.Array:
        rows = slice(start, start + length)
        seen = q_segments[:, rows, None] == kv_segments[:, None, :]
        seen &= kv_segments[:, None, :] > 0
        if causal:
            here = start + jnp.arange(length)
            seen &= here[:, None] >= jnp.arange(k.shape[1])[None, :]
        scores = jnp.einsum(
            "btkgd,bskd->bkgts", grouped[:, rows], k, preferred_element_type=jnp.float32
        )
        scores *= width**-0.5
        if bias is not None:
            part = bias[:, rows].reshape(k.shape[2], -1, length, k.shape[1])
            scores += part
        scores = jnp.where(seen[:, None, None], scores, MASKED)
        shares = jax.nn.softmax(scores, axis=-1).astype(v.dtype)
        mixed: jax.Array = jnp.einsum("bkgts,bskd->btkgd", shares, v)
        return mixed

    if queries <= QUERIES:
        return block(0, queries).reshape(q.shape)
    recomputed = jax.checkpoint(block, static_argnums=(0, 1))
    parts = [recomputed(s, min(QUERIES, queries - s)) for s in range(0, queries, QUERIES)]
    return jnp.concatenate(parts, axis=1).reshape(q.shape)

"""Cross-entropy and z-loss as sums over targets; the caller divides once.

A mean over the means of micro-batches would weight targets unequally. Logits are computed for
`POSITIONS` positions at a time and recomputed in the backward pass, so an array of [packs, length,
vocab] never exists.

Source: z-loss, Chowdhery et al. 2022 (PaLM), section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Sums", "next_tokens", "target_sums"]

POSITIONS = 256


class Sums(NamedTuple):
    """Float32 scalars summed over targets.

    loss: nats; z: log²Z; hits: targets that the most likely token equals; targets: their number.
    """

    loss: jax.Array
    z: jax.Array
    hits: jax.Array
    targets: jax.Array


def next_tokens(
    tokens: jax.Array, segment_ids: jax.Array, loss_weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Labels and loss weights of each position. -> (labels int32, weights float32)

    The label of a position is the next token; the last position of a segment has weight 0. All
    arrays [packs, length].
    """
    ahead = ((0, 0), (0, 1))
    labels = jnp.pad(tokens[:, 1:], ahead)
    same = jnp.pad((segment_ids[:, 1:] == segment_ids[:, :-1]) & (segment_ids[:, 1:] > 0), ahead)
    return labels, jnp.pad(loss_weights[:, 1:], ahead) * same


def target_sums(
    hidden: jax.Array, output: jax.Array, labels: jax.Array, weights: jax.Array
) -> Sums:
    """Loss sums over targets.

    hidden: [packs, length, width]; output: [width, vocab]; labels: int32[packs, length]; weights:
    float32[packs, length].
    """
    length = hidden.shape[1]
    size = min(POSITIONS, length)
    if length == size:
        return _sums(hidden, labels, weights, output)
    pad = -length % size
    parts = [
        jnp.pad(x, ((0, 0), (0, pad)) + ((0, 0),) * (x.ndim - 2)).reshape(
            x.shape[0], -1, size, *x.shape[2:]
        )
        for x in (hidden, labels, weights)
    ]

    @jax.checkpoint
    def add(sums: Sums, part: tuple[jax.Array, ...]) -> tuple[Sums, None]:
        states, answers, counted = part
        found = _sums(states, answers, counted, output)
        return Sums(*(a + b for a, b in zip(sums, found, strict=True))), None

    zero = Sums(*(jnp.zeros((), jnp.float32),) * 4)
    sums, _ = jax.lax.scan(add, zero, tuple(jnp.swapaxes(p, 0, 1) for p in parts))
    return sums


def _sums(hidden: jax.Array, labels: jax.Array, weights: jax.Array, output: jax.Array) -> Sums:
    logits = jnp.einsum("btd,dv->btv", hidden, output, preferred_element_type=jnp.float32)
    log_z = jax.nn.logsumexp(logits, axis=-1)
    chosen = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    hit = jnp.argmax(logits, axis=-1) == labels
    return Sums(
        jnp.sum((log_z - chosen) * weights),
        jnp.sum(jnp.square(log_z) * weights),
        jnp.sum(hit * weights),
        jnp.sum(weights),
    )

"""Sums for the loss: cross-entropy and z-loss over targets, divided only once, by the caller.

A mean of micro-batches' means weights targets unequally; sums do not. Logits are made for a
stretch of positions at a time and made again in the backward pass, so that [packs, length, vocab]
never exists.

Source: z-loss, Chowdhery et al. 2022 (PaLM), section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Sums", "next_tokens", "target_sums"]

STRETCH = 256


class Sums(NamedTuple):
    """Float32 scalars over all targets: nats, log²Z, how many first guesses hit, how many."""

    loss: jax.Array
    z: jax.Array
    hits: jax.Array
    targets: jax.Array


def next_tokens(
    tokens: jax.Array, segment_ids: jax.Array, loss_weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """What each position is to predict, and whether it counts.

    A position's label is the next token if that is of the same segment; a segment's last position
    counts for nothing. All [packs, length]. -> labels int32, weights float32.
    """
    ahead = ((0, 0), (0, 1))
    labels = jnp.pad(tokens[:, 1:], ahead)
    same = jnp.pad((segment_ids[:, 1:] == segment_ids[:, :-1]) & (segment_ids[:, 1:] > 0), ahead)
    return labels, jnp.pad(loss_weights[:, 1:], ahead) * same


def target_sums(
    hidden: jax.Array, output: jax.Array, labels: jax.Array, weights: jax.Array
) -> Sums:
    """Sums over targets. hidden: [packs, length, width]; output: [width, vocab]."""
    length = hidden.shape[1]
    size = min(STRETCH, length)
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
    def stretch(sums: Sums, part: tuple[jax.Array, ...]) -> tuple[Sums, None]:
        states, answers, counted = part
        found = _sums(states, answers, counted, output)
        return Sums(*(a + b for a, b in zip(sums, found, strict=True))), None

    zero = Sums(*(jnp.zeros((), jnp.float32),) * 4)
    sums, _ = jax.lax.scan(stretch, zero, tuple(jnp.swapaxes(p, 0, 1) for p in parts))
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

"""Log-probabilities of continuations, for rank classification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.generate import STEP

__all__ = ["score"]


def score(
    params: Any,
    shape: ModelShape,
    prompts: Sequence[npt.ArrayLike],
    targets: Sequence[npt.ArrayLike],
    *,
    compute: str,
    batch_rows: int,
    progress: Callable[[int], None] = lambda _: None,
) -> npt.NDArray[np.float64]:
    """log p(target | prompt) of each pair in nats, summed over the target's tokens.

    prompts, targets: framed ids, at least one per prompt; batch_rows: pairs of a batch; progress:
    called with the number of pairs scored. -> float64[pairs]
    """
    pairs = [
        (np.asarray(p, np.int32), np.asarray(t, np.int32))
        for p, t in zip(prompts, targets, strict=True)
    ]
    sizes = [len(p) + len(t) for p, t in pairs]
    by_length = sorted(range(len(pairs)), key=sizes.__getitem__)
    found = np.zeros(len(pairs), np.float64)
    for start in range(0, len(pairs), batch_rows):
        chosen = by_length[start : start + batch_rows]
        width = max(STEP, -(-sizes[chosen[-1]] // STEP) * STEP)
        tokens, real, weights = (np.zeros((batch_rows, width), np.int32) for _ in range(3))
        for place, index in enumerate(chosen):
            prompt, target = pairs[index]
            tokens[place, : sizes[index]] = np.concatenate([prompt, target])
            real[place, : sizes[index]] = 1
            weights[place, len(prompt) : sizes[index]] = 1
        sums = _score(shape, compute, params, tokens, real, weights)
        found[chosen] = np.asarray(sums)[: len(chosen)]
        progress(start + len(chosen))
    return found


@partial(jax.jit, static_argnums=(0, 1))
def _score(
    shape: ModelShape,
    compute: str,
    params: Any,
    tokens: jax.Array,
    real: jax.Array,
    weights: jax.Array,
) -> jax.Array:
    """Weighted sums of log-probabilities. tokens, weights: int32[rows, width] -> float32[rows]"""
    kind = jnp.dtype(compute)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    hidden = model.forward(params, shape, tokens, real, positions, compute=kind)
    output = model.unembedding(params, kind)

    def row(part: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        states, labels, counted = part
        logits = jnp.einsum("td,dv->tv", states, output, preferred_element_type=jnp.float32)
        chosen = jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
        return jnp.sum((chosen - jax.nn.logsumexp(logits, axis=-1)) * counted)

    sums: jax.Array = jax.lax.map(row, (hidden[:, :-1], tokens[:, 1:], weights[:, 1:]))
    return sums

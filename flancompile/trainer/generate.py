"""Greedy generation with a key-value cache: one compiled prefill and loop per batch of prompts.

Prompts are padded on the left, so that all rows write to the same position of the cache, and to
multiples of `STEP` tokens, so that few shapes are compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from flancompile.trainer import model
from flancompile.trainer.attention import attend
from flancompile.trainer.config import ModelShape

__all__ = ["STEP", "generate"]

Ids = npt.NDArray[np.int32]
STEP = 64  # prompts are padded to multiples of it


def generate(
    params: Any,
    shape: ModelShape,
    prompts: Sequence[npt.ArrayLike],
    *,
    compute: str,
    eos: int | None,
    max_new_tokens: int,
    batch_rows: int,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Ids]:
    """Generate an answer to each prompt greedily, up to eos (excluded).

    params: as `model.init` makes them, on any mesh; prompts: framed ids, at least one each;
    batch_rows: prompts of a batch; progress: called with the number of prompts answered.
    -> int32[≤ max_new_tokens] each, in the order of prompts
    """
    given = [np.asarray(p, dtype=np.int32) for p in prompts]
    by_length = sorted(range(len(given)), key=lambda i: len(given[i]))
    found: list[Ids] = [np.zeros(0, np.int32)] * len(given)
    end = -1 if eos is None else eos
    for start in range(0, len(given), batch_rows):
        rows = by_length[start : start + batch_rows]
        width = max(STEP, -(-len(given[rows[-1]]) // STEP) * STEP)
        tokens = np.zeros((batch_rows, width), np.int32)
        real = np.zeros((batch_rows, width), np.int32)
        for place, row in enumerate(rows):
            tokens[place, width - len(given[row]) :] = given[row]
            real[place, width - len(given[row]) :] = 1
        real[len(rows) :, -1] = 1  # filler rows need a visible token, or softmax has no input
        output_ids = np.asarray(
            _generate(shape, compute, max_new_tokens, params, tokens, real, end, len(rows))
        )
        for place, row in enumerate(rows):
            found[row] = _before_eos(output_ids[place], end)
        progress(start + len(rows))
    return found


def _before_eos(ids: Ids, eos: int) -> Ids:
    ends = np.flatnonzero(ids == eos)
    return ids[: ends[0]] if len(ends) else ids


@partial(jax.jit, static_argnums=(0, 1, 2))
def _generate(
    shape: ModelShape,
    compute: str,
    steps: int,
    params: Any,
    tokens: jax.Array,
    real: jax.Array,
    eos: jax.Array,
    count: jax.Array,
) -> jax.Array:
    """Prefill and decode a batch. -> int32[rows, steps], filled up with eos

    tokens, real: int32[rows, width], padded on the left; real: 1 for tokens, 0 for padding;
    count: prompts; the rows from `count` on are filler.
    """
    kind = jnp.dtype(compute)
    rows, width = tokens.shape
    seen = jnp.concatenate([real, jnp.zeros((rows, steps), jnp.int32)], axis=1)
    size = (shape.layers, rows, width + steps, shape.key_heads, shape.head_size)
    cache = (jnp.zeros(size, kind), jnp.zeros(size, kind))
    read = partial(_read, params, shape)
    positions = jnp.maximum(jnp.cumsum(real, axis=1) - 1, 0)
    first, cache = read(tokens, positions, cache, 0, seen, causal=True)
    first = jnp.where(jnp.arange(rows) < count, first, eos)
    lengths = real.sum(axis=1)
    output_ids = jnp.full((rows, steps), eos, jnp.int32).at[:, 0].set(first)

    def unfinished(carry: Any) -> jax.Array:
        step, token, *_ = carry
        return jnp.logical_and(step < steps, jnp.any(token != eos))

    def decode_step(carry: Any) -> Any:
        step, token, output_ids, seen, cache = carry
        at = width + step - 1
        seen = jax.lax.dynamic_update_slice(seen, jnp.ones((rows, 1), jnp.int32), (0, at))
        spots = (lengths + step - 1)[:, None]
        new, cache = read(token[:, None], spots, cache, at, seen, causal=False)
        new = jnp.where(token == eos, eos, new)
        output_ids = jax.lax.dynamic_update_slice(output_ids, new[:, None], (0, step))
        return step + 1, new, output_ids, seen, cache

    start = (1, first, output_ids, seen, cache)
    _, _, output_ids, _, _ = jax.lax.while_loop(unfinished, decode_step, start)
    return output_ids


def _read(
    params: Any,
    shape: ModelShape,
    new: jax.Array,
    positions: jax.Array,
    cache: Any,
    at: Any,
    seen: jax.Array,
    *,
    causal: bool,
) -> tuple[jax.Array, Any]:
    """Run tokens through the model and write their keys and values to the cache from `at` on.

    new, positions: int32[rows, n]; seen: int32[rows, size], 1 for visible entries of the cache;
    causal: whether the new tokens are a prefill. -> (most likely next token int32[rows], cache)
    """
    kind = cache[0].dtype

    def layer(x: jax.Array, part: Any) -> tuple[jax.Array, Any]:
        weights, keys, values = part

        def attention(q: jax.Array, k: jax.Array, v: jax.Array) -> tuple[jax.Array, Any]:
            all_keys = jax.lax.dynamic_update_slice(keys, k, (0, at, 0, 0))
            all_values = jax.lax.dynamic_update_slice(values, v, (0, at, 0, 0))
            own = jnp.ones(q.shape[:2], jnp.int32)
            return attend(q, all_keys, all_values, own, seen, causal=causal), (all_keys, all_values)

        return model.block(x, weights, positions, shape, attention)

    x = model.embed(params, new, kind)
    x, cache = jax.lax.scan(layer, x, (params["layers"], *cache))
    last = model.norm(x[:, -1], params["norm"], shape.norm_eps)
    output = model.unembedding(params, kind)
    logits = jnp.einsum("bd,dv->bv", last, output, preferred_element_type=jnp.float32)
    return jnp.argmax(logits, axis=-1).astype(jnp.int32), cache

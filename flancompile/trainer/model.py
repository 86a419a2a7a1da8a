"""Llama decoder as pure functions over a nested dict of arrays.

Parameters have the names of Hugging Face's Llama; layers are stacked on axis 0 for `lax.scan`, and
matrices are stored [in, out]. Master weights are float32; products are in the run's compute type;
norms, softmax and sums are float32.

Source: Touvron et al. 2023 (the architecture), Su et al. 2021 (rotary positions), Ainslie et al.
2023 (grouped queries).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from flancompile.trainer.attention import attend
from flancompile.trainer.config import ModelShape

__all__ = ["Params", "block", "embed", "forward", "init", "norm", "shapes", "unembedding"]

Params = dict[str, Any]
# (q, k, v) of one layer -> (attention's output, extra output such as a cache)
Attention = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, Any]]
REMAT = {
    "products": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": jax.checkpoint_policies.nothing_saveable,
}


def shapes(model: ModelShape, vocab: int) -> Params:
    """Shape of every parameter, as nested dicts of tuples. vocab: rows of the embedding."""
    n, d, f = model.layers, model.width, model.mlp
    queries, keys = model.heads * model.head_size, model.key_heads * model.head_size
    found: Params = {
        "embed_tokens": (vocab, d),
        "layers": {
            "input_layernorm": (n, d),
            "self_attn": {
                "q_proj": (n, d, queries),
                "k_proj": (n, d, keys),
                "v_proj": (n, d, keys),
                "o_proj": (n, queries, d),
            },
            "post_attention_layernorm": (n, d),
            "mlp": {"gate_proj": (n, d, f), "up_proj": (n, d, f), "down_proj": (n, f, d)},
        },
        "norm": (d,),
    }
    if not model.tie_embeddings:
        found["lm_head"] = (d, vocab)
    return found


def init(model: ModelShape, vocab: int, key: jax.Array) -> Params:
    """Initial float32 parameters: norms are 1, matrices normal with standard deviation 1/√in.

    The output matrices of attention and MLP are √(2 layers) smaller (GPT-2's rule).
    """
    leaves, tree = jax.tree.flatten_with_path(
        shapes(model, vocab), is_leaf=lambda x: isinstance(x, tuple)
    )
    keys = jax.random.split(key, len(leaves))
    arrays = [
        _leaf(str(p[-1].key), shape, k, model) for (p, shape), k in zip(leaves, keys, strict=True)
    ]
    filled: Params = jax.tree.unflatten(tree, arrays)
    return filled


def _leaf(name: str, shape: tuple[int, ...], key: jax.Array, model: ModelShape) -> jax.Array:
    if "norm" in name:
        return jnp.ones(shape, jnp.float32)
    scale = 1.0 / float(model.width if name == "embed_tokens" else shape[-2]) ** 0.5
    if name in ("o_proj", "down_proj"):
        scale /= (2.0 * model.layers) ** 0.5
    drawn: jax.Array = jax.random.normal(key, shape, jnp.float32) * scale
    return drawn


def embed(params: Params, tokens: jax.Array, compute: jnp.dtype) -> jax.Array:
    """Token embeddings. tokens: int32[packs, length] -> [packs, length, width]

    Rows are cast after the gather, so that the gradients of a frequent token are summed in float32.
    A sum in bfloat16 loses half of the gradient of a token that is a third of all tokens.
    """
    found: jax.Array = params["embed_tokens"][tokens].astype(compute)
    return found


def unembedding(params: Params, compute: jnp.dtype) -> jax.Array:
    """Matrix of the output layer. -> [width, vocab]"""
    tied = "lm_head" not in params
    matrix = params["embed_tokens"].T if tied else params["lm_head"]
    cast: jax.Array = matrix.astype(compute)
    return cast


def norm(x: jax.Array, weight: jax.Array, eps: float) -> jax.Array:
    """RMS norm over the last axis, computed in float32. -> x's shape and type"""
    wide = x.astype(jnp.float32)
    wide *= jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + eps)
    return (wide * weight).astype(x.dtype)


def rotate(x: jax.Array, positions: jax.Array, theta: float) -> jax.Array:
    """Apply rotary positions. x: [packs, length, heads, width]; positions: int32[packs, length]."""
    half = x.shape[-1] // 2
    rates = theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[..., None].astype(jnp.float32) * rates
    cos, sin = jnp.cos(angles)[:, :, None], jnp.sin(angles)[:, :, None]
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(x.dtype)


def block(
    x: jax.Array, layer: Params, positions: jax.Array, model: ModelShape, attention: Attention
) -> tuple[jax.Array, Any]:
    """One layer. x: [packs, length, width] -> (the same shape, the extra output of `attention`)"""
    packs, length, _ = x.shape
    layer = jax.tree.map(lambda w: w if w.ndim == 1 else w.astype(x.dtype), layer)
    heads, own = norm(x, layer["input_layernorm"], model.norm_eps), layer["self_attn"]
    q, k, v = (
        (heads @ own[name]).reshape(packs, length, count, model.head_size)
        for name, count in (
            ("q_proj", model.heads), ("k_proj", model.key_heads), ("v_proj", model.key_heads),
        )
    )  # fmt: skip
    q, k = (rotate(part, positions, model.rope_theta) for part in (q, k))
    gathered, extra = attention(q, k, v)
    x = x + gathered.reshape(packs, length, -1) @ own["o_proj"]
    mlp, hidden = layer["mlp"], norm(x, layer["post_attention_layernorm"], model.norm_eps)
    gate = jax.nn.silu(hidden @ mlp["gate_proj"]) * (hidden @ mlp["up_proj"])
    return x + gate @ mlp["down_proj"], extra


def forward(
    params: Params,
    model: ModelShape,
    tokens: jax.Array,
    segment_ids: jax.Array,
    positions: jax.Array,
    *,
    compute: jnp.dtype,
    remat: str = "none",
    spread: Callable[[jax.Array], jax.Array] = lambda x: x,
) -> jax.Array:
    """Hidden states before the output layer. -> [packs, length, width] in the compute type

    tokens, segment_ids, positions: int32[packs, length]; remat: of a run file; spread: shards
    activations on the mesh.
    """

    def attention(q: jax.Array, k: jax.Array, v: jax.Array) -> tuple[jax.Array, None]:
        return attend(q, k, v, segment_ids, segment_ids, causal=True), None

    def layer(x: jax.Array, weights: Params) -> tuple[jax.Array, None]:
        x, _ = block(x, weights, positions, model, attention)
        return spread(x), None

    if remat != "none":
        layer = jax.checkpoint(layer, policy=REMAT[remat], prevent_cse=False)
    x = spread(embed(params, tokens, compute))
    x, _ = jax.lax.scan(layer, x, params["layers"])
    return norm(x, params["norm"], model.norm_eps)

"""Generation with a cache, against whole forward passes without one."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.decoder import Decoder

SHAPE = ModelShape(layers=2, width=32, heads=4, kv_heads=2, mlp=48)
EOS = 2


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    params = model.init(SHAPE, 128, jax.random.key(3))
    # Larger weights, so that answers differ and some end.
    params = jax.tree.map(lambda x: x * 3 if x.ndim > 1 else x, params)
    return Decoder(params, SHAPE, "float32", EOS, batch_rows=4)


@jax.jit
def forward(params: model.Params, tokens: jax.Array, real: jax.Array) -> jax.Array:
    places = jnp.arange(tokens.shape[1])[None]
    hidden = model.forward(params, SHAPE, tokens, real, places, compute=jnp.float32)
    return hidden @ model.unembedding(params, jnp.float32)


def logits(decoder: Decoder, ids: list[int]) -> np.ndarray:
    """Of every position, by one pass; the row is padded on the right, which nothing sees."""
    tokens, real = np.zeros((1, 96), np.int32), np.zeros((1, 96), np.int32)
    tokens[0, : len(ids)], real[0, : len(ids)] = ids, 1
    return np.asarray(forward(decoder.params, tokens, real))[0, : len(ids)]


def greedy(decoder: Decoder, ids: list[int], most: int) -> list[int]:
    made: list[int] = []
    while len(made) < most:
        token = int(logits(decoder, [*ids, *made])[-1].argmax())
        if token == EOS:
            break
        made.append(token)
    return made


def prompts(count: int = 7) -> list[list[int]]:
    rng = np.random.default_rng(5)
    return [rng.integers(3, 128, n).tolist() for n in (1, 3, 64, 65, 70, 12, 2)[:count]]


@pytest.mark.slow
def test_answers_are_those_of_whole_forward_passes(decoder: Decoder) -> None:
    found = decoder.generate(prompts(), 12)
    for ids, made in zip(prompts(), found, strict=True):
        assert made.tolist() == greedy(decoder, ids, 12)


def test_an_answer_ends_at_eos(decoder: Decoder) -> None:
    ids = prompts()[5]
    first = greedy(decoder, ids, 12)
    stop = first[4]
    ending = Decoder(decoder.params, SHAPE, "float32", stop, batch_rows=4)
    (found,) = ending.generate([ids], 12)
    assert found.tolist() == first[: first.index(stop)]
    endless = Decoder(decoder.params, SHAPE, "float32", None, batch_rows=4)
    assert len(endless.generate([ids], 12)[0]) == 12

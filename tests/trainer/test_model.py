"""The model: packed examples have the loss of the same examples alone; exact gradients."""

from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from flancompile.store.build import Build
from flancompile.store.expand import expand
from flancompile.store.loss_spans import LossSpans
from flancompile.trainer import model
from flancompile.trainer.config import ModelShape, Run
from flancompile.trainer.step import batch_sums

SHAPE = ModelShape(layers=2, width=32, heads=4, kv_heads=2, mlp=48)
F32 = jnp.dtype("float32")


def run(**more: Any) -> Run:
    about = {"run": "m", "model": SHAPE, "steps": 1, "batch_packs": 1, "compute": "float32"}
    return Run.model_validate({**about, **more})


@pytest.fixture(scope="module")
def params() -> model.Params:
    return model.init(SHAPE, 384, jax.random.key(0))


def alone(build: Build, packs: list[int], length: int) -> dict[str, np.ndarray]:
    """Each example of some packs in a row of its own."""
    rows = []
    for pack in packs:
        for segment in range(len(build.packs[pack].examples)):
            _, ids = build.example_ids(pack, segment)
            rows.append((ids["tokens"], build.packs[pack].loss_spans[segment]))
    tokens = np.zeros((len(rows), length), np.int32)
    for place, (row, _) in enumerate(rows):
        tokens[place, : len(row)] = row
    loss_spans = LossSpans.pairs(np.array([r for _, r in rows]))
    return {
        "tokens": tokens,
        **expand("decoder", {"tokens": length}, loss_spans, np.arange(len(rows) + 1)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("remat", ["none", "products", "full"])
def test_packed_examples_give_the_loss_of_the_same_examples_alone(
    build: Build, params: model.Params, remat: str
) -> None:
    packs = list(range(4))
    tokens, loss_spans, offsets = build.packs.gather(np.array(packs))
    packed = {**tokens, **expand("decoder", {"tokens": 256}, loss_spans, offsets)}
    one, other = (
        batch_sums(params, {k: jnp.asarray(v) for k, v in batch.items()}, run(remat=remat))
        for batch in (packed, alone(build, packs, 256))
    )
    assert float(one.targets) == float(other.targets) == packed["loss_weights"].sum()
    np.testing.assert_allclose(float(one.loss), float(other.loss), rtol=1e-5)
    np.testing.assert_allclose(float(one.z), float(other.z), rtol=1e-5)


def test_what_follows_in_another_segment_changes_nothing(params: model.Params) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(3, 200, (1, 12)).astype(np.int32)
    segments = np.array([[1] * 5 + [2] * 7], np.int32)
    positions = np.array([[*range(5), *range(7)]], np.int32)
    other = tokens.copy()
    other[0, :5] = 7
    outs = [
        model.forward(params, SHAPE, *map(jnp.asarray, (t, segments, positions)), compute=F32)
        for t in (tokens, other)
    ]
    np.testing.assert_array_equal(outs[0][0, 5:], outs[1][0, 5:])
    assert not np.array_equal(outs[0][0, :5], outs[1][0, :5])


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_gradients_of_bfloat16_are_added_up_in_float32(tied: bool) -> None:
    """A token that is half of all has a thousand gradients, whose sum bfloat16 would lose."""
    shape = ModelShape(layers=1, width=16, heads=2, mlp=16, tie_embeddings=tied)
    params = model.init(shape, 64, jax.random.key(0))
    rng = np.random.default_rng(0)
    tokens = np.where(rng.random((8, 256)) < 0.5, 5, rng.integers(0, 64, (8, 256)))
    row = np.arange(256, dtype=np.int32)
    batch = {
        "tokens": jnp.asarray(tokens.astype(np.int32)),
        "segment_ids": jnp.asarray(np.broadcast_to(row // 64 + 1, (8, 256))),
        "positions": jnp.asarray(np.broadcast_to(row % 64, (8, 256))),
        "loss_weights": jnp.ones((8, 256)),
    }

    def gradients(kind: str) -> Any:
        about = run(model=shape, compute=kind)
        return jax.jit(jax.grad(lambda p: batch_sums(p, batch, about).loss))(params)

    def off(ours: jax.Array, true: jax.Array) -> float:
        return float(jnp.linalg.norm(ours - true) / jnp.linalg.norm(true))

    rough, exact = gradients("bfloat16"), gradients("float32")
    assert off(rough["embed_tokens"][5], exact["embed_tokens"][5]) < 0.02
    for path, distance in jax.tree.leaves_with_path(jax.tree.map(off, rough, exact)):
        assert distance < 0.03, path

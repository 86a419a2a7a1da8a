"""Adafactor over stacked layers equals Adafactor on each layer; schedules; weight decay."""

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from flancompile.trainer.config import Optimizer
from flancompile.trainer.model import Params
from flancompile.trainer.optimizer import make_optimizer, rate


@pytest.mark.slow
def test_each_layer_of_a_stack_is_treated_apart() -> None:
    rng = np.random.default_rng(0)
    # Layers of very unequal size, large enough to be factored.
    sizes = np.array([0.01, 1.0, 30.0])[:, None, None]
    stack = jnp.asarray(rng.normal(size=(3, 130, 140)) * sizes, jnp.float32)
    grads = jnp.asarray(rng.normal(size=(3, 130, 140)) * sizes[::-1], jnp.float32)
    other = jnp.ones((128,))
    ours = make_optimizer(Optimizer(learning_rate=0.1), 10)
    params: Params = {"layers": {"q_proj": stack}, "norm": other}
    state = ours.init(params)
    alone = [optax.adafactor(0.1, min_dim_size_to_factor=128) for _ in range(3)]
    layers = [stack[i] for i in range(3)]
    states = [o.init(w) for o, w in zip(alone, layers, strict=True)]
    for _ in range(3):
        updates, state = ours.update({"layers": {"q_proj": grads}, "norm": other}, state, params)
        params = optax.apply_updates(params, updates)
        for i in range(3):
            update, states[i] = alone[i].update(grads[i], states[i], layers[i])
            layers[i] = optax.apply_updates(layers[i], update)
    for i in range(3):
        np.testing.assert_allclose(
            params["layers"]["q_proj"][i], layers[i], rtol=1e-5, atol=1e-6 * sizes[i, 0, 0]
        )


def test_second_moments_of_a_stack_are_factored() -> None:
    state = make_optimizer(Optimizer(), 10).init(
        {"layers": {"q_proj": jnp.zeros((4, 256, 512))}, "norm": jnp.zeros(8)}
    )
    largest = max(leaf.size for leaf in jax.tree.leaves(state))
    assert largest == 4 * 512


@pytest.mark.parametrize(
    ("decay", "want"),
    [("constant", [0.5, 1, 1, 1, 1]), ("linear", [0.5, 1, 1, 0.5, 0.1]),
     ("cosine", [0.5, 1, 1, 0.55, 0.1]), ("rsqrt", [0.5, 1, 1, (2 / 6) ** 0.5, (2 / 10) ** 0.5])],
)  # fmt: skip
def test_rates_rise_then_decay(decay: str, want: list[float]) -> None:
    about = Optimizer(learning_rate=1.0, warmup_steps=2, decay=decay, end_factor=0.1)
    found = [float(rate(about, 10)(s)) for s in (0, 1, 2, 6, 10)]
    if decay == "linear":
        want[3] = 0.55
    np.testing.assert_allclose(found, want, rtol=1e-5)


def test_norms_do_not_decay() -> None:
    about = Optimizer(name="adamw", learning_rate=1.0, weight_decay=0.5)
    params = {
        "layers": {"q_proj": jnp.ones((2, 4, 4)), "input_layernorm": jnp.ones((2, 4))},
        "norm": jnp.ones(4),
    }
    tx = make_optimizer(about, 10)
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    assert float(updates["layers"]["q_proj"][0, 0, 0]) == -0.5
    assert (
        float(jnp.abs(updates["norm"]).max())
        == float(jnp.abs(updates["layers"]["input_layernorm"]).max())
        == 0.0
    )

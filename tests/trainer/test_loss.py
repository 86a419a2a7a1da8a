"""Labels, and loss sums against those of whole logits."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from flancompile.trainer.loss import next_tokens, target_sums


def test_labels_stay_within_their_segment() -> None:
    tokens = jnp.array([[5, 6, 7, 8, 9, 0]])
    segments = jnp.array([[1, 1, 1, 2, 2, 0]])
    weights = jnp.array([[0.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    labels, counted = next_tokens(tokens, segments, weights)
    assert labels.tolist() == [[6, 7, 8, 9, 0, 0]]
    assert counted.tolist() == [[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]]


@pytest.mark.parametrize("length", [7, 256, 300])
def test_sums_by_blocks_of_positions_are_those_of_whole_logits(length: int) -> None:
    rng = np.random.default_rng(1)
    hidden = jnp.asarray(rng.normal(size=(2, length, 16)), jnp.float32)
    output = jnp.asarray(rng.normal(size=(16, 40)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 40, (2, length)))
    weights = jnp.asarray(rng.integers(0, 2, (2, length)), jnp.float32)
    found = target_sums(hidden, output, labels, weights)
    logp = jax.nn.log_softmax(hidden @ output, axis=-1)
    chosen = jnp.take_along_axis(logp, labels[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(found.loss, -(chosen * weights).sum(), rtol=1e-5)
    np.testing.assert_allclose(found.targets, weights.sum())
    best = (jnp.argmax(logp, -1) == labels) * weights
    np.testing.assert_allclose(found.hits, best.sum())

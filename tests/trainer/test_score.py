"""Log-probabilities of continuations, against a softmax over all logits."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.score import score

SHAPE = ModelShape(layers=2, width=32, heads=4, kv_heads=2, mlp=48)


@pytest.mark.slow
def test_scores_are_summed_log_probabilities() -> None:
    params = model.init(SHAPE, 128, jax.random.key(3))
    rng = np.random.default_rng(5)
    prompts = [rng.integers(3, 128, n).tolist() for n in (1, 3, 64, 65, 70, 12, 2)]
    targets = [[7], [9, 10, 2], [5] * 20, [3], [4, 4], [2], []]
    seen: list[int] = []
    found = score(
        params, SHAPE, prompts, targets, compute="float32", batch_rows=4, progress=seen.append
    )
    assert seen == [4, 7] and found.dtype == np.float64
    expected = []
    for prompt, target in zip(prompts, targets, strict=True):
        ids = jnp.asarray([[*prompt, *target]])
        places = jnp.arange(ids.shape[1])[None]
        hidden = model.forward(params, SHAPE, ids, jnp.ones_like(ids), places, compute=jnp.float32)
        logits = (hidden @ model.unembedding(params, jnp.float32))[0]
        logp = np.asarray(jax.nn.log_softmax(logits, axis=-1))
        expected.append(sum(logp[len(prompt) - 1 + i, t] for i, t in enumerate(target)))
    assert len(expected) == 7 and found == pytest.approx(expected, rel=1e-4)

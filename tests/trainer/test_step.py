"""One training step: micro-batches, clipping and metrics."""

from typing import Any

import jax
import numpy as np
import pytest
from runs import run_of

from flancompile import feed
from flancompile.store.build import Build
from flancompile.trainer.config import MeshShape
from flancompile.trainer.mesh import make_mesh
from flancompile.trainer.step import Program

SGD_LIKE = {"name": "adamw", "learning_rate": 0.5}


def gradients(build: Build, device: list[Any], **more: Any) -> tuple[Any, dict[str, float]]:
    program = Program(run_of(**more), make_mesh(MeshShape(data=1), device), 384, 256)
    _, batch = next(feed.open(build, 8, 0).iterate(0, 0, 1, stop=1))
    state = program.new_state()
    sums, grads = program._gradients(state["params"], program.put(batch))
    _, metrics = program.compiled()(state, program.put(batch))
    assert float(sums.targets) == batch["loss_weights"].sum()
    return grads, {name: float(value) for name, value in metrics.items()}


@pytest.mark.slow
def test_micro_batches_add_up_to_the_batch(build: Build, one_device: list[Any]) -> None:
    whole, metrics = gradients(build, one_device)
    parts, of_parts = gradients(build, one_device, micro_batches=4)
    assert metrics == pytest.approx(of_parts, rel=1e-4)
    pairs = list(zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True))
    assert len(pairs) > 10
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_metrics_are_per_target(build: Build, one_device: list[Any]) -> None:
    grads, metrics = gradients(build, one_device, optimizer=SGD_LIKE)
    norm = sum(float((np.asarray(g) ** 2).sum()) for g in jax.tree.leaves(grads)) ** 0.5
    assert metrics["gradient_norm"] == pytest.approx(norm / metrics["targets"], rel=1e-4)
    assert metrics["loss"] == pytest.approx(np.log(384), rel=0.2), "an untrained model guesses"
    assert metrics["learning_rate"] == 0.5 and 0 <= metrics["accuracy"] < 0.2

"""A run's model on other devices than those that it was trained on."""

from pathlib import Path

import jax
import numpy as np
import pytest
from runs import run_of

from flancompile.store.build import Build
from flancompile.trainer.config import MeshShape
from flancompile.trainer.log import read_run
from flancompile.trainer.restore import _mesh_here, trained_model
from flancompile.trainer.train import train


def test_axes_that_split_parameters_are_kept_where_they_go_up() -> None:
    split = MeshShape(data=2, fsdp=2, tensor=2)
    assert _mesh_here(split, 8) == _mesh_here(split, 4) == MeshShape(fsdp=2, tensor=2)
    assert _mesh_here(split, 6) == _mesh_here(MeshShape(data=1), 8) == MeshShape()


@pytest.mark.parametrize(
    "mesh", [{"data": 1}, pytest.param({"data": 2, "fsdp": 2, "tensor": 2}, marks=pytest.mark.slow)]
)
def test_it_is_restored_on_devices_that_no_batch_would_divide(
    build: Build, folder: Path, mesh: dict[str, int]
) -> None:
    count = int(np.prod(list(mesh.values())))
    about = run_of(steps=1, batch_packs=4, mesh=mesh)
    state = train(about, build, folder, devices=jax.devices()[:count])
    found = trained_model(folder, read_run(folder), build)  # on all eight devices
    weights = found.trained.params
    for a, b in zip(jax.tree.leaves(state["params"]), jax.tree.leaves(weights), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert np.isfinite(found.trained.score([[5, 6]], [[7]])).all()
    assert len(found.trained.generate([[5, 6]], 2)) == 1

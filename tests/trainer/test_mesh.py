"""Meshes over simulated devices, and the sharding of a training state."""

import jax
import pytest
from jax.sharding import PartitionSpec
from runs import run_of

from flancompile.errors import FlancompileError
from flancompile.trainer.config import MeshShape
from flancompile.trainer.mesh import batch_shards, make_mesh
from flancompile.trainer.step import Program


def test_the_data_axis_takes_the_remaining_devices() -> None:
    mesh = make_mesh(MeshShape(fsdp=2, tensor=2))
    assert dict(mesh.shape) == {"data": 2, "fsdp": 2, "tensor": 2} and batch_shards(mesh) == 4
    assert dict(make_mesh(MeshShape(), jax.devices()[:3]).shape)["data"] == 3


@pytest.mark.parametrize("shape", [MeshShape(data=3), MeshShape(fsdp=3), MeshShape(tensor=16)])
def test_axes_make_up_the_devices(shape: MeshShape) -> None:
    with pytest.raises(FlancompileError, match=r"FC604.*do not make 8 devices"):
        make_mesh(shape)


def test_optimizer_state_is_sharded_as_its_parameter() -> None:
    for name in ("adamw", "adafactor"):
        run = run_of(
            optimizer={"name": name},
            model={"layers": 2, "width": 256, "heads": 4, "mlp": 512},
        )
        mesh = make_mesh(MeshShape(data=2, fsdp=2, tensor=2))
        state = Program(run, mesh, 384, 64).abstract_state
        gate = state["params"]["layers"]["mlp"]["gate_proj"]
        assert gate.sharding.spec == PartitionSpec(None, "fsdp", "tensor")
        assert state["params"]["norm"].sharding.spec == PartitionSpec()
        specs = {
            leaf.shape: leaf.sharding.spec
            for path, leaf in jax.tree.leaves_with_path(state["optimizer"])
            if "gate_proj" in jax.tree_util.keystr(path) and leaf.ndim > 1
        }
        if name == "adamw":
            assert specs == {(2, 256, 512): gate.sharding.spec}
        else:
            assert specs[2, 256] == PartitionSpec(None, "fsdp")
            assert specs[2, 512] == PartitionSpec(None, "tensor")

"""Device mesh of (data, fsdp, tensor) and the sharding of parameters, batches and activations.

Parameters are sharded over fsdp and tensor, batches over data and fsdp. All axes are of type Auto:
XLA chooses the sharding of every other array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from flancompile.errors import fail
from flancompile.trainer.config import MeshShape

__all__ = ["AXES", "BATCH", "batch_shards", "make_mesh", "spread", "state_shardings"]

AXES = ("data", "fsdp", "tensor")
BATCH = ("data", "fsdp")
_IN, _OUT = PartitionSpec(None, "fsdp", "tensor"), PartitionSpec(None, "tensor", "fsdp")
_RULES = {
    "embed_tokens": PartitionSpec("tensor", "fsdp"),
    "lm_head": PartitionSpec("fsdp", "tensor"),
    **dict.fromkeys(("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"), _IN),
    **dict.fromkeys(("o_proj", "down_proj"), _OUT),
}


def make_mesh(shape: MeshShape, devices: Sequence[Any] | None = None) -> Mesh:
    """Mesh of a run. devices: default all. Raises FC604 if the axes do not make up the devices."""
    found = list(devices) if devices is not None else jax.devices()
    rest = shape.fsdp * shape.tensor
    data = shape.data if shape.data > 0 else max(1, len(found) // rest)
    if data * rest != len(found):
        sizes = f"data {data} × fsdp {shape.fsdp} × tensor {shape.tensor}"
        hint = "their product must be the number of devices; `data: -1` takes all remaining devices"
        raise fail("FC604", f"mesh: {sizes} do not make {len(found)} devices", hint=hint)
    grid = np.array(found).reshape(data, shape.fsdp, shape.tensor)
    return Mesh(grid, AXES, axis_types=(AxisType.Auto,) * 3)


def batch_shards(mesh: Mesh) -> int:
    """Number of shards of a batch."""
    return int(mesh.shape["data"] * mesh.shape["fsdp"])


def spread(mesh: Mesh, x: jax.Array) -> jax.Array:
    """Constrain activations [packs, length, width] to be sharded by packs."""
    spot = NamedSharding(mesh, PartitionSpec(BATCH, None, None))
    constrained: jax.Array = jax.lax.with_sharding_constraint(x, spot)
    return constrained


def state_shardings(mesh: Mesh, state: Any) -> Any:
    """Sharding of each leaf of a training state.

    state: a tree of shapes with `params` in it. An optimiser's leaf is sharded as its parameter; a
    factor, whose shape lacks one of the parameter's axes, as the remaining axes are.
    """
    owners = {_names(path): leaf.shape for path, leaf in jax.tree.leaves_with_path(state["params"])}

    def spot(path: Any, leaf: Any) -> NamedSharding:
        names = _names(path)
        owner = next((o for o in _tails(names) if o in owners), None)
        spec = PartitionSpec() if owner is None else _spec(owner[-1], owners[owner], leaf.shape)
        return NamedSharding(mesh, spec)

    return jax.tree.map_with_path(spot, state)


def _names(path: Any) -> tuple[str, ...]:
    return tuple(str(getattr(p, "key", getattr(p, "name", getattr(p, "idx", "")))) for p in path)


def _tails(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Suffixes of a path, longest first, each also below `layers`, which optimiser paths lack."""
    tails = [names[i:] for i in range(len(names))]
    return [t for tail in tails for t in (tail, ("layers", *tail))]


def _spec(name: str, owner: tuple[int, ...], shape: tuple[int, ...]) -> PartitionSpec:
    axes = list(_RULES.get(name, ()))
    if not axes:
        return PartitionSpec()
    if shape == owner:
        return PartitionSpec(*axes)
    for lost in reversed(range(len(owner))):
        if shape == owner[:lost] + owner[lost + 1 :]:
            return PartitionSpec(*axes[:lost], *axes[lost + 1 :])
    return PartitionSpec()

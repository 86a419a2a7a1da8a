"""FLOPs and parameter counts, against the tree of parameters and counts by hand."""

import jax
import numpy as np
from jax import numpy as jnp

from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.flops import matrix_parameters, parameters, peak_flops, step_flops

SHAPE = ModelShape(layers=2, width=32, heads=4, kv_heads=2, mlp=48)


def test_counts_of_parameters_are_those_of_the_tree() -> None:
    params = model.init(SHAPE, 384, jax.random.key(0))
    assert parameters(SHAPE, 384) == sum(x.size for x in jax.tree.leaves(params))
    untied = SHAPE.model_copy(update={"tie_embeddings": False})
    tree = model.init(untied, 384, jax.random.key(0))
    assert parameters(untied, 384) == sum(x.size for x in jax.tree.leaves(tree))
    assert jax.tree.map(jnp.shape, tree) == model.shapes(untied, 384)


def test_flops_count_segments_and_no_padding() -> None:
    positions = np.array([[0, 1, 2, 0, 1, 0]], np.int32)
    segments = np.array([[1, 1, 1, 2, 2, 0]], np.int32)
    attention = 12 * SHAPE.layers * 32 * (1 + 2 + 3 + 1 + 2)
    assert (
        step_flops(SHAPE, 384, positions, segments)
        == 6 * matrix_parameters(SHAPE, 384) * 5 + attention
    )


def test_peaks_are_known_by_the_longest_name() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("TPU v5 lite") == 197e12
    assert peak_flops("cpu") is None

"""Names and layout of Hugging Face's Llama."""

import jax
import numpy as np
import pytest

from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.flops import parameters
from flancompile.trainer.weights import hugging_face


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_layers_are_unstacked_and_matrices_transposed(tied: bool) -> None:
    shape = ModelShape(layers=2, width=8, heads=2, kv_heads=1, mlp=12, tie_embeddings=tied)
    params = model.init(shape, 16, jax.random.key(0))
    found = dict(hugging_face(params))
    assert ("lm_head.weight" in found) is not tied
    np.testing.assert_array_equal(found["model.embed_tokens.weight"], params["embed_tokens"])
    gate = params["layers"]["mlp"]["gate_proj"]
    for layer in range(2):
        name = f"model.layers.{layer}.mlp.gate_proj.weight"
        np.testing.assert_array_equal(found[name], gate[layer].T)
    assert found["model.layers.1.self_attn.k_proj.weight"].shape == (4, 8)
    assert found["model.layers.0.input_layernorm.weight"].shape == (8,)
    assert sum(x.size for x in found.values()) == parameters(shape, 16)

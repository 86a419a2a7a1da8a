"""The same weights in `transformers` give the same loss and gradients, packed rows included."""

from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from runs import run_of

from flancompile import feed
from flancompile.store.build import Build
from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.step import batch_sums
from flancompile.trainer.weights import hugging_face

torch = pytest.importorskip("torch", reason="torch and transformers are not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")


def torch_model(shape: ModelShape, vocab: int, params: model.Params) -> Any:
    """The same model in torch."""
    config = transformers.LlamaConfig(
        vocab_size=vocab, hidden_size=shape.width, intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads, head_dim=shape.head_size, rms_norm_eps=shape.norm_eps,
        rope_theta=shape.rope_theta, tie_word_embeddings=shape.tie_embeddings,
        attn_implementation="eager",
    )  # fmt: skip
    made = transformers.LlamaForCausalLM(config).eval()
    weights = {name: torch.tensor(np.array(value)) for name, value in hugging_face(params)}
    missing, unexpected = made.load_state_dict(weights, strict=False)
    assert unexpected == [] and set(missing) <= {"lm_head.weight"}
    return made


def torch_loss(made: Any, batch: dict[str, np.ndarray]) -> Any:
    """Mean loss over targets, with a mask that keeps segments apart."""
    segments = torch.tensor(batch["segment_ids"])
    length = segments.shape[1]
    seen = (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] > 0)
    seen &= torch.tril(torch.ones(length, length, dtype=torch.bool))
    mask = torch.where(seen[:, None], 0.0, torch.finfo(torch.float32).min)
    out = made(
        input_ids=torch.tensor(batch["tokens"]).long(),
        position_ids=torch.tensor(batch["positions"]).long(),
        attention_mask=mask,
    )
    logp = torch.log_softmax(out.logits[:, :-1].float(), dim=-1)
    labels = torch.tensor(batch["tokens"])[:, 1:].long()
    weights = torch.tensor(batch["loss_weights"])[:, 1:] * (segments[:, 1:] == segments[:, :-1])
    chosen = logp.gather(-1, labels[..., None])[..., 0]
    return -(chosen * weights).sum() / weights.sum()


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_loss_and_gradients_equal_those_of_transformers(build: Build, tied: bool) -> None:
    run = run_of()
    run = run.model_copy(update={"model": run.model.model_copy(update={"tie_embeddings": tied})})
    params = model.init(run.model, 384, jax.random.key(1))
    batch = feed.open(build, 4, 0).batch(0)

    def loss(params: model.Params) -> jax.Array:
        sums = batch_sums(params, {k: jnp.asarray(v) for k, v in batch.items()}, run)
        return sums.loss / sums.targets

    ours, grads = jax.value_and_grad(loss)(params)
    made = torch_model(run.model, 384, params)
    theirs = torch_loss(made, batch)
    assert float(ours) == pytest.approx(theirs.item(), rel=1e-5)
    theirs.backward()
    named = dict(made.named_parameters())
    for name, grad in hugging_face(grads):
        np.testing.assert_allclose(named[name].grad.numpy(), grad, atol=2e-5, err_msg=name)

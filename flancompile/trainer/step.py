"""One training step: gradients of loss sums over micro-batches, one division, one update.

The loss of a batch is the sum over its targets divided by the number of its targets, over all
devices, hosts and micro-batches. Sums and master weights are float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flancompile import draw
from flancompile.trainer import model
from flancompile.trainer.config import Run
from flancompile.trainer.loss import Sums, next_tokens, target_sums
from flancompile.trainer.mesh import BATCH, spread, state_shardings
from flancompile.trainer.optimizer import make_optimizer, rate

__all__ = ["Program", "State", "batch_sums"]

State = dict[str, Any]
Batch = dict[str, jax.Array]
INPUTS = ("tokens", "segment_ids", "positions", "loss_weights")


def batch_sums(params: Any, batch: Batch, run: Run, mesh: Mesh | None = None) -> Sums:
    """Loss sums of packs.

    batch: tokens, segment_ids, positions: int32[packs, length]; loss_weights:
    float32[packs, length].
    """
    compute = jnp.dtype(run.compute)
    hidden = model.forward(
        params,
        run.model,
        batch["tokens"],
        batch["segment_ids"],
        batch["positions"],
        compute=compute,
        remat=run.remat,
        spread=(lambda x: x) if mesh is None else partial(spread, mesh),
    )
    labels, weights = next_tokens(batch["tokens"], batch["segment_ids"], batch["loss_weights"])
    return target_sums(hidden, model.unembedding(params, compute), labels, weights)


@dataclass(frozen=True)
class Program:
    """Compiled functions of a run on a mesh. vocab: rows of the embedding; length: of a pack."""

    run: Run
    mesh: Mesh
    vocab: int
    length: int

    @cached_property
    def optimizer(self) -> optax.GradientTransformation:
        """The run's optimiser."""
        return make_optimizer(self.run.optimizer, self.run.steps)

    def new_state(self) -> State:
        """Initial state, drawn from the run's seed, sharded on the mesh."""
        state: State = jax.jit(self._init, out_shardings=self.shardings)()
        return state

    def _init(self) -> State:
        key = jax.random.key(draw.digest64(self.run.seed, "init") & 0x7FFF_FFFF)
        params = model.init(self.run.model, self.vocab, key)
        return {
            "params": params,
            "optimizer": self.optimizer.init(params),
            "step": jnp.zeros((), jnp.int32),
        }

    @cached_property
    def shardings(self) -> Any:
        """Sharding of each leaf of the state."""
        return state_shardings(self.mesh, jax.eval_shape(self._init))

    @cached_property
    def abstract_state(self) -> Any:
        """Shapes, types and shardings of the state, to restore a checkpoint against."""
        return jax.tree.map(
            lambda leaf, spot: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=spot),
            jax.eval_shape(self._init),
            self.shardings,
        )

    @cached_property
    def abstract_batch(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of a global batch: [micro_batches, packs, length] each."""
        run = self.run
        shape = (run.micro_batches, run.batch_packs // run.micro_batches, self.length)
        kinds = dict.fromkeys(INPUTS, jnp.int32) | {"loss_weights": jnp.float32}
        return {
            name: jax.ShapeDtypeStruct(shape, kind, sharding=self.batch_sharding)
            for name, kind in kinds.items()
        }

    @property
    def batch_sharding(self) -> NamedSharding:
        """Sharding of a batch: packs over data and fsdp."""
        return NamedSharding(self.mesh, PartitionSpec(None, BATCH, None))

    def put(self, host_batch: dict[str, Any]) -> Batch:
        """Put this host's part of a batch into the global arrays on the mesh."""
        found = {}
        for name, like in self.abstract_batch.items():
            part = host_batch[name].reshape(self.run.micro_batches, -1, self.length)
            found[name] = jax.make_array_from_process_local_data(
                self.batch_sharding, part, like.shape
            )
        return found

    def compiled(self) -> Callable[[State, Batch], tuple[State, dict[str, jax.Array]]]:
        """The step, compiled for the mesh: (state, batch) -> (state, metrics). State is donated.

        Metrics are float32 scalars: loss and z_loss (per target), accuracy, targets, gradient_norm,
        learning_rate.
        """
        step = jax.jit(
            self._step,
            donate_argnums=0,
            out_shardings=(self.shardings, NamedSharding(self.mesh, PartitionSpec())),
        )
        return step.lower(self.abstract_state, self.abstract_batch).compile()

    def _step(self, state: State, batch: Batch) -> tuple[State, dict[str, jax.Array]]:
        sums, grads = self._gradients(state["params"], batch)
        count = jnp.maximum(sums.targets, 1.0)
        grads = jax.tree.map(lambda g: g / count, grads)
        size = optax.tree.norm(grads)
        if (most := self.run.optimizer.clip_norm) is not None:
            share = jnp.minimum(1.0, most / (size + 1e-12))
            grads = jax.tree.map(lambda g: g * share, grads)
        updates, optimizer = self.optimizer.update(grads, state["optimizer"], state["params"])
        metrics = {
            "loss": sums.loss / count,
            "z_loss": sums.z / count,
            "accuracy": sums.hits / count,
            "targets": sums.targets,
            "gradient_norm": size,
            "learning_rate": jnp.asarray(
                rate(self.run.optimizer, self.run.steps)(state["step"]), jnp.float32
            ),
        }
        params = optax.apply_updates(state["params"], updates)
        return {"params": params, "optimizer": optimizer, "step": state["step"] + 1}, metrics

    def _gradients(self, params: Any, batch: Batch) -> tuple[Sums, Any]:
        """Loss sums and their gradients, accumulated over micro-batches."""

        def total(params: Any, part: Batch) -> tuple[jax.Array, Sums]:
            sums = batch_sums(params, part, self.run, self.mesh)
            return sums.loss + self.run.z_loss * sums.z, sums

        def one(part: Batch) -> tuple[Sums, Any]:
            (_, sums), grads = jax.value_and_grad(total, has_aux=True)(params, part)
            return sums, grads

        if self.run.micro_batches == 1:
            return one({name: x[0] for name, x in batch.items()})

        def add(so_far: Any, part: Batch) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, so_far, one(part)), None

        zero = (Sums(*(jnp.zeros((), jnp.float32),) * 4), jax.tree.map(jnp.zeros_like, params))
        found, _ = jax.lax.scan(add, zero, batch)
        return found

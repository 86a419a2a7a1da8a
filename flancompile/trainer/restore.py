"""Restore a run's model for evaluation: as trained, and before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax

from flancompile.store.build import Build
from flancompile.trainer.checkpoint import CheckpointStore
from flancompile.trainer.config import Evaluation, MeshShape, Run
from flancompile.trainer.decoder import Decoder
from flancompile.trainer.log import checkpoints_folder
from flancompile.trainer.mesh import make_mesh
from flancompile.trainer.step import Program

__all__ = ["TrainedModel", "trained_model"]


@dataclass(frozen=True)
class TrainedModel:
    """A run's model after `step` steps, and the model before its first step.

    eos: id that ends an answer, if any; tasks: ids of the training tasks.
    """

    run: Run
    program: Program
    checkpoint_folder: Path
    step: int
    eos: int | None
    tasks: frozenset[str]

    @property
    def evaluation(self) -> Evaluation:
        """Evaluation settings of the run."""
        return self.run.evaluation

    @cached_property
    def trained(self) -> Decoder:
        """The model after `step` steps."""
        with CheckpointStore(self.checkpoint_folder) as checkpoints:
            return self._decoder(checkpoints.restore(self.program, self.step)["params"])

    @cached_property
    def untrained(self) -> Decoder:
        """The model before its first step."""
        return self._decoder(self.program.new_state()["params"])

    def _decoder(self, params: Any) -> Decoder:
        rows = self.run.evaluation.batch_rows
        return Decoder(params, self.run.model, self.run.compute, self.eos, rows)


def trained_model(
    folder: Path, run_info: dict[str, Any], build: Build, step: int | None = None
) -> TrainedModel:
    """Open the model in a run's folder. Raises FC605 without a checkpoint.

    run_info: the run's run.json; build: one of layout decoder with the run's tokenizer; step:
    default the latest checkpoint. The mesh covers the present devices: sharded as in training where
    sizes divide evenly, else replicated.
    """
    run = Run.model_validate(run_info["run"])
    place = checkpoints_folder(folder)
    with CheckpointStore(place) as checkpoints:
        step, _ = checkpoints.metadata(step)
    mesh = make_mesh(_mesh_here(run.mesh, len(jax.devices())))
    program = Program(run, mesh, run_info["vocab"], build.manifest.lengths["tokens"])
    eos, tasks = build.manifest.tokenizer.eos_id, frozenset(run_info["tasks"])
    return TrainedModel(run, program, place, step, eos, tasks)


def _mesh_here(trained: MeshShape, devices: int) -> MeshShape:
    """Mesh to restore on: the fsdp and tensor axes of training if they divide the devices."""
    if devices % (trained.fsdp * trained.tensor):
        return MeshShape()
    return trained.model_copy(update={"data": -1})

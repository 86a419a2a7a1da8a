"""Models of a run's folder, ready to answer: as trained, and as they were before."""

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
    """A run's model after `step` steps, and the one that it began as.

    tasks: those that it was trained on.
    """

    run: Run
    program: Program
    checkpoint_folder: Path
    step: int
    eos: int | None
    tasks: frozenset[str]

    @property
    def evaluation(self) -> Evaluation:
        """How the run wants to be evaluated."""
        return self.run.evaluation

    @cached_property
    def trained(self) -> Decoder:
        """The model as trained."""
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
    folder: Path, about: dict[str, Any], build: Build, step: int | None = None
) -> TrainedModel:
    """The model in a run's folder. about: its run.json. Raises FC605 without a checkpoint.

    build: a decoder's, with the run's tokenizer. The model is restored on the devices that are
    here now: split as in training where that goes up, else whole on each. No batch is trained on,
    so none has to be divided.
    """
    run = Run.model_validate(about["run"])
    place = checkpoints_folder(folder)
    with CheckpointStore(place) as checkpoints:
        step, _ = checkpoints.metadata(step)
    mesh = make_mesh(_mesh_here(run.mesh, len(jax.devices())))
    program = Program(run, mesh, about["vocab"], build.manifest.lengths["tokens"])
    eos, tasks = build.manifest.tokenizer.eos_id, frozenset(about["tasks"])
    return TrainedModel(run, program, place, step, eos, tasks)


def _mesh_here(trained: MeshShape, devices: int) -> MeshShape:
    """The mesh to restore on: axes that split parameters as in training, if they fit."""
    if devices % (trained.fsdp * trained.tensor):
        return MeshShape()
    return trained.model_copy(update={"data": -1})

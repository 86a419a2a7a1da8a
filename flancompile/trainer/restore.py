"""Models of a run's folder, ready to answer: as trained, and as they were before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flancompile.store.build import Build
from flancompile.trainer.checkpoint import Keeper
from flancompile.trainer.config import Evaluation, MeshShape, Run
from flancompile.trainer.decoder import Decoder
from flancompile.trainer.log import checkpoints_folder
from flancompile.trainer.step import Program
from flancompile.trainer.train import make_program

__all__ = ["TrainedModel", "trained_model"]


@dataclass(frozen=True)
class TrainedModel:
    """A run's model after `step` steps, and the one that it began as.

    tasks: those that it was trained on.
    """

    run: Run
    program: Program
    keeper_folder: Path
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
        with Keeper(self.keeper_folder) as keeper:
            return self._decoder(keeper.restore(self.program, self.step)["params"])

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

    It is restored on the mesh of the devices that are here now.
    """
    run = Run.model_validate(about["run"]).model_copy(update={"mesh": MeshShape()})
    place = checkpoints_folder(folder)
    with Keeper(place) as keeper:
        step, _ = keeper.about(step)
    program = make_program(run, build)
    eos, tasks = build.manifest.tokenizer.eos_id, frozenset(about["tasks"])
    return TrainedModel(run, program, place, step, eos, tasks)

"""Checkpoints by orbax: training state, with metadata of the run and the state of its feed.

A state is restored against shapes and target shardings, so a run may resume on another mesh.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

from flancompile.errors import fail
from flancompile.trainer.config import Checkpoints
from flancompile.trainer.step import Program, State

__all__ = ["CheckpointMetadata", "CheckpointStore"]


@dataclass(frozen=True)
class CheckpointMetadata:
    """Metadata of a checkpoint.

    run: the run file; feed: the feed's state, with the build's root digest; tokenizer: its digest;
    vocab: rows of the embedding; versions: by package; span: sums for the next line of metrics.
    """

    run: dict[str, Any]
    feed: dict[str, Any]
    tokenizer: str
    vocab: int
    versions: dict[str, str]
    span: dict[str, Any] = field(default_factory=dict)


class CheckpointStore:
    """Checkpoints of a run in a folder. A context manager: its exit waits for the last save."""

    def __init__(self, folder: Path, settings: Checkpoints | None = None) -> None:
        settings = settings or Checkpoints()
        options = ocp.CheckpointManagerOptions(max_to_keep=settings.keep, step_prefix="step")
        self._every = settings.steps
        self._manager = ocp.CheckpointManager(folder.resolve(), options=options)

    def __enter__(self) -> CheckpointStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    @property
    def steps(self) -> list[int]:
        """Steps of the stored checkpoints, ascending."""
        return sorted(self._manager.all_steps())

    def due(self, step: int) -> bool:
        """Whether the settings ask for a checkpoint after `step` steps."""
        return self._every is not None and step % self._every == 0

    def save(self, step: int, state: State, metadata: CheckpointMetadata) -> None:
        """Save the state after `step` steps, unless that checkpoint exists."""
        if step not in self.steps:
            parts = ocp.args.Composite(
                state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(asdict(metadata))
            )
            self._manager.save(step, args=parts)

    def metadata(self, step: int | None = None) -> tuple[int, CheckpointMetadata]:
        """(step, metadata) of a checkpoint (default: the latest). Raises FC605 if missing."""
        step = self._step(step)
        found = self._manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))
        return step, CheckpointMetadata(**found["about"])

    def restore(self, program: Program, step: int | None = None) -> State:
        """Restore the state after `step` steps (default: the latest) on the program's mesh.

        Raises FC605 if missing.
        """
        parts = ocp.args.Composite(state=ocp.args.StandardRestore(program.abstract_state))
        state: State = self._manager.restore(self._step(step), args=parts)["state"]
        return state

    def _step(self, step: int | None) -> int:
        steps = self.steps
        if not steps or (step is not None and step not in steps):
            hint = f"there are: {', '.join(map(str, steps))}" if steps else "train first"
            missing = "no checkpoint" if step is None else f"no checkpoint of step {step}"
            raise fail("FC605", f"{self._manager.directory}: {missing}", hint=hint)
        return steps[-1] if step is None else step

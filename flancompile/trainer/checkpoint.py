"""Checkpoints of a run by orbax: the whole state, with the build and the feed that it came from.

A state is always restored against shapes and target shardings, so a run may go on on another mesh.
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
    """What a checkpoint says of itself.

    feed: the feed's state, with the build's root digest; span: the sums of the metrics' next line.
    """

    run: dict[str, Any]
    feed: dict[str, Any]
    tokenizer: str
    vocab: int
    versions: dict[str, str]
    span: dict[str, Any] = field(default_factory=dict)


class CheckpointStore:
    """A run's checkpoints in a folder; use it in a `with`, which waits for the last save."""

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
        """Steps of which there is a checkpoint, in order."""
        return sorted(self._manager.all_steps())

    def due(self, step: int) -> bool:
        """Whether a checkpoint is to be made after so many steps."""
        return self._every is not None and step % self._every == 0

    def save(self, step: int, state: State, about: CheckpointMetadata) -> None:
        """Keep the state after `step` steps, unless it is kept."""
        if step not in self.steps:
            parts = ocp.args.Composite(
                state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(asdict(about))
            )
            self._manager.save(step, args=parts)

    def metadata(self, step: int | None = None) -> tuple[int, CheckpointMetadata]:
        """(step, metadata) of a checkpoint (default: the latest). Raises FC605 if missing."""
        step = self._step(step)
        found = self._manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))
        return step, CheckpointMetadata(**found["about"])

    def restore(self, program: Program, step: int | None = None) -> State:
        """The state after `step` steps (default: the latest), on the program's mesh."""
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

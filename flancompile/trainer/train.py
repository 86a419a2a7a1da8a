"""Training loop: open or resume a run, step, log metrics, save checkpoints.

One step is in flight: the metrics of a step are read while the next step runs, so neither the
device nor the feed waits for the other.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from flancompile import feed
from flancompile.errors import fail
from flancompile.feed.feed import Feed, FeedState
from flancompile.store.build import Build
from flancompile.trainer import flops
from flancompile.trainer.attention import KERNEL
from flancompile.trainer.checkpoint import CheckpointMetadata, CheckpointStore
from flancompile.trainer.checks import mesh_diagnostics, vocabulary
from flancompile.trainer.config import Run
from flancompile.trainer.log import RUN, MetricsLog, checkpoints_folder, write_run
from flancompile.trainer.mesh import make_mesh
from flancompile.trainer.step import Program, State

__all__ = ["Interrupted", "Started", "make_program", "train"]

# Keys of the run file that may differ when a run resumes; `steps` too, unless the decay uses it.
_MAY_CHANGE = ("log_steps", "checkpoints", "evaluation", "mesh", "description", "build")
_BY_STEPS = ("linear", "cosine")


class Interrupted(Exception):  # noqa: N818 - not an error
    """The run stopped on request, after saving its state."""


@dataclass(frozen=True)
class Started:
    """Progress event before the first step. step: the one resumed from; run_info: run.json."""

    step: int
    steps: int
    run_info: dict[str, Any]


Progress = Callable[[Started | dict[str, Any]], None]
_Work = tuple[int, float]  # tokens without padding, FLOPs


def make_program(run: Run, build: Build, devices: Any = None) -> Program:
    """Functions of a run for a build. devices: default all. Raises FC604 for sizes that misfit."""
    mesh = make_mesh(run.mesh, devices)
    vocab = vocabulary(run, build.manifest)
    for found in mesh_diagnostics(run, vocab, dict(mesh.shape), jax.process_count()):
        raise fail(found.code, found.message, hint=found.hint)
    return Program(run, mesh, vocab, build.manifest.lengths["tokens"])


def train(
    run: Run,
    build: Build,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Progress = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    devices: Any = None,
) -> State:
    """Train, resuming from the latest checkpoint in `out` if there is one. -> the last state

    progress: called with `Started`, then with each line of metrics; stop: called after each step;
    if it returns true, the state is saved and Interrupted raised. Raises FC511 for a checkpoint of
    another build, FC604 for the mesh, FC606 for a checkpoint of another run, FC607 for a loss that
    is not finite, FC608 if `out` is not a run's folder.
    """
    program = make_program(run, build, devices)
    source = feed.open(build, run.batch_packs, run.seed)
    run_info, first = run_info_of(program, build, source), jax.process_index() == 0
    if first:
        _make_folder(out, run_info, overwrite)
    with CheckpointStore(checkpoints_folder(out), run.checkpoints) as checkpoints:
        start, span = _resume(run, source, checkpoints)
        state = program.new_state() if start == 0 else checkpoints.restore(program, start)
        if first:
            write_run(out, run_info)
        progress(Started(start, run.steps, run_info))
        if start >= run.steps:
            return state
        return _Loop(program, source, checkpoints, out, progress, stop, span).run(state, start)


def _make_folder(out: Path, run_info: dict[str, Any], overwrite: bool) -> None:
    """Create the run's folder, with run.json as its first file. Raises FC608 for others."""
    present = {p.name for p in out.iterdir()} if out.is_dir() else set()
    if RUN not in present and present - {f".{RUN}"}:
        hint = "choose another folder: `train` writes only into a new folder or that of a run"
        raise fail("FC608", f"{str(out)!r} exists and is not a run", hint=hint)
    if overwrite:
        shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / RUN).is_file():
        write_run(out, run_info)


def _resume(run: Run, source: Feed, checkpoints: CheckpointStore) -> tuple[int, _Span]:
    """Step to resume from, with its sums for the next line of metrics; 0 without a checkpoint."""
    if not checkpoints.steps:
        return 0, _Span()
    step, metadata = checkpoints.metadata()
    source.resume(FeedState(**metadata.feed))
    here = run.model_dump(mode="json")
    free = _MAY_CHANGE if run.optimizer.decay in _BY_STEPS else (*_MAY_CHANGE, "steps")
    other = [k for k in here if k not in free and here[k] != metadata.run.get(k)]
    if other:
        message = f"the checkpoint is of another run: {', '.join(other)} differ"
        raise fail("FC606", message, hint=_other_run_hint(run, other, metadata.run))
    return step, _Span(**metadata.span)


def _other_run_hint(run: Run, other: list[str], previous: dict[str, Any]) -> str:
    """Hint for a checkpoint of another run. other: keys that differ; before: its run file."""
    anew = "train into another folder, or give --overwrite to start again"
    if other != ["steps"]:
        return anew
    kind, steps = run.optimizer.decay, previous["steps"]
    return (
        f"`decay: {kind}` depends on the number of steps: set `steps: {steps}` again; or {anew}. "
        "With `decay: constant` or `rsqrt` a run can be extended"
    )


def run_info_of(program: Program, build: Build, source: Feed) -> dict[str, Any]:
    """Content of run.json."""
    run, device = program.run, program.mesh.devices.flat[0]
    return {
        "run": run.model_dump(mode="json"),
        "build": str(build.path.resolve()),
        "root_digest": build.manifest.root_digest,
        "tokenizer": build.manifest.tokenizer.digest,
        "tasks": sorted(t.task for t in build.manifest.tasks if t.examples),
        "vocab": program.vocab,
        "parameters": flops.parameters(run.model, program.vocab),
        "mesh": {axis: int(n) for axis, n in program.mesh.shape.items()},
        "device": device.device_kind,
        "attention": KERNEL,
        "steps_per_epoch": source.steps_per_epoch,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("flancompile", "jax", "optax", "orbax-checkpoint")}


@dataclass
class _Span:
    """Sums since the last line of metrics; saved with a checkpoint.

    seconds: elapsed in earlier processes; began: in this process; waited: seconds waiting for the
    feed; flops, tokens: of the batches, without padding.
    """

    seconds: float = 0.0
    targets: float = 0.0
    loss: float = 0.0
    z_loss: float = 0.0
    hits: float = 0.0
    tokens: int = 0
    flops: float = 0.0
    waited: float = 0.0
    steps: int = 0
    began: float = field(default_factory=time.perf_counter)

    def elapsed(self) -> float:
        """Seconds since the last line of metrics."""
        return self.seconds + time.perf_counter() - self.began

    def as_dict(self) -> dict[str, Any]:
        """The sums as JSON-ready data, for another process to continue from."""
        sums = {n: v for n, v in asdict(self).items() if n != "began"}
        return {**sums, "seconds": self.elapsed()}


@dataclass
class _Loop:
    """State of the training loop."""

    program: Program
    source: Feed
    checkpoints: CheckpointStore
    out: Path
    progress: Progress
    stop: Callable[[], bool]
    span: _Span

    def run(self, state: State, start: int) -> State:
        run, hosts = self.program.run, jax.process_count()
        step_fn = self.program.compiled()
        self.log = MetricsLog(self.out, start) if jax.process_index() == 0 else None
        batches = self.source.iterate(start, jax.process_index(), hosts, stop=run.steps)
        flight: tuple[int, Any, _Work] | None = None
        self.span.began = time.perf_counter()
        try:
            for step in range(start + 1, run.steps + 1):
                began = time.perf_counter()
                _, batch = next(batches)
                self.span.waited += time.perf_counter() - began
                state, metrics = step_fn(state, self.program.put(batch))
                if flight is not None:
                    self._read(*flight)
                flight = (step, metrics, self._work(batch, hosts))
                stopping = self.stop()
                if self.checkpoints.due(step) or stopping or step == run.steps:
                    self._read(*flight)
                    flight = None
                    self._save(step, state)
                if stopping and step < run.steps:
                    raise Interrupted
        finally:
            batches.close()  # type: ignore[attr-defined]
            if self.log is not None:
                self.log.close()
        return state

    def _work(self, batch: dict[str, Any], hosts: int) -> _Work:
        """Tokens and FLOPs of a batch; assumes that all hosts have parts of the same size."""
        real = int(np.count_nonzero(batch["segment_ids"]))
        model, vocab = self.program.run.model, self.program.vocab
        work = flops.step_flops(model, vocab, batch["positions"], batch["segment_ids"])
        return real * hosts, work * hosts

    def _read(self, step: int, metrics: Any, work: _Work) -> None:
        """Fetch a step's metrics from the device, add them up, and write a line if one is due.

        work: of this step's batch, not of the step in flight.
        """
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        if not math.isfinite(values["loss"]) or not math.isfinite(values["gradient_norm"]):
            hint = (
                "lower the learning rate or lengthen the warm-up, and start again in another "
                "folder or with --overwrite"
            )
            raise fail("FC607", f"step {step}: the loss is {values['loss']}", hint=hint)
        span = self.span
        span.steps += 1
        span.tokens, span.flops = span.tokens + work[0], span.flops + work[1]
        span.targets += values["targets"]
        for name, whole in (("loss", "loss"), ("z_loss", "z_loss"), ("hits", "accuracy")):
            setattr(span, name, getattr(span, name) + values[whole] * values["targets"])
        run = self.program.run
        if step % run.log_steps == 0 or step == run.steps:
            self._write_line(step, values)

    def _write_line(self, step: int, values: dict[str, float]) -> None:
        span = self.span
        elapsed, count = span.elapsed(), max(span.targets, 1.0)
        peak = flops.peak_flops(self.program.mesh.devices.flat[0].device_kind)
        line = {
            "step": step,
            "loss": span.loss / count,
            "z_loss": span.z_loss / count,
            "accuracy": span.hits / count,
            "learning_rate": values["learning_rate"],
            "gradient_norm": values["gradient_norm"],
            "targets": int(span.targets),
            "epoch": step / self.source.steps_per_epoch,
            "step_seconds": elapsed / span.steps,
            "tokens_per_second": span.tokens / elapsed,
            "targets_per_second": span.targets / elapsed,
            "wait_share": span.waited / elapsed,
            "mfu": span.flops / elapsed / (peak * self.program.mesh.size) if peak else None,
        }
        if self.log is not None:
            self.log.write(line)
        self.progress(line)
        self.span = _Span()

    def _save(self, step: int, state: State) -> None:
        metadata = CheckpointMetadata(
            run=self.program.run.model_dump(mode="json"),
            feed=self.source.state(step).as_dict(),
            tokenizer=self.source.build.manifest.tokenizer.digest,
            vocab=self.program.vocab,
            versions=_versions(),
            span=self.span.as_dict(),
        )
        self.checkpoints.save(step, state, metadata)

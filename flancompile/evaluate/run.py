"""Evaluate a trained model, and the same model before training, on a build's tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from flancompile.errors import fail
from flancompile.evaluate.metrics import metric
from flancompile.evaluate.results import TaskResult, write_answers, write_scores
from flancompile.evaluate.task import Answerer, PromptFrame, Score, answers, score_of
from flancompile.store.build import Build
from flancompile.store.manifest import EvalEntry
from flancompile.tokenizer.load import load_folder

__all__ = ["Models", "evaluate_build"]

Progress = Callable[[str, int, int | None], None]


class _Settings(Protocol):
    @property
    def max_new_tokens(self) -> int: ...
    @property
    def max_rows(self) -> int | None: ...
    @property
    def untrained(self) -> bool: ...


class Models(Protocol):
    """A run to evaluate: its two models, its training tasks and its evaluation settings."""

    @property
    def step(self) -> int: ...
    @property
    def tasks(self) -> frozenset[str]: ...
    @property
    def evaluation(self) -> _Settings: ...
    @property
    def trained(self) -> Answerer: ...
    @property
    def untrained(self) -> Answerer: ...


def evaluate_build(
    build: Build,
    models: Models,
    folder: Path,
    *,
    max_rows: int | None = None,
    progress: Progress | None = None,
) -> list[TaskResult]:
    """Answer every evaluation task of a build, and write answers and scores into `folder`.

    max_rows: of each task, default the run's; progress: called with (task and model, rows
    answered, rows). Raises FC609 for an unknown metric, FC612 for a build without evaluation
    tasks.
    """
    entries = build.manifest.evaluation
    if not entries:
        hint = "add `evaluate:` to the recipe and compile it again"
        raise fail("FC612", f"{str(build.path)!r} has no evaluation tasks", hint=hint)
    for entry in entries:
        metric(entry.metric)
    work = _Evaluation(build, models, folder, max_rows or models.evaluation.max_rows, progress)
    results = [work.task(entry) for entry in entries]
    write_scores(folder, models.step, build, results)
    return results


class _Evaluation:
    """Models, frame and decoder that all tasks of one evaluation share."""

    def __init__(
        self,
        build: Build,
        models: Models,
        folder: Path,
        most: int | None,
        progress: Progress | None,
    ) -> None:
        self.build, self.models, self.folder, self.most = build, models, folder, most
        self.progress = progress or (lambda *_: None)
        self.decode = load_folder(build.tokenizer_folder).decode
        parts = build.manifest.frame
        self.frame = PromptFrame(parts["before"], parts["after_prompt"], parts["after_target"])

    def task(self, entry: EvalEntry) -> TaskResult:
        """Evaluate one entry of the manifest's `evaluation`."""
        rows, metadata = self.build.evaluation(entry.name)
        rows = rows if self.most is None else rows.slice(0, self.most)
        untrained = None
        if self.models.evaluation.untrained:
            untrained = self._answer("untrained", entry, rows, metadata)
        return TaskResult(
            name=entry.name,
            task=entry.task,
            entry=entry.entry,
            metric=entry.metric,
            split=entry.split,
            group=entry.group,
            chance=entry.random_baseline or 0.0,
            held_out=entry.task not in self.models.tasks,
            trained=self._answer("trained", entry, rows, metadata),
            untrained=untrained,
        )

    def _answer(
        self, who: Any, entry: EvalEntry, rows: pa.Table, metadata: dict[str, Any]
    ) -> Score:
        stage = f"{entry.name} ({who})"
        self.progress(stage, 0, len(rows))
        found = answers(
            rows,
            metadata,
            self.models.trained if who == "trained" else self.models.untrained,
            self.frame,
            self.decode,
            self.models.evaluation.max_new_tokens,
            lambda done: self.progress(stage, done, len(rows)),
        )
        write_answers(self.folder, entry.name, who, found)
        return score_of(found)

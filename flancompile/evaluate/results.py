"""Evaluation results on disk: scores.json, and the answers to each evaluation set in Arrow."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from flancompile.evaluate.task import Score
from flancompile.store.build import Build

__all__ = [
    "FOLDER", "TaskResult", "answers_path", "group_means", "read_answers", "read_scores",
    "write_answers", "write_scores",
]  # fmt: skip

FOLDER = "evaluation"
Who = Literal["trained", "untrained"]


@dataclass(frozen=True)
class TaskResult:
    """Scores of one evaluation set.

    name: of the set; entry: the part of the name after `@`, if any; chance: score of a random
    guess; held_out: the model was not trained on the task.
    """

    name: str
    task: str
    entry: str | None
    metric: str
    split: str
    group: str | None
    chance: float
    held_out: bool
    trained: Score
    untrained: Score | None

    @property
    def beats_baselines(self) -> bool:
        """Whether the whole interval is above chance and above the untrained model's interval."""
        other = self.untrained.high if self.untrained else 0.0
        return self.trained.low > max(self.chance, other)

    @property
    def group_name(self) -> str:
        """Name of the group whose mean includes this set: `GROUP` or `GROUP@ENTRY`."""
        group = self.group or self.task
        return group if self.entry is None else f"{group}@{self.entry}"

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        return {
            "name": self.name,
            "task": self.task,
            "entry": self.entry,
            "metric": self.metric,
            "split": self.split,
            "group": self.group,
            "chance": self.chance,
            "held_out": self.held_out,
            "trained": self.trained.as_dict(),
            "untrained": self.untrained.as_dict() if self.untrained else None,
            "beats_baselines": self.beats_baselines,
        }


def group_means(results: list[TaskResult]) -> dict[str, float]:
    """Mean score of the trained model by group name, 0 to 1.

    A task without a group is its own group. Sets of different `evaluate` entries are never
    averaged: the group of the entry `5shot` is called `GROUP@5shot`.
    """
    groups: dict[str, list[float]] = defaultdict(list)
    for result in results:
        groups[result.group_name].append(result.trained.mean)
    return {name: sum(scores) / len(scores) for name, scores in sorted(groups.items())}


def answers_path(folder: Path, name: str, who: Who) -> Path:
    """Path of the answers to an evaluation set, within a run's folder."""
    return folder / FOLDER / who / f"{name}.arrow"


def write_answers(folder: Path, name: str, who: Who, table: pa.Table) -> None:
    """Write the answers to an evaluation set. Atomic: an interrupted write leaves no file."""
    path = answers_path(folder, name, who)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    partial.replace(path)


def read_answers(folder: Path, name: str, who: Who = "trained") -> pa.Table:
    """Read the answers to an evaluation set. -> a table of `task.ANSWERS`."""
    with pa.memory_map(str(answers_path(folder, name, who))) as source:
        return pa.ipc.open_file(source).read_all()


def write_scores(folder: Path, step: int, build: Build, results: list[TaskResult]) -> None:
    """Write a run's scores.json. step: of the checkpoint; build: source of the tasks."""
    scores = {
        "step": step,
        "build": str(build.path.resolve()),
        "root_digest": build.manifest.root_digest,
        "groups": group_means(results),
        "tasks": [r.as_dict() for r in results],
    }
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    partial = place / ".scores.json"
    partial.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    partial.replace(place / "scores.json")


def read_scores(folder: Path) -> dict[str, Any] | None:
    """Read a run's scores.json; None if the run is not evaluated yet."""
    file = folder / FOLDER / "scores.json"
    if not file.is_file():
        return None
    scores: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return scores

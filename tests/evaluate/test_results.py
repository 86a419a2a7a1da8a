"""Results of an evaluation: baselines, groups, and their files."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from flancompile.evaluate.results import (
    TaskResult,
    answers_path,
    group_means,
    read_answers,
    read_scores,
    write_answers,
)
from flancompile.evaluate.task import Score


def result(task: str, low: float, group: str | None = None, mean: float = 0.5) -> TaskResult:
    own, other = Score(mean, low, 0.9, 10), Score(0.1, 0.0, 0.3, 10)
    return TaskResult(task, task, None, "accuracy", "test", group, 0.25, False, own, other)


def test_a_task_beats_its_baselines_by_whole_intervals() -> None:
    assert result("a", 0.31).beats_baselines
    assert not result("a", 0.29).beats_baselines
    chance = TaskResult(
        "a", "a", None, "accuracy", "t", None, 0.5, False, Score(0.6, 0.45, 0.7, 9), None
    )
    assert not chance.beats_baselines


def test_sets_of_two_entries_are_not_averaged() -> None:
    zero = replace(result("a", 0.3, "g", 0.2), entry="0shot", name="a@0shot")
    five = replace(result("a", 0.3, "g", 0.8), entry="5shot", name="a@5shot")
    assert group_means([zero, five]) == {"g@0shot": 0.2, "g@5shot": 0.8}


def test_tasks_of_a_group_are_averaged_first() -> None:
    found = group_means(
        [result("a", 0, "g", 0.2), result("b", 0, "g", 0.6), result("c", 0, None, 1.0)]
    )
    assert found == {"c": 1.0, "g": pytest.approx(0.4)}


def test_answers_are_read_back(tmp_path: Path) -> None:
    assert read_scores(tmp_path) is None
    trained, untrained = (pa.table({"score": [x]}) for x in (1.0, 0.0))
    write_answers(tmp_path, "a/b@5shot", "trained", trained)
    write_answers(tmp_path, "a/b@5shot", "untrained", untrained)
    assert read_answers(tmp_path, "a/b@5shot").equals(trained)
    assert read_answers(tmp_path, "a/b@5shot", "untrained").equals(untrained)
    folder = answers_path(tmp_path, "a/b@5shot", "trained").parent
    assert [p.name for p in folder.iterdir()] == ["b@5shot.arrow"], "no partial file is left"


def test_a_result_as_json_has_its_scores_and_verdict() -> None:
    found = result("a", 0.31, "g").as_dict()
    assert found["trained"] == {"mean": 0.5, "low": 0.31, "high": 0.9, "rows": 10}
    assert found["beats_baselines"] is True and found["group"] == "g"
    assert replace(result("a", 0.31), untrained=None).as_dict()["untrained"] is None

"""`eval`: the tables of scores and of groups."""

from typing import Any

import pytest
from rich.console import Console

from flancompile.cli.evaluate import _groups, _table
from flancompile.evaluate.results import TaskResult
from flancompile.evaluate.task import Score


def result(name: str, mean: float, group: str | None = None, **more: Any) -> TaskResult:
    task, _, entry = name.partition("@")
    about: dict[str, Any] = {"chance": 0.25, "held_out": False, "untrained": None, **more}
    trained = Score(mean, mean - 0.1, mean + 0.1, 1200)
    return TaskResult(
        name, task, entry or None, "accuracy", "test", group, trained=trained, **about
    )


def rows(table: object) -> list[list[str]]:
    """Cells of a printed table, split at two blanks."""
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    return [[c.strip() for c in line.split("  ") if c.strip()] for line in lines]


def test_a_row_for_each_set() -> None:
    untrained = Score(0.2, 0.1, 0.3, 1200)
    found = rows(_table([
        result("a/qa", 0.9, untrained=untrained, held_out=True),
        result("b/qa", 0.3, untrained=untrained),
    ]))  # fmt: skip
    assert found[0] == ["set", "metric", "rows", "trained", "untrained", "chance"]
    assert found[1] == [
        "a/qa (held out)", "accuracy", "1,200", "90.0% [80.0%, 100.0%]", "20.0% [10.0%, 30.0%]", "25.0%",
        "above both",
    ]  # fmt: skip
    assert found[2][-1] == "25.0%" and found[2][3] == "30.0% [20.0%, 40.0%]"


def test_groups_are_averaged_within_an_entry() -> None:
    results = [
        result("a/x", 0.2, "nli"), result("b/x", 0.4, "nli"), result("c/x", 0.9),
        result("a/x@5shot", 0.5, "nli"), result("c/x@5shot", 0.7),
    ]  # fmt: skip
    assert rows(_groups(results)) == [
        ["group", "sets", "mean"],
        ["c/x", "1", "90.0%"],
        ["c/x@5shot", "1", "70.0%"],
        ["nli", "2", "30.0%"],
        ["nli@5shot", "1", "50.0%"],
        ["all groups", "3", "60.0%"],
        ["all groups@5shot", "2", "60.0%"],
    ]


def test_no_untrained_model() -> None:
    (_, line) = rows(_table([result("a/x", 0.5)]))
    assert line[3:5] == ["50.0% [40.0%, 60.0%]", "25.0%"]
    assert line[-1] == "above both"
    assert pytest.approx(0.4) == result("a/x", 0.5).trained.low

"""Commands about models: their options, defaults and limits."""

from pathlib import Path

import pytest
from commands import call, parsed


def test_defaults() -> None:
    found = parsed("train", "r.yaml")
    assert (found["run"], found["out"], found["build"], found["overwrite"]) == (
        "r.yaml",
        None,
        None,
        False,
    )
    found = parsed("eval", "runs/r")
    assert (found["folder"], found["build"], found["step"], found["max_rows"]) == (
        Path("runs/r"),
        None,
        None,
        None,
    )
    assert parsed("demo")["out"] == Path("demo")


@pytest.mark.parametrize(
    "words", [("train",), ("eval",), ("eval", "r", "--max-rows", "0"), ("demo", "x")]
)
def test_values_that_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "Usage: " in call(*words, cwd=tmp_path, ok=2)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    for words in (("train", "gone.yaml"), ("eval", "runs/gone")):
        told = call(*words, cwd=tmp_path, ok=2)
        assert "error FC" in told and "gone" in told
    assert list(tmp_path.iterdir()) == []

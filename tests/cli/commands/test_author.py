"""Commands for authors: their options, defaults and limits."""

from pathlib import Path

import pytest
from commands import call, call_json, parsed


def test_defaults_of_check_and_show() -> None:
    found = parsed("check", "a", "b.yaml")
    assert found["paths"] == [Path("a"), Path("b.yaml")]
    assert (found["rows"], found["form"], found["strict"], found["select"]) == (
        200,
        "text",
        False,
        "all",
    )
    found = parsed("show", "t/a")
    assert (found["count"], found["shots"], found["seed"], found["chat_style"]) == (3, 0, 0, "*")
    assert (found["options"], found["cot"], found["split"]) == (None, None, None)


def test_switches_have_three_states() -> None:
    for words, want in (((), None), (("--options",), True), (("--no-options",), False)):
        assert parsed("show", "t", *words)["options"] is want
    for words, want in (((), None), (("--cot",), True), (("--no-cot",), False)):
        assert parsed("show", "t", *words)["cot"] is want


@pytest.mark.parametrize(
    "words",
    [("show", "t", "-n", "0"), ("show", "t", "--shots", "-1"), ("check", ".", "--rows", "0"),
     ("check", ".", "--length", "x"), ("show", "t", "u"), ("fmt",), ("diff", "a")],
)  # fmt: skip
def test_values_that_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = call(*words, cwd=tmp_path, ok=2)
    assert "Usage: " in told and "FC" not in told


def test_json_is_the_format_json(home: Path) -> None:
    words = ("check", "nosuch")
    assert call(*words, "--json", cwd=home, ok=1) == call(
        *words, "--format", "json", cwd=home, ok=1
    )
    told = call("check", ".", "--format", "jsn", cwd=home, ok=2)
    assert "FC416" in told and "did you mean 'json'" in told


def test_rows_are_checked_only_on_request(home: Path) -> None:
    found = call_json("check", ".", "--strict", cwd=home)
    assert found == []
    found = call_json("check", ".", "--data", "--all", "--strict", cwd=home, ok=1)
    assert {d["code"] for d in found} == {"FC332"}  # both splits are one file
    assert call_json("check", ".", "--data", "--all", cwd=home) == found
    assert call_json("check", ".", "--data", "--select", "inverted", "--strict", cwd=home) == []

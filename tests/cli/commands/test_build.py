"""Commands about builds: their options, defaults and limits."""

from pathlib import Path

import pytest
from commands import call, parsed


def test_defaults() -> None:
    found = parsed("compile", "r", "-o", "b")
    assert (found["out"], found["workers"], found["memory"]) == (Path("b"), 1, "256MiB")
    assert (found["overwrite"], found["relearn"], found["json"]) == (False, False, False)
    assert parsed("plan", "r")["batch_packs"] == 64
    found = parsed("explain", "b")
    assert (found["segment"], found["row"], found["batch_packs"], found["seed"]) == (0, 0, 64, 0)
    assert (found["pack"], found["step"], found["evaluation"]) == (None, None, None)
    found = parsed("export", "b", "--to", "jsonl", "-o", "x")
    assert (found["text"], found["evaluation"]) == (True, None)
    assert parsed("cache")["action"] == "info"


@pytest.mark.parametrize(
    "words",
    [("compile", "r"), ("compile", "r", "-o", "b", "-j", "0"), ("plan", "r", "--batch-packs", "0"),
     ("explain", "b", "--segment", "-1"), ("explain", "b", "--row", "-1"), ("export", "b", "-o", "x"),
     ("inspect", "b", "--pack", "one"), ("verify",)],
)  # fmt: skip
def test_values_that_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = call(*words, cwd=tmp_path, ok=2)
    assert "Usage: " in told and "FC" not in told
    assert list(tmp_path.iterdir()) == []

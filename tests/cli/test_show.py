"""`show`: examples as text and JSON, and names that are wrong."""

from pathlib import Path

from commands import call, call_json


def test_show(home: Path) -> None:
    text = call("show", "toy/qa", "-n", "1", "--shots", "2", "--row", "4", cwd=home)
    assert "What is 4 plus 2?" in text
    (example,) = call_json(
        "show", "toy/qa", "-n", "1", "-t", "pick", "--options", "--option-style", "dash", cwd=home
    )["examples"]
    assert example["prompt"].count("\n- ") == 4
    assert "did you mean 'toy/qa'" in call("show", "toy/q", cwd=home, ok=2)
    assert "did you mean 'pick'" in call("show", "toy/qa", "-t", "pik", cwd=home, ok=2)
    assert "⏎" in call("show", "toy/qa", "-w", "-n", "1", "--shots", "1", cwd=home)

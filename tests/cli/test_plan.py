"""`plan`: a forecast as a table and as JSON."""

from pathlib import Path

from commands import call, call_json
from toys import Library, dataset_of


def test_plan(home: Path) -> None:
    plan = call_json("plan", "r", cwd=home)
    assert plan["examples"] == 300
    assert plan["steps"] == -(-plan["packs"] // 64)
    assert "did you mean 'r'" not in call("plan", "nothing", cwd=home, ok=2)


def test_a_forecast_as_a_table(home: Path) -> None:
    plan = call_json("plan", "r", "--batch-packs", "7", cwd=home)
    assert plan["steps"] == -(-plan["packs"] // 7)
    shown = call("plan", "r", "--batch-packs", "7", cwd=home)
    assert f"about 300 examples, {plan['tokens']:,} tokens" in shown
    assert f"{plan['steps']} steps of 7" in shown
    assert "2 of 2 templates are rendered by columns" in shown


def test_settings_replace_those_of_the_recipe(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset()
    library.dataset("other", rows=10)
    about = dataset_of("other")
    about["tasks"]["qa"]["cluster"] = "nli"
    library.write("datasets/other.yaml", about)
    library.mixture()
    library.recipe()
    held = call_json("plan", "r", "--hold-out", "nli", cwd=tmp_path)
    assert list(held["held_out"]) == ["other/qa"]
    assert "held out: other/qa" in call("plan", "r", "--hold-out", "nli", cwd=tmp_path)
    (tmp_path / "datasets" / "other.jsonl").unlink()
    assert "FC3" in call("plan", "r", cwd=tmp_path, ok=2)
    left = call_json("plan", "r", "--missing", "leave_out", cwd=tmp_path)
    assert list(left["left_out"]) == ["other/qa"]
    assert "left out: other/qa" in call("plan", "r", "--missing", "leave_out", cwd=tmp_path)
    told = call("plan", "r", "--missing", "leave", cwd=tmp_path, ok=2)
    assert "--missing is error or leave_out, not 'leave'" in told

"""`inspect`: the summary of a build, its packs and its evaluation sets."""

from pathlib import Path

from commands import call, call_json

from flancompile.store.build import Build


def test_a_summary_and_a_pack(home: Path) -> None:
    assert "300 examples in" in call("inspect", "build", cwd=home)
    shown = call("inspect", "build", "--pack", "1", cwd=home)
    assert shown.count("── segment ") == len(Build.open(home / "build").packs[1].examples)
    for pack in ("999", "-1"):
        assert f"there is no pack {pack}" in call(
            "inspect", "build", "--pack", pack, cwd=home, ok=2
        )


def test_the_manifest_as_json(home: Path) -> None:
    manifest = call_json("inspect", "build", cwd=home)
    assert manifest == Build.open(home / "build").manifest.model_dump(mode="json")


def test_an_evaluation_set(home: Path) -> None:
    shown = call("inspect", "build", "--eval", "toy/qa", cwd=home)
    assert shown.count("── row ") == 3 and "accepted: " in shown
    about = call_json("inspect", "build", "--eval", "toy/qa", cwd=home)
    assert about["entry"]["rows"] == 5 and about["entry"]["split"] == "validation"
    assert "toy/qa" in call("inspect", "build", "--eval", "toy/q", cwd=home, ok=2)

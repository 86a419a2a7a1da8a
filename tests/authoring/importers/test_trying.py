"""Imported templates are tried on the rows that are on this machine."""

import json
import os
from pathlib import Path

import pytest
from lm_eval_tasks import task
from toys import Library

from flancompile.authoring.importers.imported import Imported
from flancompile.authoring.importers.trying import RENDERS, try_out
from flancompile.cli import importing


def test_tasks_are_tried_on_rows_that_are_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"thing": "snow", "colour": "white"}, {"thing": "coal", "colour": "black"}]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"data_files": {"test": str(data)}}
    for name, column in (("good", "colour"), ("bad", "color")):
        (folder := tmp_path / name).mkdir()
        keys = {"doc_to_target": column, "dataset_kwargs": files, "repeats": 4, "task": name}
        task(folder, dataset_path="json", **keys)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    task(elsewhere, task="elsewhere")
    folders = [tmp_path / name for name in ("good", "bad", "elsewhere")]
    importing.run("lm-eval", folders, tmp_path / "out", "train", as_json=True)
    said = json.loads(capsys.readouterr().out)
    tried = said["tried"]
    assert tried.keys() == {"good/generation/template", "bad/generation/template"}
    assert tried["good/generation/template"] == "renders"
    assert tried["bad/generation/template"].endswith("no 'color'")
    assert [name for name, key, _ in said["notes"] if key == "repeats"] == ["good", "bad"]
    importing.run("lm-eval", folders, tmp_path / "again", "train", as_json=False)
    shown = capsys.readouterr().out
    assert "good/generation/template: renders" in shown
    assert "bad: repeats: 4 is ignored" in shown


def imported(root: Path, **source: object) -> Imported:
    """A library with one imported file, whose second template reads a column that is empty."""
    library = Library(root)
    rows = [{"thing": "snow", "colour": "white", "gone": None}] * 3
    library.write("datasets/rows.jsonl", rows)
    about = {
        "id": "colours",
        "source": source or {"files": {"train": "rows.jsonl", "test": "none.jsonl"}},
        "fields": {n: f'row["{n}"]' for n in ("thing", "colour", "gone")},
        "tasks": {
            "qa": {
                "signature": "thing, gone -> colour",
                "templates": [
                    {"name": "good", "input": "{{ thing }}?", "target": "{{ colour }}"},
                    {"name": "bad", "input": "{{ thing }} {{ gone }}?", "target": "{{ colour }}"},
                ],
            }
        },
    }
    library.write("datasets/colours.yaml", about)
    return Imported("colours", "")


def test_each_template_has_its_verdict(tmp_path: Path) -> None:
    found = try_out([imported(tmp_path)], tmp_path)
    assert found["colours/qa/good"] == RENDERS
    assert found["colours/qa/bad"].startswith("renders none of 3 rows; in 3: ")
    assert found["colours/qa/bad"].endswith("a null value would be printed")


def test_only_imported_files_are_tried(tmp_path: Path) -> None:
    imported(tmp_path)
    assert try_out([Imported("others", "")], tmp_path) == {}


def test_rows_of_the_evaluated_split_are_tried_first(tmp_path: Path) -> None:
    one = imported(tmp_path, files={"a": "rows.jsonl", "test": "other.jsonl"})
    library = Library(tmp_path)
    library.write("datasets/other.jsonl", [{"thing": "coal", "colour": "black", "gone": "x"}])
    path = tmp_path / "datasets" / "colours.yaml"
    path.write_text(
        path.read_text().replace("    templates:", "    eval: {split: test}\n    templates:")
    )
    assert set(try_out([one], tmp_path).values()) == {RENDERS}
    path.write_text(path.read_text().replace("split: test", "split: a"))
    assert try_out([one], tmp_path)["colours/qa/bad"].startswith("renders none")


def test_a_broken_library_is_not_tried(tmp_path: Path) -> None:
    one = imported(tmp_path)
    (tmp_path / "datasets" / "broken.yaml").write_text("a: [\n")
    ((key, verdict),) = try_out([one], tmp_path).items()
    assert key == str(tmp_path) and verdict.startswith("not tried: ")


@pytest.mark.parametrize("place", ["datasets", "hub"])
def test_data_of_the_hub_is_looked_for_in_its_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HF_HOME", str(home))
    for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("HF_DATASETS_OFFLINE")
    one = imported(tmp_path / "lib", hub="some/colours", splits={"train": "train"})
    seen: list[tuple[str | None, str | None]] = []

    def noted(*given: object) -> tuple[list[object], dict[str, int]]:
        seen.append((os.environ.get("HF_HUB_OFFLINE"), os.environ.get("HF_DATASETS_OFFLINE")))
        return [1], {}

    monkeypatch.setattr("flancompile.authoring.importers.trying.preview", noted)
    assert try_out([one], tmp_path / "lib") == {} and seen == []
    name = {"datasets": "some___colours", "hub": "datasets--some--colours"}[place]
    (home / place / name).mkdir(parents=True)
    assert try_out([one], tmp_path / "lib") == dict.fromkeys(
        ("colours/qa/good", "colours/qa/bad"), RENDERS
    )
    assert seen == [("1", "1")] * 2  # the network is not used
    assert os.environ["HF_HUB_OFFLINE"] == "0" and "HF_DATASETS_OFFLINE" not in os.environ

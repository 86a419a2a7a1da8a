"""The demo, whole: what it promises holds on held-out rows."""

import json
from pathlib import Path

import pytest
from commands import run

from flancompile.cli.demo import _is_of_another
from flancompile.dsl.library.library import demo_library
from flancompile.evaluate.results import read_answers, read_scores
from flancompile.runfile import load_run


def test_a_run_on_another_build_is_begun_anew(tmp_path: Path) -> None:
    library = demo_library()
    now = load_run("demo", [library]).run.model_dump(mode="json")
    about = {
        "run": now, "root_digest": "a", "build": "b", "tokenizer": "t", "tasks": [], "vocab": 1,
        "mesh": {},
    }  # fmt: skip
    assert not _is_of_another(tmp_path, "a", library)
    (tmp_path / "run.json").write_text(json.dumps(about))
    assert not _is_of_another(tmp_path, "a", library)
    assert _is_of_another(tmp_path, "b", library)
    (tmp_path / "run.json").write_text(json.dumps({**about, "run": {**now, "steps": 1}}))
    assert _is_of_another(tmp_path, "a", library)
    (tmp_path / "run.json").write_text("{")
    assert _is_of_another(tmp_path, "a", library)


@pytest.mark.slow
def test_the_demo_beats_both_baselines_on_three_tasks_at_least(tmp_path: Path) -> None:
    text = run("demo", cwd=tmp_path)
    for name in ("demo/build", "demo/run", "demo/run/report.html"):
        assert name in text
        assert (tmp_path / name).exists()
    scores = read_scores(tmp_path / "demo" / "run")
    assert scores is not None
    tasks = {t["task"]: t for t in scores["tasks"]}
    assert sum(t["beats_baselines"] for t in tasks.values()) >= 3, tasks
    assert [n for n, t in tasks.items() if t["held_out"]] == ["demo_passages/topic_classification"]
    for name, task in tasks.items():
        assert task["split"] == "test"
        for who in ("trained", "untrained"):
            assert len(read_answers(tmp_path / "demo" / "run", name, who)) == task[who]["rows"]
    page = (tmp_path / "demo" / "run" / "report.html").read_text()
    assert "held out" in page and page.count("<polyline") == 5
    again = run("demo", cwd=tmp_path)
    assert "Done in" in again

"""Data of a run's report, from the files in its folder."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flancompile.errors import FlancompileError
from flancompile.evaluate.results import FOLDER, write_answers
from flancompile.report.run import ANSWERS, CURVES, run_view
from flancompile.trainer.log import MetricsLog, write_run

RUN_INFO = {
    "run": {"run": "toy"}, "build": "b", "root_digest": "a" * 64, "tokenizer": "t", "tasks": [],
    "vocab": 128, "mesh": {"data": 2, "fsdp": 2, "tensor": 1}, "parameters": 10, "device": "cpu",
}  # fmt: skip


def line(step: int, **more: Any) -> dict[str, Any]:
    values = dict.fromkeys((*CURVES, "tokens_per_second", "wait_share"), float(step))
    return {"step": step, "epoch": step / 10, "mfu": None, **values, **more}


def test_a_run_without_metrics_or_scores(tmp_path: Path) -> None:
    write_run(tmp_path, RUN_INFO)
    found = run_view(tmp_path)
    assert (found["name"], found["devices"], found["steps_done"]) == ("toy", "4 × cpu", 0)
    assert found["curves"] == found["tasks"] == [] and found["eval_build"] is None
    with pytest.raises(FlancompileError, match="FC605"):
        run_view(tmp_path / "missing")


def test_curves_fill_their_box_and_speed_ignores_the_first_line(tmp_path: Path) -> None:
    write_run(tmp_path, RUN_INFO)
    log = MetricsLog(tmp_path, 0)
    for step, loss, speed in ((1, 4.0, 1.0), (2, 2.0, 50.0), (3, 3.0, 70.0), (5, 2.5, 60.0)):
        log.write(line(step, loss=loss, tokens_per_second=speed))
    log.close()
    found = run_view(tmp_path)
    curve = next(c for c in found["curves"] if c["name"].startswith("loss"))
    assert curve["points"] == "0.00,1.00 25.00,39.00 50.00,20.00 100.00,29.50"
    assert (curve["first"], curve["last"], curve["low"], curve["high"]) == ("4", "2.5", "2", "4")
    assert found["speed"]["tokens"] == 60.0 and found["speed"]["mfu"] is None
    assert (found["steps_done"], found["epochs"]) == (5, 0.5)


def test_answers_are_spread_over_the_rows(tmp_path: Path) -> None:
    import json

    write_run(tmp_path, RUN_INFO)
    write_answers(tmp_path, "a", "trained", pa.table({"row_id": [str(i) for i in range(20)]}))
    tasks = [{"name": "a", "task": "a"}, {"name": "b", "task": "b"}]
    scores = {"step": 3, "build": "other", "root_digest": "b" * 64, "groups": {}, "tasks": tasks}
    (tmp_path / FOLDER / "scores.json").write_text(json.dumps(scores))
    found = run_view(tmp_path)
    one, other = found["tasks"]
    assert [a["row_id"] for a in one["answers"]] == ["0", "3", "6", "9", "12", "15"]
    assert len(one["answers"]) == ANSWERS and other["answers"] == []
    assert found["eval_build"] == f"other (build {'b' * 16})" and found["eval_step"] == 3

"""Files of a run's folder."""

from pathlib import Path

import pytest

from flancompile.errors import FlancompileError
from flancompile.trainer.log import METRICS, RUN, MetricsLog, read_metrics, read_run, write_run

RUN_INFO = dict.fromkeys(("run", "build", "root_digest", "tokenizer", "tasks", "vocab", "mesh"), 1)


def test_a_run_is_read_back(tmp_path: Path) -> None:
    write_run(tmp_path, RUN_INFO)
    assert read_run(tmp_path) == RUN_INFO
    assert [p.name for p in tmp_path.iterdir()] == [RUN], "no partial file is left"


def test_a_folder_that_is_no_run_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    write_run(tmp_path / "demo", RUN_INFO)
    with pytest.raises(FlancompileError, match=r"FC605.*is not a run[\s\S]*did you mean 'demo'"):
        read_run(tmp_path / "dmeo")


def test_missing_keys_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, {k: v for k, v in RUN_INFO.items() if k not in ("vocab", "mesh")})
    with pytest.raises(FlancompileError, match=r"FC605.*is damaged: it lacks mesh, vocab"):
        read_run(tmp_path)


def test_lines_after_the_checkpoint_are_deleted(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    first = MetricsLog(tmp_path, 0)
    for step in (1, 2, 3):
        first.write({"step": step})
    first.close()
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    assert [m["step"] for m in read_metrics(tmp_path)] == [1, 2, 3]
    resumed = MetricsLog(tmp_path, 2)
    resumed.write({"step": 3, "again": True})
    assert read_metrics(tmp_path) == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]
    resumed.close()

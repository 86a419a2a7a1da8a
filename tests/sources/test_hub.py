"""Hub datasets: local folders, commits, and no network access when offline."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flancompile.errors import FlancompileError
from flancompile.sources.hub import hub_commit, hub_files, hub_rows
from flancompile.sources.rows import EVERY_COLUMN, Projection

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_rows_and_files_of_a_local_folder(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    rows = [{"a": i, "b": f"text {i}"} for i in range(1100)]  # over one batch
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    where = (str(tmp_path), None, None, "train")
    assert list(hub_rows(*where, EVERY_COLUMN)) == rows
    assert list(hub_rows(*where, Projection(frozenset("a")))) == [{"a": r["a"]} for r in rows]
    files = hub_files(*where)
    assert files != [] and all(f.is_file() for f in files)
    assert hub_commit(str(tmp_path), "main") is None
    with pytest.raises(FlancompileError) as caught:
        list(hub_rows(str(tmp_path), None, None, "test", EVERY_COLUMN))
    assert caught.value.code == "FC306"


def test_a_commit_is_its_own_and_a_branch_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []

    class Api:
        def dataset_info(self, repository: str, revision: str | None) -> SimpleNamespace:
            calls.append((repository, revision))
            if repository == "no/body":
                raise OSError("404\nmore")
            return SimpleNamespace(sha=COMMIT)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(HfApi=Api))
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    assert hub_commit("x/y", COMMIT) == COMMIT
    assert calls == []
    assert hub_commit("x/y", "main") == COMMIT
    with pytest.raises(FlancompileError, match="'no/body' cannot be read: 404\n") as caught:
        hub_commit("no/body", None)
    assert caught.value.diagnostics[0].hint == "check name, config, split and revision"
    assert calls == [("x/y", "main"), ("no/body", None)]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub_commit("x/y", "main") is None
    assert len(calls) == 2


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(FlancompileError, match="needs the package `datasets`") as caught:
        list(hub_rows("x/y", None, None, "train", EVERY_COLUMN))
    assert "flancompile[hub]" in str(caught.value)

"""Exports: equal contents in each format, no frame in JSON Lines, nothing left by a failure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.export import export


@pytest.mark.parametrize("layout", ["decoder", "encoder_decoder"])
def test_lines_leave_the_frame_out(
    planned: Callable[..., Any], tmp_path: Path, layout: str
) -> None:
    plan = planned(20, layout=layout)  # bos before each prompt, eos after each target
    plan.write(tmp_path / "b")
    assert export(Build.open(tmp_path / "b"), tmp_path / "x.jsonl", "jsonl") == 20
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    for line, ids, (prompt, _) in zip(lines, plan.ids, plan.lengths.tolist(), strict=True):
        assert line["prompt_ids"] == ids[1:prompt].tolist()
        assert line["target_ids"] == ids[prompt:-1].tolist()


def test_exports_hold_the_same(build: Build, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from pyarrow import parquet

    packs = [build.packs[i] for i in range(len(build.packs))]
    column = build.packs.columns[0]
    assert export(build, tmp_path / "a.parquet", "parquet") == len(packs)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table[column].to_pylist() == [p.tokens[column].tolist() for p in packs]
    export(build, tmp_path / "hf", "hf-disk")
    loaded = datasets.load_from_disk(str(tmp_path / "hf"))
    assert list(loaded[column]) == [p.tokens[column].tolist() for p in packs]
    assert list(loaded["runs"]) == [p.loss_spans.tolist() for p in packs]
    from flancompile.tokenizer.load import load_folder

    tokenizer = load_folder(build.tokenizer_folder)
    assert (
        export(build, tmp_path / "a.jsonl", "jsonl", decode=tokenizer.decode)
        == build.manifest.counts["examples"]
    )
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for line in lines:
        assert tokenizer.encode([line["prompt"]])[0].tolist() == line["prompt_ids"]
        assert tokenizer.encode([line["target"]])[0].tolist() == line["target_ids"]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    with pytest.raises(FlancompileError, match="did you mean 'parquet'"):
        export(build, tmp_path / "b", "parqet")
    with pytest.raises(FlancompileError, match="already exists"):
        export(build, tmp_path / "a.jsonl", "jsonl")


@pytest.mark.parametrize("format_", ["parquet", "jsonl", "hf-disk"])
def test_a_failed_export_leaves_nothing_and_ignores_leftovers(
    build: Build, tmp_path: Path, format_: str
) -> None:
    def end(done: int, total: int) -> None:
        raise KeyboardInterrupt

    def bad(ids: Any) -> str:
        raise KeyboardInterrupt

    leftovers = tmp_path / ".x.partial"  # of a run that was killed
    if format_ == "hf-disk":
        leftovers.mkdir()
    leftovers = leftovers / "old" if leftovers.is_dir() else leftovers
    leftovers.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        export(build, tmp_path / "x", format_, decode=bad, progress=end)
    assert list(tmp_path.iterdir()) == []
    leftovers.parent.mkdir(exist_ok=True)
    leftovers.write_text("old")
    assert export(build, tmp_path / "x", format_) > 0
    assert [p.name for p in tmp_path.rglob("*") if p.name in ("old", ".x.partial")] == []

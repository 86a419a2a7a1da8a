"""`export`: the formats, of packs and of evaluation sets."""

import json
from pathlib import Path

from commands import call

from flancompile.store.build import Build


def test_export(home: Path, tmp_path: Path) -> None:
    for kind, name in (("parquet", "a.parquet"), ("jsonl", "a.jsonl"), ("hf-disk", "hf")):
        call("export", str(home / "build"), "--to", kind, "--out", name, cwd=tmp_path)
        assert (tmp_path / name).exists()


def test_exported_lines_are_those_of_the_build(home: Path, tmp_path: Path) -> None:
    build = str(home / "build")
    assert call("export", build, "--to", "jsonl", "-o", "a.jsonl", cwd=tmp_path).endswith(
        "rows in a.jsonl\n"
    )
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert len(lines) == Build.open(home / "build").manifest.counts["examples"]
    call("export", build, "--to", "jsonl", "--no-text", "-o", "b.jsonl", cwd=tmp_path)
    bare = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert set(bare[0]) < set(lines[0])
    assert [{k: one[k] for k in bare[0]} for one in lines] == bare


def test_an_evaluation_set_is_exported(home: Path, tmp_path: Path) -> None:
    words = ("export", str(home / "build"), "--to", "jsonl", "--eval", "toy/qa", "-o", "e.jsonl")
    assert call(*words, cwd=tmp_path) == "5 rows in e.jsonl\n"
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    rows = Build.open(home / "build").evaluation("toy/qa")[0].to_pylist()
    assert [line["prompt"] for line in lines] == [row["prompt"] for row in rows]

"""`new`: a first dataset file from a source's rows."""

import json
from pathlib import Path

import pytest
import yaml
from commands import call

import flancompile
from flancompile.cli import new
from flancompile.errors import FlancompileError


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"a": "b", "c": "d"}) + "\n")
    out = tmp_path / "d.yaml"
    out.write_text("mine")
    with pytest.raises(FlancompileError, match="FC501"):
        new.run(str(rows), out, None, None, None)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("lines", "headerless"),
    [
        (["text,label", "good film,pos", "bad film,neg"], False),
        (["good film,pos", "bad film,neg", "fine film,pos"], True),
        (["1,good film", "2,bad film", "3,fine film"], True),
        (["2019 film,label", "good,pos", "bad,neg"], False),
    ],
)
def test_a_file_without_a_header_is_seen(
    lines: list[str], headerless: bool, tmp_path: Path
) -> None:
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    new.run(str(tmp_path / "d.csv"), tmp_path / "lib/datasets/d.yaml", None, None, None)
    text = (tmp_path / "lib/datasets/d.yaml").read_text()
    assert ("header: false" in text) is headerless
    assert ("column1" in text) is headerless
    assert [d for d in flancompile.check(tmp_path / "lib") if d.severity == "error"] == []


def rows_file(folder: Path, name: str = "rows.jsonl", wrap: bool = False) -> Path:
    rows = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(9)]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([{"rows": rows}]) if wrap else "".join(json.dumps(r) + "\n" for r in rows)
    path.write_text(text)
    return path


def test_a_file_is_printed_or_written(tmp_path: Path) -> None:
    rows_file(tmp_path)
    text = call("new", "rows.jsonl", "--id", "mine", cwd=tmp_path)
    data = yaml.safe_load(text)
    assert data["id"] == "mine" and data["source"]["files"] == {"train": "rows.jsonl"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.jsonl"]
    told = call("new", "rows.jsonl", "--id", "mine", "-o", "lib/datasets/d.yaml", cwd=tmp_path)
    assert told.rstrip().endswith("`flancompile check --data lib/datasets/d.yaml`")
    written = yaml.safe_load((tmp_path / "lib/datasets/d.yaml").read_text())
    assert written["source"]["files"] == {"train": "../../rows.jsonl"}
    assert {**written, "source": 0} == {**data, "source": 0}
    assert [d.code for d in flancompile.check(tmp_path / "lib") if d.severity == "error"] == []


def test_lists_of_rows_within_rows(tmp_path: Path) -> None:
    rows_file(tmp_path, "odd, name/rows.json", wrap=True)
    text = call("new", "odd, name/rows.json", "--explode", "rows", cwd=tmp_path)
    data = yaml.safe_load(text)
    assert data["source"]["explode"] == "rows"
    assert data["source"]["files"] == {"train": "odd, name/rows.json"}
    assert set(data["fields"]) == {"text", "label"}


def test_sources_without_rows(tmp_path: Path) -> None:
    assert "FC301" in call("new", "none.jsonl", cwd=tmp_path, ok=2)
    (tmp_path / "bad.jsonl").write_text("{\n[\n")
    told = call("new", "bad.jsonl", cwd=tmp_path, ok=2)
    assert "FC30" in told and "Traceback" not in told

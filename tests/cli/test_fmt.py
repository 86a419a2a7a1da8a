"""`fmt`: canonical form, and files that are no YAML."""

import json
from pathlib import Path

from commands import call
from toys import Library


def test_a_broken_file_hides_no_other(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset()
    (tmp_path / "datasets" / "a.yaml").write_text("a: [\n")
    (tmp_path / "datasets" / "m.yaml").write_bytes(b"\xff")
    (tmp_path / "datasets" / "z.yaml").write_text("a:   1\n")
    printed = call("fmt", ".", cwd=tmp_path, ok=2)
    assert "a.yaml:1:4: error FC101" in printed and "m.yaml:1:1: error FC101" in printed
    assert (tmp_path / "datasets" / "z.yaml").read_text() == "a: 1\n"
    files = [f"datasets/{name}.yaml" for name in ("a", "m", "toy")]
    found = json.loads(
        call("check", *files, "--format", "json", cwd=tmp_path, ok=1).rpartition("]")[0] + "]"
    )
    assert {Path(d["path"]).name for d in found} == {"a.yaml", "m.yaml"}
    assert '"FC107"' in call("check", "nosuch", "--format", "json", cwd=tmp_path, ok=1)


UNTIDY = "a:   1\nb:  [x,   y]  # kept\n"
TIDY = "a: 1\nb: [x, y]     # kept\n"


def test_files_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(UNTIDY)
    assert call("fmt", "a.yaml", cwd=tmp_path) == "1 of 1 files changed\n"
    assert path.read_text() == TIDY
    assert call("fmt", "a.yaml", cwd=tmp_path) == "0 of 1 files changed\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.yaml"]


def test_check_and_diff_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(UNTIDY)
    told = call("fmt", ".", "--check", cwd=tmp_path, ok=1)
    assert told == "a.yaml would be reformatted\n1 of 1 files would change\n"
    diff = call("fmt", ".", "--diff", cwd=tmp_path)
    assert "-a:   1" in diff and "+a: 1" in diff and "--- a.yaml" in diff
    assert call("fmt", ".", "--diff", "--check", cwd=tmp_path, ok=1) == diff
    assert path.read_text() == UNTIDY
    path.write_text(TIDY)
    assert call("fmt", ".", "--check", cwd=tmp_path) == "0 of 1 files would change\n"


def test_the_files_of_a_library(tmp_path: Path) -> None:
    for name in (
        "datasets/deep/a.yml",
        "runs/r.yaml",
        "runs/r/steps/s.yaml",
        "other/o.yaml",
        "datasets/a.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(UNTIDY)
    assert call("fmt", ".", cwd=tmp_path) == "2 of 2 files changed\n"
    tidy = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*") if p.read_text() == TIDY}
    assert tidy == {"datasets/deep/a.yml", "runs/r.yaml"}
    assert "FC107" in call("fmt", "none", cwd=tmp_path, ok=2)

"""`compile`: recipes, places, and an interrupted compile."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import call, call_json
from toys import Library

from flancompile.store.build import Build


def test_a_recipe_by_its_path_brings_its_library(home: Path, tmp_path: Path) -> None:
    call("compile", str(home / "recipes" / "r.yaml"), "--out", "b", cwd=tmp_path)
    assert (tmp_path / "b" / "manifest.json").is_file()


def test_a_build_in_the_folder_where_one_stands(home: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    call("compile", "r", "--library", str(home), "--out", ".", cwd=tmp_path / "here")
    assert call("verify", "here", cwd=tmp_path).startswith("sound")


@pytest.mark.parametrize("words", [("--out", "file/b"), ("--out", "b", "--cache", "file/c")])
def test_places_that_cannot_be_used_are_named(
    home: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("x")
    said = call("compile", "r", "--library", str(home), *words, cwd=tmp_path, ok=2)
    assert "FC516" in said and "file" in said and "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_summary_and_json(home: Path, tmp_path: Path) -> None:
    words = ("compile", "r", "--library", str(home), "--out", "b", "--overwrite")
    made = call_json(*words, cwd=tmp_path)
    manifest = Build.open(tmp_path / "b").manifest
    assert made == {"build": "b", "root_digest": manifest.root_digest, "counts": manifest.counts}
    assert f"root digest {manifest.root_digest}" in call(*words, cwd=tmp_path)
    (tmp_path / "b" / "manifest.json").unlink()
    assert "exists and is not a build" in call(*words, cwd=tmp_path, ok=2)


# Ctrl-C reaches the whole group when the first object is there: the workers are at the others
INTERRUPTED = """
import os, signal
from flancompile.compiler.objects.streams import Stream
add = Stream.add
def add_and_interrupt(*given):
    add(*given)
    os.killpg(0, signal.SIGINT)
Stream.add = add_and_interrupt
from flancompile.cli import main
main()
"""


@pytest.mark.slow
def test_ctrl_c_is_clean(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    library.dataset(rows=9000)
    library.mixture(shots={5: 1})
    library.recipe(size={"examples": 400_000})
    words = [
        "compile",
        "r",
        "--out",
        str(tmp_path / "b"),
        "--cache",
        str(tmp_path / "c"),
        "-j",
        "2",
    ]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words],
        cwd=library.root,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b").exists()

"""What is being made is left alone while its process lives, whatever its number, and cleared after."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flancompile.unfinished import clear, making_file, making_folder, remove, take

MAKER = """
import sys, time
from pathlib import Path
from flancompile.unfinished import making_file, making_folder
with making_folder(Path(sys.argv[1]) / "folder") as work, making_file(Path(sys.argv[1]) / "file") as partial:
    (work / "part").write_text("x")
    partial.write_text("x")
    print("here", flush=True)
    sys.stdin.read()
"""


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    with making_file(tmp_path / "deep" / "a") as partial:
        partial.write_text("1")
        assert not (tmp_path / "deep" / "a").exists()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a"]
    with pytest.raises(OSError, match="full"), making_file(tmp_path / "deep" / "a") as partial:
        partial.write_text("2")
        raise OSError("full")
    assert [(p.name, p.read_text()) for p in (tmp_path / "deep").iterdir()] == [("a", "1")]


def test_a_folder_is_renamed_or_removed(tmp_path: Path) -> None:
    with making_folder(tmp_path / "a") as work:
        work.rename(tmp_path / "a")
    with making_folder(tmp_path / "b") as work:
        (work / "part").write_text("1")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    remove(tmp_path / "a")
    remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_makes_is_not_cleared_and_a_dead_ones_is(tmp_path: Path) -> None:
    (
        tmp_path / f".old.{os.getpid()}"
    ).mkdir()  # nobody holds it, though the number is a living one's
    (tmp_path / "whole").write_text("x")
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert maker.stdout is not None and maker.stdin is not None
    assert maker.stdout.readline() == b"here\n"
    assert [p.name for p in clear(tmp_path)] == [f".old.{os.getpid()}"]
    names = sorted(p.name.split(".")[1] for p in tmp_path.iterdir() if p.name != "whole")
    assert names == ["file", "folder", "folder"]
    maker.kill()
    maker.wait()
    assert len(clear(tmp_path)) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["whole"]


def test_one_process_has_a_lock(tmp_path: Path) -> None:
    first = take(tmp_path / "lock")
    assert first is not None and take(tmp_path / "lock") is None
    (tmp_path / "lock").unlink()
    second = take(tmp_path / "lock")  # another file by that name
    assert second is not None
    os.close(first)
    os.close(second)

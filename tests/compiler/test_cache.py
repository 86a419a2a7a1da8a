"""The cache: what killed runs, crashes and sweeps leave of it never stops a compile."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import Library

from flancompile.compiler.cache import Cache
from flancompile.compiler.objects.build import is_built
from flancompile.unfinished import making_file, making_folder


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library")
    made.dataset("toy", rows=60)
    made.mixture()
    made.recipe(size={"examples": 60}, evaluate=[{"select": "all", "split": "validation"}])
    yield made


def test_what_a_killed_process_of_the_same_number_left_does_not_matter(
    library: Library, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    library.compile(tmp_path / "a", cache.root)
    for path in [p for p in cache.reads.iterdir() if p.name != "digests"]:
        path.rename(path.with_name(f".{path.name}.{os.getpid()}"))
    library.compile(tmp_path / "a", cache.root)
    assert not any(p.name.startswith(".") for p in cache.root.rglob("*"))


@pytest.mark.parametrize(("pattern", "kept"), [("*", 0), ("*", 0.99), ("*.arrow", 0.5)])
def test_files_that_a_crash_has_cut_short_are_made_again(
    library: Library, tmp_path: Path, pattern: str, kept: float
) -> None:
    cache = Cache(tmp_path / "cache")
    first = library.compile(tmp_path / "a", cache.root)
    for path in [p for p in cache.root.rglob(pattern) if p.is_file()]:
        data = path.read_bytes()
        path.unlink()  # this process may have the file mapped
        path.write_bytes(data[: int(len(data) * kept)])
    assert not any(is_built(p) for p in cache.objects.glob("*/*"))
    again = library.compile(tmp_path / "b", cache.root)
    assert again.manifest == first.manifest
    assert json.loads((again.path / "run.json").read_text())["objects_found"] == 0


def test_a_sweep_keeps_what_is_being_made_and_removes_what_was_left(
    library: Library, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    library.compile(tmp_path / "a", cache.root)
    (cache.reads / ".left.1").mkdir()
    cache.object_path("left").with_name(".left.arrow.1").parent.mkdir(parents=True, exist_ok=True)
    cache.object_path("left").with_name(".left.arrow.1").write_text("x")
    with (
        making_folder(cache.reads / "read") as work,
        making_file(cache.object_path("object")) as partial,
    ):
        partial.write_text("x")
        (work / "run0.arrow").write_text("x")
        swept = cache.collect(0)
        assert swept.removed == swept.entries > 0
        left = {p.name for p in cache.root.rglob("*") if p.is_file()}
        assert left == {"run0.arrow", partial.name, f"{work.name}.lock"}
    assert cache.object_path("object").read_text() == "x"


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    now = time.time()
    for age, key in enumerate(("aa1", "bb2", "cc3")):
        path = cache.object_path(key)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 10)
        os.utime(path, (now - age, now - age))
    assert cache.collect(20).removed == 1
    assert sorted(p.stem for p in cache.objects.glob("*/*")) == ["aa1", "bb2"]


def test_a_sweep_keeps_what_a_run_has_used_since_it_began(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for key in ("aa1", "bb2"):
        path = cache.object_path(key)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        os.utime(path, (1, 1))
    with cache.in_use(), cache.in_use():
        os.utime(cache.object_path("aa1"))
        assert cache.collect(0).removed == 1
        assert cache.object_path("aa1").exists()
    assert cache.collect(0).removed == 1

"""Workers that die, and disks without room, are told of as diagnostics."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from toys import Library

from flancompile.errors import FlancompileError
from flancompile.process import worker_pool


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = Library(tmp_path / "library")
    made.dataset("toy", rows=60)
    made.mixture()
    made.recipe(size={"examples": 60})
    return made


def ran(code: str, tmp_path: Path) -> str:
    """What a script that ends in an error says."""
    (tmp_path / "script.py").write_text(code)
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_a_worker_that_is_killed_is_told_of() -> None:
    with pytest.raises(FlancompileError, match=r"FC515.*\n.*memory"), worker_pool(1) as pool:
        pid = pool.submit(os.getpid).result()
        pool.submit(os.kill, pid, signal.SIGKILL).result()


def test_a_script_that_does_not_guard_its_call_is_told_to(library: Library, tmp_path: Path) -> None:
    call = f"flancompile.compile('r', 'out', library=[{str(library.root)!r}], workers=2)"
    said = ran(f"import flancompile\n{call}\n", tmp_path)
    assert "FC515" in said and '__name__ == "__main__"' in said
    assert said.count("Traceback") == 1  # the script's own: workers are silent
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_of_the_cache_is_told_of(
    library: Library, tmp_path: Path, workers: int
) -> None:
    code = f"""
import resource, flancompile
from flancompile.compiler import pipeline
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, {resource.RLIM_INFINITY}))
    flancompile.compile('r', 'out', library=[{str(library.root)!r}], workers={workers}, cache='cache')
"""
    code = code.replace("'cache')", "flancompile.api.Path('cache'))")
    said = ran(code, tmp_path)
    assert "FC513" in said.splitlines()[-2] + said.splitlines()[-1]
    assert not (tmp_path / "out").exists()
    assert not any(p.name.startswith(".") for p in (tmp_path / "cache").rglob("*"))

"""Worker processes that die, and full disks, are reported as diagnostics."""

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
    """The error output of a script that fails."""
    (tmp_path / "script.py").write_text(code)
    # Without coverage, which cannot write its own file when the file size is limited.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_a_killed_worker_is_reported() -> None:
    with pytest.raises(FlancompileError, match=r"FC515.*\n.*memory"), worker_pool(1) as pool:
        pid = pool.submit(os.getpid).result()
        pool.submit(os.kill, pid, signal.SIGKILL).result()


def test_a_script_without_a_main_guard_gets_a_hint(library: Library, tmp_path: Path) -> None:
    call = f"flancompile.compile('r', 'out', library=[{str(library.root)!r}], workers=2)"
    output = ran(f"import flancompile\n{call}\n", tmp_path)
    assert "FC515" in output and '__name__ == "__main__"' in output
    assert output.count("Traceback") == 1  # the script's own: workers are silent
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_of_the_cache_is_reported(
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
    output = ran(code, tmp_path)
    assert "FC513" in output.splitlines()[-2] + output.splitlines()[-1]
    assert not (tmp_path / "out").exists()
    assert not any(p.name.startswith(".") for p in (tmp_path / "cache").rglob("*"))

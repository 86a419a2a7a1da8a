"""`python -m flancompile` is the command."""

import subprocess
import sys
from pathlib import Path

import flancompile


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flancompile"]
    shown = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert (shown.returncode, shown.stdout.split()[-1]) == (0, flancompile.__version__)
    wrong = subprocess.run([*command, "nothing"], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 2

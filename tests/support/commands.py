"""The real command line, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CODE = "from flancompile.cli import main; main()"


def run(*words: str, cwd: Path, ok: int = 0) -> str:
    """Run a command; -> what it printed, its complaints too where it is to fail."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == ok, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if ok == 0 else done.stdout + done.stderr


def load(*words: str, cwd: Path) -> Any:
    """A command's JSON."""
    return json.loads(run(*words, "--json", cwd=cwd))

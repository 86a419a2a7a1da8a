"""The command line: in a process of its own, or in this one, which is faster."""

import gc
import io
import json
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import typer

from flancompile.cli import main
from flancompile.cli.app import app

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
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


def call(*words: str, cwd: Path, ok: int = 0) -> str:
    """The same as `run`, in this process."""
    out, err, threshold, before = io.StringIO(), io.StringIO(), gc.get_threshold(), sys.argv
    code: object = 0
    try:
        sys.argv = ["flancompile", *words]
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
        gc.set_threshold(*threshold)
    printed, errors = out.getvalue(), err.getvalue()
    assert code == ok, f"{code}\n{printed}\n{errors}"
    return printed if ok == 0 else printed + errors


def call_json(*words: str, cwd: Path, ok: int = 0) -> Any:
    """A command's JSON, by `call`."""
    return json.loads(call(*words, "--json", cwd=cwd, ok=ok))


def parsed(*words: str) -> dict[str, Any]:
    """The values that a command would be run with."""
    command = COMMANDS[words[0]]
    found: dict[str, Any] = command.make_context(words[0], list(words[1:])).params
    return found

"""`flancompile demo`: compile, train, evaluate and report on the bundled data."""

from __future__ import annotations

import time
from pathlib import Path

from flancompile.api import compile
from flancompile.cli import evaluate, inspect, train
from flancompile.cli.console import console, progress
from flancompile.dsl.library.library import demo_library
from flancompile.errors import FlancompileError
from flancompile.runfile import load_run
from flancompile.trainer.log import RUN, read_run

__all__ = ["run"]


def _is_of_another(folder: Path, root_digest: str, library: Path) -> bool:
    """True if an existing run used another build or other settings."""
    if not (folder / RUN).is_file():
        return False
    try:
        run_info = read_run(folder)
    except FlancompileError:
        return True  # damaged
    now = load_run("demo", [library]).run.model_dump(mode="json")
    return bool(run_info["root_digest"] != root_digest or run_info["run"] != now)


def run(out: Path) -> int:
    """Compile, train, evaluate, and print the paths of the results; finished steps are skipped."""
    say, began = console(), time.perf_counter()
    library, build, folder = demo_library(), out / "build", out / "run"
    say.print(f"1/3 compile · {library}", style="bold")
    with progress() as report:
        opened = compile("demo", build, library=[library], progress=report, overwrite=True)
    inspect.summary(opened, say)
    say.print("\n2/3 train", style="bold")
    anew = _is_of_another(folder, opened.manifest.root_digest, library)
    if anew:
        say.print(f"{folder} belongs to another library or run; training starts again", style="dim")
    code = train.run("demo", folder, build, [library], overwrite=anew, as_json=False)
    if code:
        return code
    say.print("\n3/3 evaluate", style="bold")
    evaluate.run(folder, None, None, None, as_json=False)
    say.print(f"\nDone in {time.perf_counter() - began:.0f} seconds.", style="bold")
    for path, label in (
        (library, "the library: datasets, mixture, recipe and run, to copy from"),
        (build, "the build: packs, examples, evaluation, ledger, manifest"),
        (folder, "the run: metrics, checkpoints, answers and scores"),
        (folder / "report.html", "open this in a browser"),
    ):
        say.print(f"{path}  {label}")
    return 0

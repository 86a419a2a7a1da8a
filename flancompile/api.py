"""The commands as functions. Each imports its pass when it is called, so that a check stays fast;
JAX is imported when a model is trained or evaluated."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flancompile.disk import disk_errors
from flancompile.dsl.library.library import builtin_library, library_folder
from flancompile.errors import Diagnostic, FlancompileError, fail

if TYPE_CHECKING:
    from flancompile.compiler.cache import Cache
    from flancompile.compiler.request import CompileRequest, Progress
    from flancompile.evaluate.results import TaskResult
    from flancompile.forecast.forecast import Plan
    from flancompile.forecast.ladder import RungReport
    from flancompile.lint.reading import Reading
    from flancompile.store.build import Build

__all__ = ["check", "compile", "evaluate_run", "ladder", "open", "plan", "train"]

Folders = Sequence[Path | str]


@disk_errors()
def check(
    *paths: Path | str,
    builtin: bool = False,
    data: Reading | None = None,
    overlay: str | None = None,
    allowed: bool = False,
    progress: Progress | None = None,
) -> list[Diagnostic]:
    """Diagnostics of library folders and single files; an empty list if there are none.

    paths: also names of libraries that ship with the package (`flan`, `demo`); builtin: adds
    `flan`; data: settings of the checks of rows, None to skip them; overlay: locations of the data;
    allowed: include warnings that their files allow, each with its reason.
    """
    from flancompile.compiler.check.libraries import check_libraries

    given = [Path(p) for p in paths]
    run_files, others = _split_run_files(given)
    folders = [library_folder(p) for p in others if not p.is_file()]
    folders += [builtin_library()] if builtin else []
    loose = [p for p in others if p.is_file()]
    found = check_libraries([*folders, *loose], typed=data is None)
    if run_files or any((folder / "runs").is_dir() for folder in folders):
        from flancompile.runfile import check_runs

        found += check_runs([*run_files, *folders])
    if data is not None and not any(d.code.startswith("FC1") or d.code == "FC201" for d in found):
        from flancompile.lint.data import check_rows

        report = progress or (lambda *_: None)
        try:
            absent = {d.span.path for d in found if d.code == "FC319" and d.span}
            rows = check_rows(folders, overlay, data, loose=loose, progress=report)
            found += [d for d in rows if not _reported(d, absent)]
        except FlancompileError as error:  # files that do not load are reported already
            found += [d for d in error.diagnostics if d not in found]
    if data is not None and data.on_hand:
        found = [d for d in found if d.code != "FC319"]
    return [d for d in found if allowed or d.allowed is None]


def _reported(diagnostic: Diagnostic, absent: set[str]) -> bool:
    """Whether a diagnostic of missing rows (FC319) is reported already, by its file."""
    span = diagnostic.span
    return diagnostic.code == "FC319" and span is not None and span.path in absent


@disk_errors()
def plan(
    recipe: str | Path,
    *,
    library: Folders = (),
    overlay: str | None = None,
    cache: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Forecast a compile from the first block of each task. Raises FlancompileError.

    settings: keys of the recipe that replace those of the file.
    """
    from flancompile.forecast.forecast import forecast

    request = _request(recipe, library, overlay, cache, settings=settings, progress=progress)
    with request.cache.in_use():
        return forecast(request)


@disk_errors()
def ladder(
    mixture: str = "ladder_89",
    *,
    library: Folders = (),
    overlay: str | None = None,
    cache: Path | None = None,
    tokenizer: Path | None = None,
    progress: Progress | None = None,
) -> list[RungReport]:
    """Report the data of each rung of the ladder: names, rows, tokens, and missing tasks.

    mixture: of the tasks to count; tokenizer: counts the tokens, by default as bytes. Raises
    FlancompileError.
    """
    from flancompile.compiler.request import ladder_request
    from flancompile.forecast.forecast import forecast
    from flancompile.forecast.ladder import ladder_report

    place = _cache(cache)
    request = ladder_request(mixture, tuple(library), overlay, tokenizer, place, progress)
    with place.in_use():
        return ladder_report(request.tasks, forecast(request))


@disk_errors()
def compile(  # noqa: PLR0913
    recipe: str | Path,
    out: str | Path,
    *,
    library: Folders = (),
    overlay: str | None = None,
    cache: Path | None = None,
    workers: int = 1,
    memory_bytes: int | None = None,
    overwrite: bool = False,
    relearn: bool = False,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Build:
    """Compile a recipe, by id or by the path of its file, into a build at `out`.

    workers: processes that build objects, with the same bytes for any number; memory_bytes: memory
    for rows while a source is sorted; settings: keys of the recipe that replace those of the file,
    such as `{"missing": "leave_out", "hold_out_clusters": ("nli",)}`. Raises FlancompileError, and
    leaves `out` unchanged.

    Each of several workers imports the script in a new process: a script with `workers` above 1
    calls this under `if __name__ == "__main__":`.
    """
    from flancompile.compiler.pipeline import compile_recipe
    from flancompile.compiler.request import MEMORY_BYTES
    from flancompile.report.page import write_report
    from flancompile.store.build import Build
    from flancompile.store.claim import MANIFEST
    from flancompile.tokenizer.load import TokenizerRef

    request = _request(
        recipe,
        library,
        overlay,
        cache,
        workers=workers,
        memory_bytes=MEMORY_BYTES if memory_bytes is None else memory_bytes,
        relearn=relearn,
        settings=settings,
        progress=progress,
    )
    place = Path(out).resolve()
    with request.cache.in_use():
        manifest = compile_recipe(request, place, overwrite=overwrite)
    # a working directory that was replaced is still `.`, but without the new files
    build = Build.open(out if (Path(out) / MANIFEST).is_file() else place)
    tokenizer = TokenizerRef(str(build.tokenizer_folder), manifest.tokenizer.digest).load()
    write_report(build, tokenizer.decode)
    return build


def open(path: str | Path) -> Build:
    """Open a build.

    Raises FC504 for another folder, FC505 for a newer format, FC506 for a missing file.
    """
    from flancompile.store.build import Build

    return Build.open(path)


def train(
    run: str | Path,
    out: str | Path | None = None,
    *,
    build: str | Path | None = None,
    library: Folders = (),
    overwrite: bool = False,
    progress: Callable[[Any], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train a run, by id or by the path of its file, on a build. -> the run's folder.

    out: default `runs/ID`; a stopped run resumes from its last checkpoint. progress: called at the
    start and with each line of metrics; stop: called after each step, True ends the run. Run and
    build are checked against each other first. Raises FlancompileError, and trainer.train's
    Interrupted after a stop.
    """
    from flancompile.runfile import load_run

    file = load_run(run, library)
    opened = file.build(build)
    file.check(opened)
    _need_jax()
    from flancompile.trainer.train import train as work

    folder = Path(out) if out is not None else Path("runs") / file.run.run
    work(file.run, opened, folder, overwrite=overwrite, progress=progress, stop=stop)
    _report(folder, opened)
    return folder


def evaluate_run(
    folder: str | Path,
    *,
    build: str | Path | None = None,
    step: int | None = None,
    max_rows: int | None = None,
    progress: Progress | None = None,
) -> list[TaskResult]:
    """Score a trained run on its build's evaluation tasks, and write its report.

    folder: the run's folder; build: its build if that has moved, or another one with the same
    tokenizer; step: of the checkpoint, default the last; max_rows: of each task. Answers are stored
    in the run's folder; the report covers the run's own build and names another one. Raises FC602
    for another tokenizer, FC601 for a layout other than decoder.
    """
    from flancompile.evaluate.run import evaluate_build
    from flancompile.store.build import Build
    from flancompile.trainer.log import read_run

    place = Path(folder)
    run_info = read_run(place)
    opened = _to_score(place, run_info, build)
    _need_jax()
    from flancompile.trainer.restore import trained_model

    trained = trained_model(place, run_info, opened, step)
    results = evaluate_build(opened, trained, place, max_rows=max_rows, progress=progress)
    own = opened
    if opened.manifest.root_digest != run_info["root_digest"]:
        if not Path(run_info["build"]).is_dir():
            return results  # there is nothing to report on the run's own build
        own = Build.open(run_info["build"])
    _report(place, own)
    return results


def _to_score(place: Path, run_info: dict[str, Any], build: str | Path | None) -> Build:
    """Open the build with the evaluation tasks: the run's own, or another one that fits."""
    from flancompile.store.build import Build

    if build is None and not Path(run_info["build"]).is_dir():
        message = f"the run's build {run_info['build']!r} no longer exists"
        raise fail("FC504", message, hint="give its folder with --build FOLDER")
    opened = Build.open(build if build is not None else run_info["build"])
    if opened.manifest.tokenizer.digest != run_info["tokenizer"]:
        hint = "give a build with the run's tokenizer with --build"
        message = f"{str(opened.path)!r} has another tokenizer than {str(place)!r} was trained with"
        raise fail("FC602", message, hint=hint)
    if opened.manifest.layout != "decoder":
        message = f"{str(opened.path)!r} has the layout {opened.manifest.layout}"
        hint = f"{str(place)!r} has a decoder: compile the recipe with `layout: decoder`"
        raise fail("FC601", message, hint=hint)
    return opened


def _split_run_files(given: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Run files, and the other files and folders."""
    if not any(p.is_file() for p in given):
        return [], list(given)
    from flancompile.runfile import is_run_file

    run_files = [p for p in given if p.is_file() and is_run_file(p)]
    return run_files, [p for p in given if p not in run_files]


def _report(folder: Path, build: Build) -> None:
    from flancompile.report.page import write_report
    from flancompile.tokenizer.load import load_folder

    write_report(build, load_folder(build.tokenizer_folder).decode, run=folder)


def _need_jax() -> None:
    missing = [m for m in ("jax", "optax", "orbax") if importlib.util.find_spec(m) is None]
    if missing:
        hint = "pip install 'flancompile[train]'"
        raise fail("FC611", f"{', '.join(missing)} is not installed", hint=hint)


def _request(
    recipe: str | Path, library: Folders, overlay: str | None, cache: Path | None, **arguments: Any
) -> CompileRequest:
    from flancompile.compiler.request import request_of

    place = _cache(cache)
    return request_of(recipe, library=tuple(library), overlay=overlay, cache=place, **arguments)


def _cache(folder: str | Path | None) -> Cache:
    from flancompile.compiler.cache import Cache, default_cache

    return Cache(Path(folder)) if folder is not None else default_cache()

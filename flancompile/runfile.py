"""Run files: find by id or path, read, and check against a build.

They are in `runs/` of a library. The trainer knows no YAML: its diagnostics get their spans here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flancompile.dsl.library.library import EMPTY, builtin_library, library_folder
from flancompile.dsl.yaml import document as yaml
from flancompile.dsl.yaml.validate import validate
from flancompile.errors import Diagnostic, FlancompileError, Span, fail, nearest
from flancompile.store.build import Build
from flancompile.tokenizer.load import load_file, load_folder
from flancompile.trainer.checks import run_diagnostics
from flancompile.trainer.config import Run

__all__ = ["MODELS", "RunFile", "check_runs", "is_run_file", "load_run"]

MODELS = {"run": Run}  # kinds of files outside the language


@dataclass(frozen=True)
class RunFile:
    """A run and the document that it was read from."""

    run: Run
    document: yaml.Document

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the file start from."""
        return Path(self.document.path).parent

    def build(self, given: Path | str | None = None) -> Build:
        """Open `given`, or the build that the file names. Raises FC504 to FC506, FC605."""
        if given is None and self.run.build is None:
            hint = "add `build: FOLDER` to the file, or pass --build FOLDER"
            span = self.document.span(("run",))
            raise fail("FC605", "no build to train on is given", span=span, hint=hint)
        return Build.open(given if given is not None else self.folder / (self.run.build or ""))

    def check(self, build: Build) -> None:
        """Check that run and build fit. Raises FC601 to FC603, all at once with their spans."""
        found = [
            Diagnostic(c.code, c.message, self.document.span(c.key), c.hint)
            for c in run_diagnostics(self.run, build.manifest, other_tokenizer=self._differs(build))
        ]
        if found:
            raise FlancompileError(found)

    def _differs(self, build: Build) -> bool:
        """Whether the run names another tokenizer than the build's. Raises FC412."""
        if self.run.tokenizer is None:
            return False
        path = self.folder / self.run.tokenizer
        folders = (f for f in (path, path / "tokenizer") if (f / "about.json").is_file())
        span = self.document.span(("tokenizer",))
        folder = next(folders, None)
        named = load_folder(folder) if folder else load_file(path, span=span)
        own = load_folder(build.tokenizer_folder)
        return (named.kind, named.data) != (own.kind, own.data)


def load_run(name: str | Path, library: Iterable[Path | str] = ()) -> RunFile:
    """Load a run by the path of its file, or by its id in the libraries. Raises FC402, FC1xx."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            near = nearest(path.name, (p.name for p in _run_files([path.parent])))
            raise fail("FC402", f"there is no run file {str(name)!r}", hint=near)
        return _read(path)
    files = {p.stem: p for p in _run_files(_folders(library))}
    if str(name) not in files:
        hint = nearest(str(name), files) or f"known: {', '.join(sorted(files)) or 'none'}"
        raise fail("FC402", f"there is no run {str(name)!r}", hint=hint)
    return _read(files[str(name)])


def is_run_file(path: Path) -> bool:
    """Whether a file is a run file, by its key `run`."""
    try:
        data = yaml.read(path).data
    except FlancompileError:
        return False
    return isinstance(data, dict) and "run" in data


def check_runs(paths: Sequence[Path]) -> list[Diagnostic]:
    """Diagnostics of the run files in libraries, and of single run files."""
    found: list[Diagnostic] = []
    folders = _run_files([p / "runs" for p in paths if p.is_dir()])
    for path in [*folders, *(p for p in paths if p.is_file())]:
        try:
            _read(path)
        except FlancompileError as error:
            found += error.diagnostics
    return found


def _read(path: Path) -> RunFile:
    document = yaml.read(path)
    if document.data is None:
        raise fail("FC108", "the file is empty", span=Span(str(path), 1, 1, 1, 1), hint=EMPTY)
    return RunFile(validate(Run, document), document)


def _folders(library: Iterable[Path | str]) -> list[Path]:
    return [library_folder(f) / "runs" for f in (*library,)] or [builtin_library() / "runs"]


def _run_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))

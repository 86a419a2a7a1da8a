"""Compile requests: a recipe, its library, the resources for a compile and its progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from flancompile.compiler.cache import Cache, default_cache, memo_of
from flancompile.dsl.checks.dataset import check_dataset
from flancompile.dsl.library.library import Library, Loaded, TaskDef, builtin_library, load_library
from flancompile.dsl.models.mixture import Lengths, Recipe, Size, TokenizerSpec
from flancompile.dsl.models.source import Overlay
from flancompile.dsl.yaml.document import Document, parse
from flancompile.dsl.yaml.dump import Dumper
from flancompile.dsl.yaml.validate import validate
from flancompile.errors import Diagnostic, FlancompileError, fail
from flancompile.process import worker_pool

__all__ = [
    "CompileRequest",
    "Progress",
    "bare_request",
    "ladder_request",
    "library_of",
    "request_of",
]

Progress = Callable[[str, int, int | None], None]
MEMORY_BYTES = 256 << 20


@dataclass
class CompileRequest:
    """A recipe with its library, and the resources to compile it.

    workers: processes that build objects; memory_bytes: rows that a read holds before it spills;
    pins: commits of Hub repositories when they were read, by source and split.
    """

    recipe: Loaded[Recipe]
    library: Library
    overlay: Loaded[Overlay] | None
    tasks: dict[str, TaskDef]
    cache: Cache = field(default_factory=default_cache)
    workers: int = 1
    memory_bytes: int = MEMORY_BYTES
    relearn: bool = False
    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    pins: dict[str, dict[str, str | None]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int, int | None], None]]:
        """Time a pass of the compile, and report its progress under its name."""
        started = time.perf_counter()

        def report(done: int, total: int | None = None) -> None:
            if self.progress is not None:
                self.progress(name, done, total)

        report(0)
        yield report
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    @contextmanager
    def executor(self) -> Iterator[Executor | None]:
        """A pool of worker processes; None for one worker, which is this process."""
        if self.workers <= 1:
            yield None
            return
        with worker_pool(self.workers) as pool:
            yield pool

    def check(self, used: set[str]) -> list[Diagnostic]:
        """Static checks of the dataset files of the tasks `used`; raises on errors."""
        ids = {self.tasks[i].dataset.id for i in used}
        found = [
            d
            for i in sorted(ids)
            for d in check_dataset(self.library.datasets[i], self.library.memo)
        ]
        self.library.memo.save()
        errors = [d for d in found if d.severity == "error"]
        if errors:
            raise FlancompileError(errors)
        return found


def library_of(recipe: str | Path, folders: tuple[Path | str, ...]) -> tuple[Library, str]:
    """The library of a recipe, and the recipe's id.

    recipe: an id, or the path of a recipe file; a file under recipes/ brings its own folder. Raises
    the diagnostics of `load_library`.
    """
    given, loose, path = [Path(f) for f in folders], [], Path(recipe)
    id_ = str(recipe)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            hint = "give a recipe's id, or the path of an existing file"
            raise fail("FC402", f"there is no recipe file {str(path)!r}", hint=hint)
        home = path.resolve().parent
        if home.name == "recipes":
            known = {g.resolve() for g in given}
            given += [path.parent.parent] if home.parent not in known else []
        else:
            loose = [path]
            given = given or [builtin_library()]
    library, found = load_library(given, loose=loose, memo=memo_of(given))
    if found:
        raise FlancompileError(found)
    if path.suffix in (".yaml", ".yml"):
        same = [r.id for r in library.recipes.values() if Path(r.document.path).samefile(path)]
        id_ = same[0]
    return library, id_


def request_of(
    recipe: str | Path,
    *,
    library: tuple[Path | str, ...] = (),
    overlay: str | None = None,
    settings: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> CompileRequest:
    """Load a recipe with its library and overlay. Raises FC1xx for files, FC402 for ids.

    settings: keys that replace the recipe's own, checked as they would be in its file; errors
    (FC105, FC201) are placed in the recipe as it is with these keys.
    """
    loaded, id_ = library_of(recipe, library)
    found = loaded.recipe(id_)
    if settings:
        found = replace(found, model=_with_settings(found, settings))
    name = overlay or found.model.overlay
    chosen = None
    if name is not None:
        chosen = loaded.overlay(name, None if overlay else found.document.span(("overlay",)))
    return CompileRequest(found, loaded, chosen, loaded.tasks(chosen), **arguments)


def _with_settings(recipe: Loaded[Recipe], settings: Mapping[str, Any]) -> Recipe:
    """The recipe with some keys replaced. Raises FC105, FC201."""
    merged = json.dumps({**recipe.document.data, **settings}, default=_plain)
    text = yaml.dump(json.loads(merged), Dumper=Dumper, allow_unicode=True, sort_keys=False)
    return validate(Recipe, parse(text, f"{recipe.document.path} with settings"))


def _plain(value: object) -> object:
    """A model's set keys, a path's text, a set's items: values of a YAML file."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True, by_alias=True)
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def ladder_request(
    mixture: str,
    library: tuple[Path | str, ...],
    overlay: str | None,
    tokenizer: Path | None,
    cache: Cache,
    progress: Progress | None,
) -> CompileRequest:
    """A request for one epoch of a mixture, without the tasks whose data is not on this machine.

    Raises FC1xx, FC402.
    """
    request = bare_request(library, overlay)
    file = TokenizerSpec(file=str(tokenizer.resolve())) if tokenizer else TokenizerSpec(bytes=True)
    recipe = Recipe(
        recipe=mixture,
        mixture=mixture,
        size=Size(passes=1),
        tokenizer=file,
        layout="encoder_decoder",
        lengths=Lengths(input=1 << 14, target=1 << 14),
        missing="leave_out",
    )
    loaded = replace(request.recipe, id=mixture, model=recipe)
    return replace(request, recipe=loaded, cache=cache, progress=progress)


def bare_request(
    library: tuple[Path | str, ...],
    overlay: str | None,
    seed: int = 0,
    loose: Sequence[Path] = (),
) -> CompileRequest:
    """A request without a recipe, to look at tasks. Raises FC1xx, FC402."""
    loaded, found = load_library(library, loose=loose, memo=memo_of(library))
    if found:
        raise FlancompileError(found)
    chosen = loaded.overlay(overlay) if overlay is not None else None
    recipe = Recipe(
        recipe="none",
        mixture="none",
        size=Size(examples=1),
        tokenizer=TokenizerSpec(bytes=True),
        layout="decoder",
        lengths=Lengths(pack=8),
        seed=seed,
    )
    document = Document("", None)
    return CompileRequest(Loaded("none", recipe, document), loaded, chosen, loaded.tasks(chosen))

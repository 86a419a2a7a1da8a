"""The check pass over whole libraries: files, tasks, styles, mixtures, recipes; no row is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from flancompile.compiler.cache import memo_of
from flancompile.compiler.check.hold_outs import idle_hold_outs
from flancompile.compiler.check.places import check_places
from flancompile.compiler.check.recipe import check_overlay, check_recipe
from flancompile.compiler.check.row_types import mark_stale
from flancompile.compiler.plan.feasibility import unmet_rates
from flancompile.compiler.plan.plan import resolve
from flancompile.dsl.checks.allowed import mark_allowed
from flancompile.dsl.checks.dataset import check_library
from flancompile.dsl.library.folders import unseen
from flancompile.dsl.library.library import Library, builtin_library, library_folder, load_library
from flancompile.dsl.library.select import FLAGS, KEYS
from flancompile.errors import Diagnostic, FlancompileError

__all__ = ["check_libraries"]


def check_libraries(
    paths: Sequence[Path], *, builtin: bool = False, typed: bool = True
) -> list[Diagnostic]:
    """All diagnostics of library folders and single files, in the order of files and lines.

    builtin: whether to check the built-in library too; typed: whether to use schemas.lock. Warnings
    that a dataset file allows are marked. Raises FC107 for a path that does not exist; a folder
    without a library gives a diagnostic.
    """
    loose = [p for p in paths if p.is_file()]
    folders = [library_folder(p) for p in paths if not p.is_file()]
    folders += [builtin_library()] if builtin else []
    library, found = load_library(folders, loose=loose, memo=memo_of(folders), locks=typed)
    mark_stale(library)
    found += [d for folder in folders for d in unseen(folder)]
    found += check_library(library, typed=typed)
    library.memo.save()
    found += _placed(library)
    found += _mixtures(library)
    unique = dict.fromkeys(found)
    return sorted(
        unique, key=lambda d: (d.span.path, d.span.line, d.span.column) if d.span else ("", 0, 0)
    )


def _placed(library: Library) -> list[Diagnostic]:
    """Diagnostics of splits and files; those that their dataset file allows are marked."""
    try:
        found = list(check_places(library))
    except FlancompileError as error:  # of a `for_each` that gives no tasks
        return list(error.diagnostics)
    paths = {d.document.path: d for d in library.datasets.values()}
    by_path: dict[str, list[Diagnostic]] = {}
    for one in found:
        by_path.setdefault(one.span.path if one.span else "", []).append(one)
    return [d for path, some in by_path.items() for d in mark_allowed(paths[path], some)]


def _mixtures(library: Library) -> Iterator[Diagnostic]:
    """Diagnostics of mixtures that do not resolve, and of missing names in recipes and overlays."""
    every = library.tasks()
    for recipe in library.recipes.values():
        yield from (d for d in check_recipe(library, recipe) if not _may_wait(d, library))
    used = {r.model.mixture for r in library.recipes.values()}
    for id_ in sorted(set(library.mixtures) - used):
        span = library.mixtures[id_].document.span(("mixture",))
        try:
            node, _ = resolve(library, every, id_, span)
            yield from unmet_rates(library, id_, node)
        except FlancompileError as error:
            yield from (d for d in error.diagnostics if not _may_wait(d, library))
    yield from (d for d in idle_hold_outs(library, every) if not _may_wait(d, library))
    for overlay in library.overlays.values():
        yield from check_overlay(library, overlay)


_OF_NAMES = ("FC402", "FC406", "FC411")  # the missing name may be in a file that did not load
_OF_SHARES = ("FC403", "FC407", "FC419", "FC420")
_QUOTED = re.compile(r"'([^']*)'")


def _may_wait(diagnostic: Diagnostic, library: Library) -> bool:
    """Whether a diagnostic may follow from another one, or from files that are not on this machine.

    These are files with errors, which are reported themselves, and files of a `for_each`.
    """
    if _without_files(library) and diagnostic.code in ("FC406", "FC407"):
        return True
    if diagnostic.code in _OF_SHARES:
        return bool(library.faulty)
    if diagnostic.code not in _OF_NAMES:
        return False
    named = {w for text in _QUOTED.findall(diagnostic.message) for w in _words(text)}
    own = diagnostic.span.path if diagnostic.span else None
    if not named and diagnostic.code == "FC406":  # `all`, `cot`: any file may hold such tasks
        return any(path != own for path in library.faulty)
    faulty = {path: text for path, text in library.faulty.items() if path != own}
    of_files = (_words(f"{Path(path).stem} {text}") for path, text in faulty.items())
    return any(not named.isdisjoint(words) for words in of_files)


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"[\w.-]+", text) if w not in (*KEYS, *FLAGS, "and", "or", "not")}


def _without_files(library: Library) -> bool:
    """Whether a dataset has no task only because no file of its `for_each` is on this machine."""
    globs = {i: d.model.for_each.files for i, d in library.datasets.items() if d.model.for_each}
    if not any(globs.values()):
        return False
    known = {task.dataset.id for task in library.tasks().values()}
    return any(pattern and id_ not in known for id_, pattern in globs.items())

"""The check pass over whole libraries: files, tasks, styles, mixtures, recipes; no row is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from flancompile.compiler.asked import unmet_rates
from flancompile.compiler.cache import memo_of
from flancompile.compiler.check_recipe import check_overlay, check_recipe
from flancompile.compiler.plan import resolve
from flancompile.dsl.check import check_library
from flancompile.dsl.library import Library, builtin_library, library_folder, load_library, unseen
from flancompile.errors import Diagnostic, FlancompileError

__all__ = ["check_libraries"]


def check_libraries(
    paths: Sequence[Path], *, builtin: bool = False, typed: bool = True
) -> list[Diagnostic]:
    """Every complaint about folders and single files, in the order of files and lines; warnings
    that a dataset file allows are marked.

    builtin: whether the built-in library is one of them; typed: whether schemas.lock is used.
    Raises FC107 for a path that is not there; a folder without a library is a complaint.
    """
    loose = [p for p in paths if p.is_file()]
    folders = [library_folder(p) for p in paths if not p.is_file()]
    folders += [builtin_library()] if builtin else []
    library, found = load_library(folders, loose=loose, memo=memo_of(folders), locks=typed)
    found += [d for folder in folders for d in unseen(folder)]
    found += check_library(library, typed=typed)
    library.memo.save()
    found += _mixtures(library)
    unique = dict.fromkeys(found)
    return sorted(
        unique, key=lambda d: (d.span.path, d.span.line, d.span.column) if d.span else ("", 0, 0)
    )


def _mixtures(library: Library) -> Iterator[Diagnostic]:
    """Mixtures that do not resolve, and recipes and overlays that name what is not there."""
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
    for overlay in library.overlays.values():
        yield from check_overlay(library, overlay)


def _may_wait(diagnostic: Diagnostic, library: Library) -> bool:
    """What may be so only as files of a `for_each` are not on this machine, or as faulty parts of
    mixtures were left out.
    """
    by_files = any(d.model.for_each and d.model.for_each.files for d in library.datasets.values())
    partial = any(m.document.partial for m in library.mixtures.values())
    return (by_files and diagnostic.code in ("FC406", "FC407")) or (
        partial and diagnostic.code in ("FC403", "FC407", "FC420")
    )

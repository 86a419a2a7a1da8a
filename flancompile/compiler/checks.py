"""The check pass over whole libraries: files, tasks, styles, mixtures, recipes; no row is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from flancompile.compiler.cache import memo_of
from flancompile.compiler.chat import TOKENIZERS_OWN, check_chat
from flancompile.compiler.plan import resolve
from flancompile.compiler.quota import check_size
from flancompile.dsl.check import check_library
from flancompile.dsl.check_style import near
from flancompile.dsl.library import Library, Loaded, builtin_library, library_folder, load_library
from flancompile.dsl.mixture import Recipe
from flancompile.dsl.select import nearest_term, parse_selector
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.tokenizer.chat import ChatTemplate

__all__ = ["check_libraries"]


def check_libraries(
    paths: Sequence[Path], *, builtin: bool = False, typed: bool = True
) -> list[Diagnostic]:
    """Every complaint about folders and single files, in the order of files and lines.

    builtin: whether the built-in library is one of them; typed: whether schemas.lock is used.
    Raises FC107 for a path that is not there.
    """
    loose = [p for p in paths if p.is_file()]
    folders = [library_folder(p) for p in paths if not p.is_file()]
    folders += [builtin_library()] if builtin else []
    library, found = load_library(folders, loose=loose, memo=memo_of(folders), locks=typed)
    found += check_library(library, typed=typed)
    library.memo.save()
    found += _mixtures(library)
    unique = dict.fromkeys(found)
    return sorted(
        unique, key=lambda d: (d.span.path, d.span.line, d.span.column) if d.span else ("", 0, 0)
    )


def _mixtures(library: Library) -> Iterator[Diagnostic]:
    """Mixtures that do not resolve, and recipes that name what is not there."""
    for recipe in library.recipes.values():
        yield from _recipe(library, recipe)
    used = {r.model.mixture for r in library.recipes.values()}
    for id_ in sorted(set(library.mixtures) - used):
        try:
            resolve(library, library.tasks(), id_)
        except FlancompileError as error:
            yield from (d for d in error.diagnostics if not _may_wait(d, library))


def _recipe(library: Library, recipe: Loaded[Recipe]) -> Iterator[Diagnostic]:
    document = recipe.document
    try:
        name = recipe.model.overlay
        overlay = library.overlay(name, document.span(("overlay",))) if name else None
        tasks = library.tasks(overlay)
        node, _ = resolve(library, tasks, recipe.model.mixture, document.span(("mixture",)))
        check_size(recipe, node)
        check_chat(recipe, [p.task.task for p in node.all_tasks()], ChatTemplate(""))
        for index, choice in enumerate(recipe.model.evaluate):
            span = document.span(("evaluate", index, "select"))
            selector = parse_selector(choice.select, span)
            if not selector.pick(tasks.values()):
                hint = nearest_term(selector, tasks.values())
                yield Diagnostic("FC406", f"{choice.select!r} selects no task", span, hint)
    except FlancompileError as error:
        yield from (d for d in error.diagnostics if not _may_wait(d, library))
    named = {"file": "tokenizer file", "chat_template": "chat template"}
    for key, what in named.items():
        file = getattr(recipe.model.tokenizer, key)
        if file is not None and not (recipe.folder / file).exists():
            span = document.span(("tokenizer", key))
            yield Diagnostic("FC412", f"there is no {what} {file!r}", span)
    for kind, table in library.styles.items():
        for index, pattern in enumerate(getattr(recipe.model.styles, kind)):
            own = kind == "chat" and pattern == TOKENIZERS_OWN
            if not own and not any(fnmatchcase(id_, pattern) for id_ in table):
                span = document.span(("styles", kind, index))
                message = f"no {kind} style matches {pattern!r}"
                yield Diagnostic("FC411", message, span, near(pattern, table))


def _may_wait(diagnostic: Diagnostic, library: Library) -> bool:
    """A selector may select nothing only because files of a `for_each` are not on this machine."""
    by_files = any(d.model.for_each and d.model.for_each.files for d in library.datasets.values())
    return by_files and diagnostic.code in ("FC406", "FC407")

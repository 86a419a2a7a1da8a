"""Check a recipe's tokenizer: its special tokens, styles and chat template.

A compile raises these diagnostics before it reads a row; `check` reports them if the tokenizer is
on this machine, without access to the Hub.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flancompile.compiler.cache import Cache
from flancompile.compiler.recipe_tokenizer import named_tokenizer, pin_path
from flancompile.compiler.render.chat import TOKENIZERS_OWN, check_chat
from flancompile.compiler.render.writable_styles import no_style, special_faults, unwritable
from flancompile.compiler.special_tokens import frame_ids
from flancompile.dsl.library.library import Library, Loaded, TaskDef
from flancompile.dsl.library.select import parse_selector
from flancompile.dsl.models.mixture import Recipe
from flancompile.dsl.models.style import StyleNames, draws
from flancompile.dsl.yaml.document import Document, Key
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["check_tokenizer", "tokenizer_here"]


def tokenizer_here(recipe: Loaded[Recipe], cache: Cache) -> Tokenizer | None:
    """The recipe's tokenizer, loaded without a network; None if it is not on this machine.

    Raises FC412 and FC414 as `named_tokenizer` does.
    """
    spec = recipe.model.tokenizer
    files = [recipe.folder / f for f in (spec.file, spec.chat_template) if f is not None]
    if not all(f.exists() for f in files):
        return None
    if spec.hub is not None and not _is_here(spec.hub):
        return None
    if spec.train is not None and not pin_path(recipe, cache).is_file():
        return None
    try:
        return named_tokenizer(recipe, cache, offline=True)
    except FlancompileError:
        if spec.hub is None:
            raise
        return None  # only a part of it has been downloaded


def _is_here(repository: str) -> bool:
    """Whether a Hub repository is a local folder, or has been downloaded before."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    places = (Path(repository), hub / f"models--{repository.replace('/', '--')}")
    return any(place.is_dir() for place in places)


def check_tokenizer(
    library: Library,
    recipe: Loaded[Recipe],
    tasks: Mapping[str, TaskDef],
    used: Mapping[str, TaskDef],
    tokenizer: Tokenizer,
) -> Iterator[Diagnostic]:
    """FC410, FC417, FC418, FC421 and FC422 at their locations.

    tasks: all, of which `evaluate` selects; used: those of the mixture. A style that is named in
    full and cannot be written is a warning.
    """
    checks = (
        lambda: frame_ids(recipe, tokenizer),
        lambda: check_chat(recipe, [t.task for t in used.values()], tokenizer.chat),
    )
    for check in checks:
        try:
            check()
        except FlancompileError as error:
            yield from error.diagnostics
    uses = [*_uses(recipe, tasks, used)]
    yield from _styles(library, recipe, uses, tokenizer)
    for task in {(t.dataset.id, t.category): t for t, _, _ in uses}.values():
        yield from special_faults(task, tokenizer)


_Use = tuple[TaskDef, StyleNames | None, Key]


def _uses(
    recipe: Loaded[Recipe], tasks: Mapping[str, TaskDef], used: Mapping[str, TaskDef]
) -> Iterator[_Use]:
    """(task, styles, key of the styles) of each task of the mixture and each `evaluate` entry."""
    yield from ((task, None, ()) for task in used.values())
    for index, choice in enumerate(recipe.model.evaluate):
        try:
            ids = parse_selector(choice.select).pick(tasks.values())
        except FlancompileError:
            continue
        yield from ((tasks[i], choice.styles, ("evaluate", index, "styles")) for i in ids)


@dataclass(frozen=True)
class _Choice:
    """A list of styles that a recipe, one of its entries or a task selects."""

    document: Document
    key: Key
    kind: str
    patterns: Sequence[str]


def _styles(
    library: Library, recipe: Loaded[Recipe], uses: Sequence[_Use], tokenizer: Tokenizer
) -> Iterator[Diagnostic]:
    choices: dict[tuple[str, Key], _Choice] = {}
    for use in uses:
        for choice in _choices(recipe, use):
            choices.setdefault((choice.document.path, choice.key), choice)
    for choice in choices.values():
        table: Mapping[str, Any] = library.styles[choice.kind]
        drawn = {i: s for i, s in table.items() if any(draws(p, i, s) for p in choice.patterns)}
        bad = unwritable(drawn, tokenizer)
        if bad and not drawn.keys() - bad.keys():
            span = choice.document.span(choice.key)
            yield from no_style(choice.kind, bad, span).diagnostics
            continue
        for index, name in enumerate(choice.patterns):
            if name in bad:
                message = f"the {choice.kind} style {name!r} is never drawn: {bad[name]}"
                span = choice.document.span((*choice.key, index))
                hint = "remove it from the list, or choose another tokenizer"
                yield Diagnostic("FC421", message, span, hint, "warning")


def _choices(recipe: Loaded[Recipe], use: _Use) -> Iterator[_Choice]:
    """The lists of styles that a task draws from: its entry's, else its own, else the recipe's."""
    task, styles, place = use
    chosen = recipe.model.styles
    own = (task.dataset.document, ("tasks", task.category, "styles"), task.task.styles)
    entry = (recipe.document, place, styles)
    for kind in ("options", "shots"):
        if kind == "options" and not _has_choices(task):
            continue
        for document, key, names in (entry, own):
            named = None if names is None else getattr(names, kind)
            if named is not None:
                yield _Choice(document, (*key, kind), kind, named)
                break
        else:
            yield _Choice(recipe.document, ("styles", kind), kind, getattr(chosen, kind))
    if chosen.wrap or any(t.turns is not None for t in task.task.templates):
        patterns = [p for p in chosen.chat if p != TOKENIZERS_OWN]
        yield _Choice(recipe.document, ("styles", "chat"), "chat", patterns)


def _has_choices(task: TaskDef) -> bool:
    every = (task.task.choices, *(t.choices for t in task.task.templates))
    return any(choices is not None for choices in every)

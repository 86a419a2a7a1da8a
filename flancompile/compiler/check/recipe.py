"""Static checks of recipes and overlays: that every name in them exists."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from functools import partial

from flancompile.compiler.cache import default_cache
from flancompile.compiler.check.hold_outs import idle_clusters
from flancompile.compiler.check.places import USUAL_SPLITS, named_splits
from flancompile.compiler.plan.feasibility import (
    check_size,
    missing_arm,
    short_size,
    unmet_rates,
)
from flancompile.compiler.plan.plan import clusters_of, resolve
from flancompile.compiler.render.chat import TOKENIZERS_OWN, check_chat
from flancompile.dsl.checks.style import name_hint, unknown_styles
from flancompile.dsl.library.library import Library, Loaded, TaskDef, builtin_library
from flancompile.dsl.library.select import meant_term, nearest_term, parse_selector
from flancompile.dsl.models.mixture import EvalChoice, Recipe
from flancompile.dsl.models.source import Overlay, PlaceOptions
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, FlancompileError, nearest
from flancompile.tokenizer.chat import ChatTemplate

__all__ = ["check_overlay", "check_recipe", "splits_of_task"]

_ANY = ChatTemplate("")  # only the tokenizer knows its own


def check_recipe(library: Library, recipe: Loaded[Recipe]) -> Iterator[Diagnostic]:
    """Diagnostics of a recipe: its overlay, mixture, evaluation, tokenizer and styles."""
    document = recipe.document
    overlay = None
    if (name := recipe.model.overlay) is not None:
        try:
            overlay = library.overlay(name, document.span(("overlay",)))
        except FlancompileError as error:
            yield from error.diagnostics
    tasks = library.tasks(overlay)
    used = yield from _mixture(library, recipe, tasks, overlay)
    for index, choice in enumerate(recipe.model.evaluate):
        yield from _evaluation(recipe, tasks, overlay, ("evaluate", index), choice)
    for key, kind in {"file": "tokenizer file", "chat_template": "chat template"}.items():
        file = getattr(recipe.model.tokenizer, key)
        if file is not None and not (recipe.folder / file).exists():
            span = document.span(("tokenizer", key))
            yield Diagnostic("FC412", f"there is no {kind} {file!r}", span, _beside(recipe, file))
    own = ("chat", TOKENIZERS_OWN)
    yield from unknown_styles(library, document, ("styles",), recipe.model.styles, own)
    for index, choice in enumerate(recipe.model.evaluate):
        yield from unknown_styles(library, document, ("evaluate", index, "styles"), choice.styles)
    yield from _tokenizer(library, recipe, tasks, used)


def _tokenizer(
    library: Library,
    recipe: Loaded[Recipe],
    tasks: Mapping[str, TaskDef],
    used: Mapping[str, TaskDef] | None,
) -> Iterator[Diagnostic]:
    """Diagnostics of the tokenizer, if it is on this machine.

    used: the tasks of the mixture; None if the mixture does not resolve.
    """
    from flancompile.compiler.check.tokenizer import check_tokenizer, tokenizer_here

    try:
        tokenizer = tokenizer_here(recipe, default_cache())
    except FlancompileError as error:
        yield from error.diagnostics
        return
    if tokenizer is not None and used is not None:
        yield from check_tokenizer(library, recipe, tasks, used, tokenizer)


def _beside(recipe: Loaded[Recipe], file: str) -> str:
    """The nearest name to a missing file, or the folder that was searched."""
    place = recipe.folder / file
    here = [p.name for p in place.parent.iterdir()] if place.parent.is_dir() else []
    return nearest(place.name, here) or f"looked in {place.parent}, from the recipe's own folder"


def _mixture(
    library: Library,
    recipe: Loaded[Recipe],
    tasks: Mapping[str, TaskDef],
    overlay: Loaded[Overlay] | None,
) -> Generator[Diagnostic, None, dict[str, TaskDef] | None]:
    """Diagnostics of the mixture; returns its tasks, or None if it does not resolve."""
    id_, place = recipe.model.mixture, recipe.document.span(("mixture",))
    try:
        node, _ = resolve(library, tasks, id_, place, clusters_of(recipe))
    except FlancompileError as error:
        yield from error.diagnostics
        return None
    if not recipe.model.hold_out_clusters:
        yield from unmet_rates(library, id_, node)
    yield from idle_clusters(library, tasks, recipe)
    yield from short_size(recipe, node)
    used = {p.task.id: p.task for p in node.all_tasks()}
    yield from _split(recipe, used, overlay, ("split",), recipe.model.split)
    given = [t.task for t in used.values()]
    for check in (partial(check_size, recipe, node), partial(check_chat, recipe, given, _ANY)):
        try:
            check()
        except FlancompileError as error:
            yield from error.diagnostics
    return used


def _evaluation(
    recipe: Loaded[Recipe],
    tasks: Mapping[str, TaskDef],
    overlay: Loaded[Overlay] | None,
    key: Key,
    choice: EvalChoice,
) -> Iterator[Diagnostic]:
    span = recipe.document.span((*key, "select"))
    try:
        selector = parse_selector(choice.select, span)
    except FlancompileError as error:
        meant = meant_term(choice.select, tasks.values())
        yield from (replace(d, hint=meant or d.hint) for d in error.diagnostics)
        return
    ids = selector.pick(tasks.values())
    if not ids:
        hint = nearest_term(selector, tasks.values())
        yield Diagnostic("FC406", f"{choice.select!r} selects no task", span, hint)
    else:
        used = {i: tasks[i] for i in ids if (own := tasks[i].task.eval) is None or not own.split}
        yield from _split(recipe, used, overlay, (*key, "split"), choice.split)
        templates = [t for i in ids for t in tasks[i].task.templates]
        who, place = f"the evaluation of {choice.select!r}", recipe.document.span((*key, "cot"))
        if choice.cot and (found := missing_arm("cot", True, templates, who, place)):
            yield found


def _split(
    recipe: Loaded[Recipe],
    tasks: Mapping[str, TaskDef],
    overlay: Loaded[Overlay] | None,
    key: Key,
    split: str,
) -> Iterator[Diagnostic]:
    """A split that the sources of some tasks do not name."""
    if recipe.model.missing == "leave_out" or (recipe.model.overlay and overlay is None):
        return
    lacking: dict[str, list[str]] = {}
    for task in tasks.values():
        known = named_splits(_place(task, overlay))
        misspelt = split not in USUAL_SPLITS and nearest(split, known or ())
        named_by_files = known is not None and _place(task, overlay).hub is None
        if known is not None and split not in known and (named_by_files or misspelt):
            lacking[task.dataset.id] = known
    if not lacking:
        return
    id_, known = next(iter(lacking.items()))
    more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    message = f"the source {id_!r}{more} has no split {split!r}"
    hint = nearest(split, known) or f"splits here: {', '.join(known)}"
    yield Diagnostic("FC301", message, recipe.document.span(key), hint)


def _place(task: TaskDef, overlay: Loaded[Overlay] | None) -> PlaceOptions:
    source = task.dataset.model.source
    choice = overlay.model.sources.get(task.dataset.id) if overlay is not None else None
    if choice is None:
        return source
    return choice if choice.place is None else source.places.get(choice.place, choice)


def splits_of_task(task: TaskDef, overlay: Loaded[Overlay] | None) -> list[str] | None:
    """The splits that a task's source names at the overlay's place; None if it names none."""
    return named_splits(_place(task, overlay))


def check_overlay(library: Library, overlay: Loaded[Overlay]) -> Iterator[Diagnostic]:
    """Sources of an overlay without a dataset file, and places that a source does not name."""
    shipped: set[str] | None = None
    for id_, choice in overlay.model.sources.items():
        dataset = library.datasets.get(id_)
        if dataset is None:
            if shipped is None:
                files = (builtin_library() / "datasets").rglob("*.yaml")
                shipped = {p.stem for p in files}
            if id_ not in shipped:
                span = overlay.document.span(("sources", id_), of_key=True)
                hint = name_hint(id_, library.datasets)
                yield Diagnostic("FC402", f"there is no dataset {id_!r}", span, hint)
        elif choice.place is not None and choice.place not in dataset.model.source.places:
            span = overlay.document.span(("sources", id_, "place"))
            message = f"the source {id_!r} has no place {choice.place!r}"
            hint = name_hint(choice.place, dataset.model.source.places)
            yield Diagnostic("FC301", message, span, hint)

"""Evaluation sets of a recipe: one for each task that an `evaluate` entry selects, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flancompile.dsl.library.library import Loaded, TaskDef
from flancompile.dsl.library.select import parse_selector
from flancompile.dsl.models.mixture import EvalChoice, Recipe
from flancompile.errors import fail

__all__ = ["EvalSet", "evaluation_sets"]


@dataclass(frozen=True)
class EvalSet:
    """One task under one `evaluate` entry. name: unique in a build; entry: the part after `@`."""

    name: str
    entry: str | None
    task: TaskDef
    choice: EvalChoice
    split: str


def evaluation_sets(recipe: Loaded[Recipe], tasks: Mapping[str, TaskDef]) -> list[EvalSet]:
    """The evaluation sets of a recipe, sorted by name.

    A task that several entries select has a set for each, and then every set of the recipe is named
    after its entry; entries with equal settings give one set. Raises FC406 for an entry that
    selects nothing, FC426 for two sets of the same name.
    """
    entries: dict[str, list[tuple[int, EvalChoice]]] = defaultdict(list)
    for index, choice in enumerate(recipe.model.evaluate):
        span = recipe.document.span(("evaluate", index, "select"))
        ids = parse_selector(choice.select, span).pick(tasks.values())
        if not ids:
            raise fail("FC406", f"evaluate: {choice.select!r} selects no task", span=span)
        for id_ in ids:
            if all(not _same(choice, other) for _, other in entries[id_]):
                entries[id_].append((index, choice))
    found: dict[str, EvalSet] = {}
    are_named = any(len(given) > 1 for given in entries.values())
    for id_, given in entries.items():
        for index, choice in given:
            arm = _arm_name(choice, recipe.model.evaluate) if are_named else None
            set_ = _set(tasks[id_], choice, choice.name or arm)
            if set_.name in found:
                span = recipe.document.span(("evaluate", index))
                message = f"two `evaluate` entries give the set {set_.name!r}"
                hint = "give one of them another `name`"
                raise fail("FC426", message, span=span, hint=hint)
            found[set_.name] = set_
    return [found[name] for name in sorted(found)]


def _same(one: EvalChoice, other: EvalChoice) -> bool:
    return one.model_dump(exclude={"select"}) == other.model_dump(exclude={"select"})


def _set(task: TaskDef, choice: EvalChoice, entry: str | None) -> EvalSet:
    settings = task.task.eval
    split = settings.split if settings is not None and settings.split else choice.split
    return EvalSet(task.id if entry is None else f"{task.id}@{entry}", entry, task, choice, split)


def _arm_name(choice: EvalChoice, all_: Sequence[EvalChoice]) -> str:
    """A name by the arm, and by the split and the number of rows if entries differ in them."""
    parts = [f"{choice.shots}shot"]
    parts += ["cot"] if choice.cot else []
    parts += [] if choice.options else ["no_options"]
    if len({c.split for c in all_}) > 1:
        parts.append(choice.split)
    if len({c.max_rows for c in all_}) > 1:
        parts.append("all" if choice.max_rows is None else f"{choice.max_rows}rows")
    return "_".join(parts)

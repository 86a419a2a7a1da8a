"""Which targets can be ranked: those made of the right option, whose place another can take."""

from __future__ import annotations

from collections.abc import Iterator

from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.models.task import Choices, Task, Template
from flancompile.errors import TextError

__all__ = ["can_be_ranked", "gold_names", "ranking_diagnostics"]


def gold_names(choices: Choices) -> frozenset[str]:
    """The names by which a target tells the right option: `gold`, and the field that it is.

    >>> sorted(gold_names(Choices(options=("yes", "no"), gold="label")))
    ['gold', 'label']
    >>> sorted(gold_names(Choices(options=("yes", "no"), gold="label | int", by="index")))
    ['gold']
    """
    by_text = choices.gold_by == "text" and choices.gold.isidentifier()
    return frozenset({"gold", choices.gold} if by_text else {"gold"})


def can_be_ranked(task: Task, template: Template) -> bool:
    """Whether the target can be rendered for each option: the task has some, and it is of them."""
    choices = template.choices or task.choices
    if choices is None or template.turns is not None:
        return False
    return bool(gold_names(choices) & compile_template(template.target).names)


def ranking_diagnostics(task: Task) -> Iterator[tuple[str, str]]:
    """(message, hint) where accuracy, which ranks options, has no template to do it with."""
    settings = task.eval
    if settings is None or settings.metric != "accuracy":
        return
    used = [t for t in task.templates if not settings.templates or t.name in settings.templates]
    try:
        fine = not used or any(can_be_ranked(task, t) for t in used)
    except TextError:  # of a template, which is told at its place
        return
    if not fine:
        message = "accuracy ranks the options, and no template's target is made of them"
        hint = 'give the task `choices:` and a template `target: "{{ gold }}"`; or take exact_match'
        yield message, hint

"""Ranking of options: templates whose target can be rendered for each option."""

from __future__ import annotations

from collections.abc import Iterator

from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.models.task import Choices, Task, Template
from flancompile.errors import TextError

__all__ = ["can_be_ranked", "gold_names", "ranking_diagnostics"]


def gold_names(choices: Choices) -> frozenset[str]:
    """Names of the right option in a target: `gold`, and the field that holds its text.

    >>> sorted(gold_names(Choices(options=("yes", "no"), gold="label")))
    ['gold', 'label']
    >>> sorted(gold_names(Choices(options=("yes", "no"), gold="label | int", by="index")))
    ['gold']
    """
    by_text = choices.gold_by == "text" and choices.gold.isidentifier()
    return frozenset({"gold", choices.gold} if by_text else {"gold"})


def can_be_ranked(task: Task, template: Template) -> bool:
    """Whether a template's target can be rendered with each option of the task."""
    choices = template.choices or task.choices
    if choices is None or template.turns is not None:
        return False
    return bool(gold_names(choices) & compile_template(template.target).names)


def ranking_diagnostics(task: Task) -> Iterator[tuple[str, str]]:
    """Yield (message, hint) if the metric is accuracy and no template can rank options."""
    settings = task.eval
    if settings is None or settings.metric != "accuracy":
        return
    used = [t for t in task.templates if not settings.templates or t.name in settings.templates]
    try:
        fine = not used or any(can_be_ranked(task, t) for t in used)
    except TextError:  # reported where the template is checked
        return
    if not fine:
        message = "accuracy ranks the options, but no template's target is made from them"
        hint = 'give the task `choices:` and a template `target: "{{ gold }}"`; or use exact_match'
        yield message, hint

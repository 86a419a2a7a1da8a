"""Names that the templates and expressions of a task use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.jinja.tokens import words
from flancompile.dsl.models.task import Task
from flancompile.errors import TextError

__all__ = ["names_in_order", "task_texts", "used_names"]


def task_texts(task: Task) -> Iterator[tuple[str, bool]]:
    """All texts of a task that may use an input, each with whether it is an expression."""
    yield from ((text, True) for text in task.let.values())
    if task.instruction is not None:
        yield task.instruction, False
    for choices in (task.choices, *(t.choices for t in task.templates)):
        if choices is not None:
            given = (choices.options, choices.labels, choices.gold, choices.same)
            yield from ((text, True) for text in given if isinstance(text, str))
    for template in task.templates:
        if template.turns is not None:
            yield from ((text, True) for text in template.turns.model_dump().values())
        else:
            yield from ((text, False) for text in (template.input, template.target))
        yield from ((text, True) for text in template.let.values())
        if template.when is not None:
            yield template.when, True


@lru_cache(maxsize=65_536)
def used_names(text: str, is_expression: bool) -> frozenset[str] | None:
    """Names that an expression or a template uses; None if it does not compile."""
    try:
        return compile_expression(text).names if is_expression else compile_template(text).names
    except TextError:
        return None


def names_in_order(text: str) -> list[str]:
    """Names in a template's code, in order of occurrence."""
    return [word.text for word in words(text) if word.part == "name"]

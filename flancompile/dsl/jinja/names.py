"""Names that the templates and expressions of a task use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.jinja.tokens import words
from flancompile.dsl.models.task import Task
from flancompile.errors import TextError

__all__ = ["names_in_order", "task_texts", "used_names"]


def task_texts(task: Task) -> Iterator[str]:
    """All templates and expressions of a task that may use an input."""
    yield from (e for e in task.let.values())
    if task.instruction is not None:
        yield task.instruction
    for choices in (task.choices, *(t.choices for t in task.templates)):
        if choices is not None:
            yield from (
                c for c in (choices.options, choices.labels, choices.gold) if isinstance(c, str)
            )
            yield from (choices.same,) if choices.same else ()
    for template in task.templates:
        if template.turns is not None:
            yield from template.turns.model_dump().values()
        else:
            yield from (template.input, template.target)
        yield from template.let.values()
        yield from (template.when,) if template.when else ()


@lru_cache(maxsize=65_536)
def used_names(text: str) -> frozenset[str] | None:
    """Names that a template or expression uses; None if it does not compile."""
    try:
        return compile_template(text).names if "{" in text else compile_expression(text).names
    except TextError:
        return None


def names_in_order(text: str) -> list[str]:
    """Names in a template's code, in order of occurrence."""
    return [word.text for word in words(text) if word.part == "name"]

"""Accepted answers of an evaluation row: the values of the task's `eval.answers`."""

from __future__ import annotations

from collections.abc import Mapping

from flancompile.dsl.jinja.expression import compile_expression
from flancompile.dsl.jinja.values import one_text
from flancompile.dsl.models.task import Task

__all__ = ["accepted_answers"]


def accepted_answers(task: Task, fields: Mapping[str, object]) -> list[str] | None:
    """The values of `eval.answers` over a row's fields, as texts; None if the task has none.

    Nulls are left out. Raises RowError if the expression fails or an answer is a list or a map.
    """
    if task.eval is None or task.eval.answers is None:
        return None
    found = compile_expression(task.eval.answers)(fields)
    values = found if isinstance(found, list | tuple) else [found]
    texts = [one_text(value, "an accepted answer") for value in values]
    return [text for text in texts if text is not None]

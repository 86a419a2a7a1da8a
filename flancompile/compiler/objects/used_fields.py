"""Fields of the dataset that a task reads, and those that it needs of an evaluation's queries."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from flancompile.dsl.jinja.conclusion import rationale_fields
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.models.task import Choices, Task, Template

__all__ = ["query_fields", "used_fields"]


def used_fields(task: Task, known: Iterable[str]) -> frozenset[str]:
    """The fields that a task reads anywhere: signature, texts, expressions, choices, exemplars."""
    exemplar_texts = (task.exemplars.explanation, *task.exemplars.fields.values())
    names = {*task.signature.outputs, *_target_names(task.templates)}
    names = names.union(*(_cached_names(t, True) for t in exemplar_texts if t is not None))
    return (_query_names(task) | names) & frozenset(known)


def query_fields(task: Task, known: Iterable[str]) -> frozenset[str]:
    """The fields that a query of an evaluation must have.

    These are all that the task reads, without those that only exemplars read and those of targets
    before the answer, such as a rationale.
    """
    if task.eval is not None and task.eval.answers is not None:
        # An evaluation replaces targets with a rationale by the accepted answers.
        scored = _target_names(t for t in task.templates if not t.cot)
    else:
        scored = _target_names(task.templates) - rationale_fields(task)
    return (_query_names(task) | scored) & frozenset(known)


@lru_cache(maxsize=4096)
def _cached_names(text: str, expression: bool) -> frozenset[str]:
    return compile_expression(text).names if expression else compile_template(text).names


def _query_names(task: Task) -> frozenset[str]:
    """Names read to select a row and to write its input, its options and its accepted answers."""
    names = {*task.signature.inputs, *task.truncate}
    exemplars = task.exemplars
    expressions = [task.where, exemplars.rows, *task.let.values()]
    names |= {n for n in (exemplars.same, exemplars.unlike) if n}
    for choices in (task.choices, *(t.choices for t in task.templates)):
        if choices is not None:
            expressions += _choice_texts(choices)
            names |= {choices.same} if choices.same else set()
    if task.eval is not None:
        expressions.append(task.eval.answers)
    for template in task.templates:
        expressions += [template.when, *template.let.values()]
        names |= _cached_names(template.input, False)
        if (turns := template.turns) is not None:
            expressions += [turns.each, turns.role, turns.text, turns.loss]
    if task.instruction is not None:
        names |= _cached_names(task.instruction, False)
    for text in expressions:
        names |= _cached_names(text, True) if text is not None else set()
    return frozenset(names)


def _target_names(templates: Iterable[Template]) -> frozenset[str]:
    return frozenset().union(*(_cached_names(t.target, False) for t in templates))


def _choice_texts(choices: Choices) -> list[str | None]:
    given = (choices.gold, choices.options, choices.labels)
    return [t for t in given if isinstance(t, str)]

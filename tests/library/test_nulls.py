"""The library's files on rows of nulls: no null, NaN or index of data becomes a text."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.dsl.library.library import TaskDef, builtin_library, load_library
from flancompile.dsl.models.source import ReadOptions
from flancompile.dsl.models.task import Template
from flancompile.sources.fields import RowEvaluator, SplitSpec
from flancompile.sources.place import Resolved

LIBRARY, _ = load_library([builtin_library()])
TASKS = sorted(LIBRARY.tasks().values(), key=lambda t: t.id)
NULL = re.compile(r"\bNone\b|\bnan\b|\binf\b|Undefined|generator|object at")
ODD = [
    None,
    math.nan,
    math.inf,
    [],
    {},
    [None],
    {"text": [None], "label": [None], "k": None},
    -1,
    "",
]


def columns(task: TaskDef) -> set[str]:
    file = task.dataset.model
    texts = [*file.let.values(), *file.fields.values()]
    names = {n for t in texts for n in compile_expression(t).names} - set(file.let)
    return names - {"row", file.for_each.variable if file.for_each else "row"}


def spec(task: TaskDef) -> SplitSpec:
    file = task.dataset.model
    place = Resolved("train", None, None, None, (), None, ReadOptions(), (), {}, (), {}, None)
    each = (task.variable,) if task.variable else (None,)
    return SplitSpec(task.source_id, place, file.fields, file.where, 0, each[0], let=file.let)


def rows(task: TaskDef) -> Iterator[dict[str, Any]]:
    """Rows of one odd value, and rows with it in one column of texts."""
    names = sorted(columns(task))
    for value in ODD:
        yield dict.fromkeys(names, value)
        for name in names:
            yield {**dict.fromkeys(names, "a b"), name: value}


def texts(task: TaskDef, template: Template, context: dict[str, Any]) -> Iterator[str]:
    """The texts of a template that a row gives, with the names of `let`."""
    scope = {**context, "options": "", "gold": "", "pick": lambda items: next(iter(items))}
    for text in (template.input, template.target):
        try:
            for name, let in {**task.task.let, **template.let}.items():
                scope[name] = compile_expression(let)(scope)
            yield compile_template(text).render(scope)
        except RowError:
            continue


DATASETS = {t.dataset.id: t for t in TASKS}


@pytest.mark.parametrize("id_", sorted(DATASETS))
def test_no_null_of_a_row_is_shown(id_: str) -> None:
    tried = 0
    first = DATASETS[id_]
    evaluate = RowEvaluator(spec(first))
    names = list(first.dataset.model.fields)
    for number, row in enumerate(rows(first)):
        found = evaluate.row(number, row)
        tried += 1
        if found.values is None:
            assert found.reason
            continue
        context = {**dict(zip(names, found.values, strict=True)), **evaluate.variable}
        for task in (t for t in TASKS if t.source_id == first.source_id):
            for template in task.task.templates:
                for shown in texts(task, template, context):
                    assert not NULL.search(shown), (task.id, template.name, row, shown)
    assert tried >= len(ODD)

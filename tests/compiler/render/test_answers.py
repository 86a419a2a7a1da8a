"""Accepted answers: one list serves the target of a row without a rationale and the judge."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flancompile import draw
from flancompile.compiler.evaluation.rows import _accepted
from flancompile.compiler.render.answers import accepted_answers
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.style import ShotsStyle
from flancompile.dsl.models.task import Task


def task_of(answers: str) -> Task:
    template = {"name": "t", "cot": True, "input": "{{ q }}", "target": "{{ why }}"}
    return Task.model_validate(
        {
            "signature": "q -> why, a",
            "templates": [template],
            "eval": {"metric": "exact_match", "answers": answers},
        }
    )


def rendered(answers: str, value: Any) -> tuple[list[tuple[str, list[str]]], dict[int, str]]:
    """(target, accepted answers) of a row whose rationale is missing, and the reasons for none."""
    task = task_of(answers)
    columns: dict[str, list[Any]] = {"q": ["Why?"], "why": [None], "a": [value]}
    digests = np.array([draw.digest64("row", 0)], np.uint64)
    rows = RowSet("toy/qa", task, 1, 0, digests, columns)
    shares = ArmShares(options=(0.0, 1.0), cot=(1.0, 0.0))
    spec = RenderSpec("toy/qa", task, {}, {"plain": ShotsStyle()}, shares, 1, (0,))
    renderer = Renderer(spec, rows, Pools(task.exemplars, rows), {}, evaluated=True)
    return [(d.target, _accepted(renderer, rows, d)) for d in renderer], renderer.reasons


@pytest.mark.parametrize(
    ("answers", "value", "found"),
    [
        ("a", ["two", "2"], ["two", "2"]), ("a", "two", ["two"]), ("a", [None, 2.5], ["2.5"]),
        ("a | map('upper')", ["b"], ["B"]), ("a[0]", [7], ["7"]), ("a", [], []), ("a", None, []),
    ],
)  # fmt: skip
def test_answers_are_texts_of_a_list_or_of_one_value(
    answers: str, value: Any, found: list[str]
) -> None:
    assert accepted_answers(task_of(answers), {"a": value}) == found


def test_a_task_without_accepted_answers_has_none() -> None:
    task = Task.model_validate(
        {
            "signature": "q -> a",
            "templates": [{"name": "t", "input": "{{ q }}", "target": "{{ a }}"}],
        }
    )
    assert accepted_answers(task, {"a": "x"}) is None


SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from(["", " ", "two", "Ünï"]), st.integers(-2, 2), st.floats()
)  # fmt: skip
VALUES = SCALARS | st.lists(SCALARS | st.lists(SCALARS, max_size=2), max_size=4)


@given(answers=st.sampled_from(["a", "[a, 'x']", "a | list", "a[0]", "{'k': a}"]), value=VALUES)
@example(answers="a", value=["", " ", "two"])
@example(answers="a", value=[math.nan, "two"])
@settings(max_examples=300, deadline=None)
def test_the_target_is_the_first_accepted_answer_that_has_a_text(answers: str, value: Any) -> None:
    made, reasons = rendered(answers, value)
    try:
        wanted = accepted_answers(task_of(answers), {"q": "Why?", "why": None, "a": value}) or []
    except RowError as error:
        assert (made, reasons) == ([], {0: str(error)})
        return
    first = next((text for text in wanted if text.strip()), "")
    if not first:
        assert made == []
        return
    ((target, accepted),) = made
    assert (target, accepted) == (first, list(dict.fromkeys(wanted)))

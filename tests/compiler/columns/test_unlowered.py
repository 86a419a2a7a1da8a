"""Templates that need the row engine, and the reasons reported."""

from dataclasses import replace
from typing import Any

import pytest
from made_tasks import BYTES, SHARES, made_rows, pools_of, row_set, spec_of, task_of

from flancompile.compiler.columns.examples.assemble import assemble
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.columns.unlowered import styles_why_not, unlowered
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

RECURSIVE = "{% for x in xs recursive %}{{ x }}{% endfor %}"
PLAIN = {"input": "{{ q }}", "target": "{{ a }}"}


def spec(*templates: dict[str, Any], **more: Any) -> RenderSpec:
    task = task_of({"templates": list(templates), **more})
    assert task is not None
    return spec_of(task, SHARES[0])


def test_templates_of_the_row_engine_have_a_reason() -> None:
    let = {"input": "{{ p }}", "target": "{{ a }}", "let": {"p": "pick(xs)"}}
    found = spec(PLAIN, {**PLAIN, "input": RECURSIVE}, let)
    assert [(u.template, u.reason) for u in unlowered(found)] == [("t1", "input: a recursive loop")]
    odd = replace(found, shots_styles={"odd": ShotsStyle(zero=RECURSIVE + "{{ input }}")})
    assert {u.reason for u in unlowered(odd)} == {"the layout odd: a recursive loop"}
    assert len(unlowered(replace(found, wrap=True))) == 3
    assert unlowered(replace(found, templates=(0, 2))) == []


ODD = "loop.x"  # of no loop
WHY = "a loop's own methods"


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        ({"let": {"k": ODD}}, [f"let: k: {WHY}"] * 2),
        ({"where": ODD}, [f"where: {WHY}"] * 2),
        ({"choices": {"options": "[xs[0], loop.x]", "gold": "a"}}, [f"choices: {WHY}"] * 2),
        ({"instruction": RECURSIVE}, ["instruction: a recursive loop"] * 2),
    ],
    ids=["let", "where", "choices", "instruction"],
)
def test_a_text_of_the_task_concerns_all_its_templates(
    more: dict[str, Any], reasons: list[str]
) -> None:
    assert [u.reason for u in unlowered(spec(PLAIN, PLAIN, **more))] == reasons


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"target": "{{ loop.x }}{{ a }}"}, f"target: {WHY}"),
        ({"let": {"k": ODD}}, f"let: k: {WHY}"),
        ({"when": ODD}, f"when: {WHY}"),
        ({"choices": {"options": "xs", "gold": ODD, "by": "index"}}, f"choices: {WHY}"),
    ],
    ids=["target", "let", "when", "choices"],
)
def test_a_text_of_a_template_concerns_it_alone(more: dict[str, Any], reason: str) -> None:
    found = unlowered(spec(PLAIN, {**PLAIN, **more}, PLAIN))
    assert [(u.task, u.template, u.reason) for u in found] == [("toy/qa", "t1", reason)]


def test_an_option_style_may_need_the_row_engine() -> None:
    odd = OptionStyle(item="{{ text }}", opening="{% macro m() %}{% endmacro %}")
    assert styles_why_not(replace(spec(PLAIN), option_styles={"odd": odd})) == (
        "the option style odd: macro is not lowered"
    )
    assert styles_why_not(spec(PLAIN)) is None


def test_the_report_agrees_with_the_rows_that_are_left() -> None:
    """Rows of a reported template, and no others, are left to the row engine."""
    found = spec(PLAIN, {**PLAIN, "input": "{{ q }}{{ loop.x if n == 99 }}"}, PLAIN)
    block = row_set(found.task, made_rows(1, 60, plain=True), 0)
    made = assemble(found, block, pools_of(found.task, block, []), {}, SegmentCache(BYTES))
    assert made is not None
    assert {u.template for u in unlowered(found)} == {"t1"}
    assert 0 < len(made.fallback_rows) < 60
    assert sorted([*made.rows.tolist(), *made.fallback_rows.tolist()]) == list(range(60))
    assert set(made.drawn.template.tolist()) == {0, 2}

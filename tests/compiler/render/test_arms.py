"""Shares of arms under templates that have some of them."""

import pytest

from flancompile.compiler.render.arms import ArmShares, arm_shares, cot_arms, option_arms
from flancompile.dsl.models.mixture import Arms
from flancompile.dsl.models.task import Task, Template


def template(options: str, cot: bool = False) -> Template:
    given = {"name": "t", "input": "{{ q }}", "target": "{{ a }}", "options": options, "cot": cot}
    return Template.model_validate(given)


@pytest.mark.parametrize(
    ("options", "arms", "shares"),
    [
        ("none", {False}, (0.0, 1.0)),
        ("none none", {False}, (0.0, 1.0)),
        ("required", {True}, (1.0, 0.0)),
        ("required required", {True}, (1.0, 0.0)),
        ("optional", {False, True}, (3.0, 2.0)),
        ("optional required", {False, True}, (3.0, 2.0)),
        ("none optional", {False, True}, (3.0, 2.0)),
        ("none required", {False, True}, (3.0, 2.0)),
    ],
)
def test_templates_without_an_arm_give_it_no_weight(
    options: str, arms: set[bool], shares: tuple[float, float]
) -> None:
    templates = [template(o) for o in options.split()]
    assert option_arms(templates) == arms
    assert ArmShares(options=(3.0, 2.0)).within(templates).options == shares


@pytest.mark.parametrize(
    ("cot", "shares"),
    [([False], (0.0, 1.0)), ([True], (1.0, 0.0)), ([True, False], (0.0, 2.0))],
)
def test_a_chain_of_thought_is_an_arm_of_its_templates(
    cot: list[bool], shares: tuple[float, float]
) -> None:
    templates = [template("none", cot=c) for c in cot]
    assert cot_arms(templates) == set(cot)
    assert ArmShares(cot=(0.0, 2.0)).within(templates).cot == shares


def test_the_innermost_member_decides_an_arm() -> None:
    task = Task.model_validate({
        "signature": "q -> a", "choices": {"options": ["x", "y"], "gold": "a"},
        "templates": [template("optional").model_dump(), template("none", cot=True).model_dump()],
    })  # fmt: skip
    inner = Arms.model_validate({"shots": {0: 1, 2: 3, 5: 0}})
    outer = Arms.model_validate({"shots": {1: 1}, "options": {"with": 1, "without": 4}})
    found = arm_shares(task, [inner, outer])
    assert found == ArmShares(((0, 1.0), (2, 3.0)), (1.0, 4.0), (1.0, 1.0))
    assert arm_shares(task, []) == ArmShares()

"""Requests that no data can meet: arms, names, rates and sizes."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from object_streams import task_def

from flancompile.compiler.plan.feasibility import (
    double_names,
    impossible_arms,
    missing_arm,
    short_size,
)
from flancompile.compiler.plan.members import Node, PlannedTask
from flancompile.compiler.plan.plan import shares
from flancompile.compiler.render.arms import ArmShares
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.mixture import Member, Mixture, Recipe
from flancompile.dsl.models.task import Task, Template
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.validate import validate
from flancompile.errors import Span

SPAN = Span("m.yaml", 3, 5, 3, 9)


def templates(*options: str, cot: tuple[bool, ...] = ()) -> list[Template]:
    made = [{"options": o} for o in options] + [{"cot": c} for c in cot]
    texts = {"input": "{{ q }}", "target": "{{ a }}"}
    return [Template.model_validate({"name": f"t{i}", **texts, **m}) for i, m in enumerate(made)]


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(
    ("given_", "arms"),
    [
        ((), None),
        (("none",), {False}),
        (("required",), {True}),
        (("optional",), {True, False}),
        (("none", "none"), {False}),
        (("none", "required"), {True, False}),
        (("required", "required"), {True}),
    ],
)
def test_an_arm_is_missing_if_all_templates_are_of_the_other(
    given_: tuple[str, ...], arms: set[bool] | None, wanted: bool
) -> None:
    found = missing_arm("options", wanted, templates(*given_), "the member 'x'", SPAN)
    assert (found is None) == (arms is None or wanted in arms)
    if found is not None:
        assert (found.code, found.severity, found.span) == ("FC419", "error", SPAN)
        assert found.message.startswith("the member 'x' requests")


@pytest.mark.parametrize(
    ("member", "cot", "messages"),
    [
        ({"cot": {"with": 1}}, (False,), ["requests a rationale, but no template"]),
        (
            {"cot": {"with": 0, "without": 1}},
            (True,),
            ["examples without a rationale, but all its"],
        ),
        ({"cot": {"with": 0, "without": 1}}, (False,), []),
        ({"cot": {"with": 1, "without": 1}}, (True,), []),  # the arm without gets no weight
        (
            {"cot": {"with": 1}, "options": {"with": 2}},
            (False,),
            ["requests options", "a rationale"],
        ),
        ({}, (True,), []),
    ],
)
def test_a_member_that_sets_an_arm_needs_a_template_of_it(
    member: dict[str, Any], cot: tuple[bool, ...], messages: list[str]
) -> None:
    made = Member.model_validate({"select": "all", **member})
    task = Task.model_validate({"signature": "q -> a", "templates": templates(cot=cot)})
    found = list(impossible_arms(made, [task], "x", SPAN))
    assert len(found) == len(messages)
    assert all(m in d.message for m, d in zip(messages, found, strict=True))


def mixture(*members: dict[str, Any]) -> Loaded[Mixture]:
    document = parse(yaml.safe_dump({"mixture": "m", "members": list(members)}), "m.yaml")
    return Loaded("m", validate(Mixture, document), document)


@pytest.mark.parametrize(
    ("members", "doubled"),
    [
        ([{"select": "a/qa"}, {"select": "b/qa"}], []),
        ([{"select": "a/qa"}, {"select": "a/qa"}], []),  # an overlap, which is reported itself
        ([{"select": "a/qa", "name": "x"}, {"select": "b/qa", "name": "x"}], ["x"]),
        ([{"mixture": "inner"}, {"select": "b/qa", "name": "inner"}], ["inner"]),
        ([{"select": "a/qa", "name": "b/qa"}, {"select": "b/qa"}], ["b/qa"]),
        ([{"select": "a/qa", "name": "x"}] * 3, ["x", "x"]),
    ],
)
def test_a_name_given_to_two_members(members: list[dict[str, Any]], doubled: list[str]) -> None:
    found = list(double_names(mixture(*members)))
    assert [d.message for d in found] == [f"two members are named {name!r}" for name in doubled]
    assert {d.code for d in found} <= {"FC109"}


def recipe(**size: Any) -> Loaded[Recipe]:
    about = {"recipe": "r", "mixture": "m", "layout": "decoder", "tokenizer": {"bytes": True},
             "lengths": {"pack": 64}, "size": size}  # fmt: skip
    document = parse(yaml.safe_dump(about), "r.yaml")
    return Loaded("r", validate(Recipe, document), document)


def member(name: str, rate: float | None, *limits: tuple[int | None, float | None]) -> Node:
    """A member whose tasks have these caps and limits of epochs."""
    ids = [f"{name}{i}/qa" for i in range(len(limits))]
    tasks = [
        PlannedTask(task_def(i), name, ArmShares(), *m) for i, m in zip(ids, limits, strict=True)
    ]
    return Node(name, rate, tasks=tasks)


@pytest.mark.parametrize(
    ("examples", "children", "message"),
    [
        (30, [member("a", 1, (10, 2)), member("b", 1, (10, None))], None),
        (40, [member("a", 1, (10, 2)), member("b", 1, (10, None))], None),  # just met
        (50, [member("a", 1, (10, 2)), member("b", 1, (10, None))], "'a' is to give 25 examples"),
        (60, [member("a", 1, (10, 2)), member("b", 2, (10, 2))], "'b' is to give 40 examples"),
        (50, [member("a", None, (10, 2)), member("b", None, (10, 2))], "'m' is to give 50"),
        (50, [member("a", 1, (10, 2), (None, 2))], None),  # the rows decide
        (50, [member("a", 1)], None),
    ],
)
def test_a_size_over_the_limits_of_a_member(
    examples: int, children: list[Node], message: str | None
) -> None:
    found = list(short_size(recipe(examples=examples), Node("m", children=children)))
    assert [d.code for d in found] == (["FC420"] if message else [])
    assert message is None or message in found[0].message
    assert all(d.severity == "warning" and d.span is not None for d in found)


def test_sizes_in_other_units_depend_on_the_data() -> None:
    node = Node("m", children=[member("a", 1, (1, 1))])
    for size in ({"tokens": 10**9}, {"target_tokens": 10**9}, {"passes": 99}):
        assert list(short_size(recipe(**size), node)) == []


LIMITS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 3)), min_size=1, max_size=3)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 5), LIMITS), min_size=1, max_size=3), st.integers(1, 200))
def test_a_reported_size_is_not_met_by_any_number_of_rows(members: Any, examples: int) -> None:
    node = Node("m", children=[member(f"m{i}", r, *ls) for i, (r, ls) in enumerate(members)])
    limits = {t.task.id: int((t.cap_rows or 0) * (t.max_epochs or 0)) for t in node.all_tasks()}
    parts = shares(node, dict.fromkeys(limits, 10**6))
    found = {d.message.split("'")[1] for d in short_size(recipe(examples=examples), node)}
    for child in node.children:
        ids = [t.task.id for t in child.all_tasks()]
        given_ = sum(min(examples * parts[i], limits[i]) for i in ids)
        assert child.name not in found or given_ < examples * sum(parts[i] for i in ids)
    assert found <= {child.name for child in node.children}

"""Options, labels and golds of any values: the same in both engines, and the right one is right."""

import math
from typing import Any

import pytest
from engines import both_engines
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile.compiler.render.choices import gold_index
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.values import compared_text, whole_number
from flancompile.dsl.models.task import Task

TEMPLATES = {
    True: {"name": "t", "options": "required", "input": "Q\n{{ options }}", "target": "{{ gold }}"},
    False: {"name": "t", "input": "Q", "target": "{{ gold }}"},
}


def task_of(choices: dict[str, Any], options: bool) -> Task:
    about = {"signature": "xs -> g, ls", "templates": [TEMPLATES[options]], "choices": choices}
    return Task.model_validate(about)


@pytest.mark.parametrize("options", [True, False])
@pytest.mark.parametrize(
    ("choices", "row", "right"),
    [
        ({"options": ["a", "b"], "gold": "g", "by": "index"}, {"g": 1.0}, "b"),
        ({"options": ["a", "b"], "gold": "g", "by": "index"}, {"g": -0.0}, "a"),
        ({"options": ["a", "b"], "gold": "g", "by": "index"}, {"g": "1"}, "b"),
        ({"options": ["a", "b"], "gold": "g", "by": "index"}, {"g": "1.0"}, "b"),
        ({"options": ["no", "yes"], "gold": "g", "by": "index"}, {"g": True}, "yes"),
        ({"options": {"0": "a", "1": "b"}, "gold": "g"}, {"g": 1.0}, "b"),
        ({"options": {"0": "a", "1": "b"}, "gold": "g"}, {"g": 1}, "b"),
        ({"options": {"A": "a", "B": "b"}, "gold": "g", "by": "text"}, {"g": "b"}, "b"),
        ({"options": {"A": "a", "B": "b"}, "gold": "g", "by": "index"}, {"g": 1}, "b"),
        ({"options": "xs", "labels": "ls", "gold": "g"}, {"xs": ["a", "b"], "ls": [1.0, 2], "g": 2.0}, "b"),
        ({"options": "xs", "labels": "(1, 2)", "gold": "g"}, {"xs": ["a", "b"], "g": 2}, "b"),
        ({"options": "xs", "gold": "g"}, {"xs": [1, 2], "g": 2.0}, "2"),
        ({"options": "xs", "gold": "g"}, {"xs": [1.0, 2.0], "g": 2.0}, "2.0"),
        ({"options": "xs", "gold": "g"}, {"xs": [True, False], "g": False}, "False"),
    ],
    ids=str,
)  # fmt: skip
def test_the_right_option(
    choices: dict[str, Any], row: dict[str, Any], right: str, options: bool
) -> None:
    columns = {name: [row.get(name)] for name in ("xs", "g", "ls")}
    (shown,) = both_engines(task_of(choices, options), columns, options=options)
    assert shown[1] == (f"<{right}>" if options else right)


@pytest.mark.parametrize(
    ("by", "gold", "reason"),
    [
        ("index", 0.5, "gold 0.5 is no index"), ("index", "1_0", "is no index"), ("index", "b", "is no index"),
        ("index", 2, "gold 2 is not among 2 options"), ("index", -1, "gold -1 is not among"),
        ("index", 1e300, "is not among 2 options"), ("index", math.nan, "is no index"), ("index", [1], "is no index"),
        ("text", ["a"], "is a list, not a text"), ("text", {"a": 1}, "is a map, not a text"),
        ("text", math.inf, "no gold answer"), ("text", "c", "gold 'c' is not among the texts"), ("text", None, "no gold answer"),
    ],
)  # fmt: skip
def test_a_gold_that_names_no_option_says_why(by: str, gold: Any, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        gold_index(gold, ["a", "b"], None, by)
    shown = both_engines(
        task_of({"options": ["a", "b"], "gold": "g", "by": by}, False),
        {"g": [gold], "xs": [None], "ls": [None]},
    )
    assert len(shown) == 1 and isinstance(shown[0], str) and shown[0]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from(["", "a", "b", "0", "1", "1.0", "True", "é", "e\u0301"]),
    st.sampled_from([0, 1, 2, -1, 2**62]), st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5, math.nan, math.inf, 1e300]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("ab"), v, max_size=2), max_leaves=4
)  # fmt: skip
ROW = st.fixed_dictionaries(
    {"xs": st.lists(SCALARS, max_size=4) | VALUES, "ls": st.lists(SCALARS, max_size=4) | VALUES, "g": VALUES}
)  # fmt: skip
CHOICES = st.sampled_from([
    {"options": "xs", "gold": "g"}, {"options": "xs", "gold": "g", "by": "index"}, {"options": "xs", "gold": "xs[0]"},
    {"options": "xs", "labels": "ls", "gold": "g"}, {"options": "xs", "labels": ["0", "1"], "gold": "g"},
    {"options": "xs", "labels": "(0, true, 'a')", "gold": "g"}, {"options": "xs", "labels": "ls", "gold": "g", "by": "text"},
    {"options": {"0": "a", "1": "b"}, "gold": "g"}, {"options": {"0": "a", "1": "b"}, "gold": "g", "by": "text"},
    {"options": {"a": "x", "b": "1"}, "gold": "g", "by": "index"}, {"options": ["a", "b", "1"], "gold": "g"},
    {"options": ["True", "False"], "gold": "g"}, {"options": "[g, 'a', 1]", "gold": "g"}, {"options": "(g, 'a')", "gold": "g"},
    {"options": "{'a': 'x', 'b': 'y'}", "gold": "g"}, {"options": "['a', 'b']", "gold": "g", "by": "index"},
    {"distractors": 1, "gold": "g"}, {"options": "xs | default([])", "labels": "ls | default(none)", "gold": "g"},
])  # fmt: skip


@pytest.mark.slow
@given(choices=CHOICES, rows=st.lists(ROW, min_size=1, max_size=5), options=st.booleans())
@example(
    choices={"options": "xs", "labels": ["0", "1"], "gold": "g"},
    rows=[{"xs": ["p"], "ls": None, "g": 1}],
    options=False,
)
@example(
    choices={"options": "xs", "labels": "(0, true, 'a')", "gold": "g"},
    rows=[{"xs": ["p", "q", "r"], "ls": None, "g": "a"}], options=True,
)  # fmt: skip
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_engines_show_the_same_options(
    choices: dict[str, Any], rows: list[dict[str, Any]], options: bool
) -> None:
    columns = {name: [row[name] for row in rows] for name in ("xs", "g", "ls")}
    shown = both_engines(task_of(choices, options), columns, options=options)
    assert len(shown) == len(rows)
    for row, one in zip(rows, shown, strict=True):
        if isinstance(one, tuple) and choices.get("by") == "index" and choices["options"] == "xs":
            wanted = row["xs"][int(float(row["g"]))]  # by Python's own reading of a number
            assert one[1] == (f"<{wanted}>" if options else str(wanted))


@given(
    st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.text(max_size=3), st.none())
)  # fmt: skip
def test_whole_numbers_are_those_that_python_calls_equal(value: Any) -> None:
    found = whole_number(value)
    if found is None:
        assert not (isinstance(value, int | float) and value == value // 1 and abs(value) != math.inf)  # fmt: skip
    else:
        assert found == value and type(found) is int
        if not isinstance(value, bool):
            assert compared_text(value, "a value") == str(found)


@given(st.integers(0, 3), st.sampled_from(["xs[i]", "i | option_index(xs)", "xs[i:]", "xs[:i]"]))
def test_a_whole_float_from_a_row_is_an_index(i: int, text: str) -> None:
    run, xs = compile_expression(text), ["a", "b", "c", "d"]
    assert run({"xs": xs, "i": float(i)}) == run({"xs": xs, "i": i})

"""Operations on single values, against what Jinja's sandbox makes of the same expression."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.values import materialized
from flancompile.lowering.operations import (
    BINARY,
    COMPARED,
    UNARY,
    applied,
    attribute,
    called,
    item_of,
    item_of_row,
    part,
)

WRITTEN = {
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**",
    "eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in",
}  # fmt: skip
VALUE = st.one_of(
    st.integers(-3, 9), st.booleans(), st.none(), st.sampled_from([0.5, -0.0, 1e300, float("nan")]),
    st.text("ab%s", max_size=3), st.lists(st.integers(0, 2), max_size=3),
    st.dictionaries(st.sampled_from(["a", "items"]), st.integers(0, 2)),
)  # fmt: skip
REFUSED = "refused"


def outcome(run: Any, *values: Any) -> str:
    """The value's type and text, or that there is none."""
    try:
        found = materialized(run(*values))
    except Exception:
        return REFUSED
    return f"{type(found).__name__} {found!r}"


@pytest.mark.parametrize("name", [*BINARY, *COMPARED])
@given(VALUE, VALUE)
@settings(max_examples=60, deadline=None)
def test_an_operation_of_two_values_is_the_sandbox_s(name: str, a: Any, b: Any) -> None:
    run = compile_expression(f"a {WRITTEN[name]} b")
    expected = outcome(lambda: run({"a": a, "b": b}))
    assert outcome((BINARY | COMPARED)[name], a, b) == expected


@pytest.mark.parametrize(("name", "text"), [("Not", "not a"), ("Neg", "-a"), ("Pos", "+a")])
@given(VALUE)
@settings(max_examples=40, deadline=None)
def test_an_operation_of_one_value_is_the_sandbox_s(name: str, text: str, a: Any) -> None:
    run = compile_expression(text)
    assert outcome(UNARY[name], a) == outcome(lambda: run({"a": a}))


def test_every_operation_is_compared() -> None:
    assert {*BINARY, *COMPARED} == set(WRITTEN)


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        ({"items": 1}, "items", 1), ({"count": 2}, "count", 2), ({"k": None}, "k", None),
        (["a"], "count", "count"), ("a", "upper", "upper"), ({"k": 1}, "keys", "keys"),
    ],
)  # fmt: skip
def test_an_item_hides_a_method_of_that_name(value: Any, name: str, expected: Any) -> None:
    found = attribute(value, name)
    if callable(found):
        assert found.__name__ == expected
    else:
        assert found == expected


@pytest.mark.parametrize("name", ["__class__", "__init__", "_private"])
def test_private_attributes_are_out_of_reach(name: str) -> None:
    for value in ("a", [1], {"k": 1}, 1):
        found = attribute(value, name)
        with pytest.raises((SecurityError, RowError)):
            materialized(found)


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(-5, 5))
@settings(max_examples=60, deadline=None)
def test_an_index_from_the_row_is_not_negative(items: list[int], index: int) -> None:
    assert outcome(item_of, items, index) == outcome(environment().getitem, items, index)
    if index < 0:
        with pytest.raises(RowError):
            item_of_row(items, index)
    else:
        assert outcome(item_of_row, items, index) == outcome(item_of, items, index)


@given(
    st.lists(st.sampled_from([None, -2, -1, 0, 1, 2]), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_bounds_of_a_slice_from_the_row_are_whole_and_not_negative(
    bounds: list[int | None], literal: list[bool]
) -> None:
    cut = part((literal[0], literal[1], literal[2]))
    wrong = any(
        not fixed and (b is None or b < 0) for b, fixed in zip(bounds, literal, strict=True)
    )
    if wrong:
        with pytest.raises(RowError):
            cut(*bounds)
    else:
        assert cut(*bounds) == slice(*bounds)


def test_filters_and_tests_get_the_argument_that_they_ask_for() -> None:
    """`map` wants a context, `tojson` an evaluation context, `sort` an environment."""
    rows = [{"k": "b"}, {"k": "a"}]
    assert list(applied("Filter", "map")(rows, attribute="k")) == ["b", "a"]
    assert str(applied("Filter", "tojson")(rows)) == '[{"k": "b"}, {"k": "a"}]'
    assert applied("Filter", "sort")(rows, attribute="k") == rows[::-1]
    assert list(applied("Filter", "select")([1, 2, 3, 4], "odd")) == [1, 3]
    assert (applied("Test", "even")(2), applied("Test", "in")(1, [1])) == (True, True)
    assert applied("Filter", "upper") is applied("Filter", "upper")


def test_a_call_follows_the_rules_of_the_sandbox() -> None:
    assert called("a-b".split, "-") == ["a", "b"]
    assert called("{k}".format, k=1) == "1"
    for text in ("{0.__class__}", "{k.__init__}"):
        with pytest.raises(SecurityError):
            called(attribute(text, "format"), "x", k="x")

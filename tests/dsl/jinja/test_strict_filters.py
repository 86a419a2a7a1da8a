"""Filters over nulls, lists and numbers: no text of a null, and lists in place of generators."""

import math
from typing import Any

import pytest
from expressions import TO_TEXT, both

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.errors import TextError
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import render

NULLS = [None, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("text", TO_TEXT)
@pytest.mark.parametrize("value", NULLS, ids=str)
def test_a_value_without_a_text_is_refused(text: str, value: Any) -> None:
    if text == "v | tojson" and value is None:
        pytest.skip("JSON has a null")
    assert both(text, {"v": value}) == (None, None)
    template = "{{ " + text + " }}"
    with pytest.raises(RowError):
        compile_template(template).render({"v": value})
    assert render(template, Scope(1, {"v": Column.of([value])})).fallback(1).all()


def test_every_filter_is_asked_about_nulls() -> None:
    """No filter gives a text for a null alone but those that are made for it."""
    given_texts = set()
    for name in environment().filters:
        for value in NULLS:
            try:
                found = compile_expression(f"v | {name}")({"v": value})
            except (RowError, TextError):
                continue
            if isinstance(found, str) or (found == found and isinstance(found, int)):
                given_texts.add(name)
    assert given_texts <= {"tojson"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("v | default('none', true) | trim", "none"), ("'-' if v is none else v | trim", "-"),
        ("v | int(-1)", -1), ("v | float(0.5)", 0.5), ("v | int(default=3)", 3),
        ("v is none or v | trim == ''", True), ("(v or 'x') | upper", "X"), ("[v, 'a'] | select | join", "a"),
    ],
)  # fmt: skip
def test_a_null_may_be_handled(text: str, found: Any) -> None:
    assert both(text, {"v": None}) == ([found], [found])


@pytest.mark.parametrize(
    ("text", "found"),
    [("'7' | int", 7), ("'7.9' | int", 7), ("true | int", 1), ("' 8 ' | int", 8), ("'x' | int(2)", 2),
     ("'ff' | int(0, 16)", 255), ("'2.5' | float", 2.5), ("'ff' | int(base=16)", 255)],
)  # fmt: skip
def test_numbers_of_texts(text: str, found: Any) -> None:
    assert both(text, {}) == ([found], [found])


@pytest.mark.parametrize(
    "text", ["t | int", "t | float", "'' | int", "'nan' | float", "'1e999' | float | int"]
)
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RowError, match="is no number; write a default"):
        compile_expression(text)({"t": "one"})


@pytest.mark.parametrize(
    ("text", "found"),
    [("xs | map('upper')", ["A", "B"]), ("[xs | map('upper')]", [["A", "B"]]), ("m.items()", [("k", 1)]),
     ("{'a': xs | reverse}", {"a": ["b", "a"]}), ("range(2)", [0, 1]), ("xs | batch(1)", [["a"], ["b"]]),
     ("xs | map('list') | map('map', 'upper')", [["A"], ["B"]]), ("m.keys()", ["k"]),
     ("'some' if xs | reject('in', xs) else 'none'", "none"), ("xs | select | length", 2)],
)  # fmt: skip
def test_lazy_values_become_lists(text: str, found: Any) -> None:
    assert both(text, {"xs": ["a", "b"], "m": {"k": 1}}) == ([found], [found])

"""Reasons of dropped rows hold no names of Python's classes."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.plain_errors import plain_message

CLASSES = re.compile(
    r"\w+Error\b|\w*Exception\b|<class|<function|<bound| object at |\bobject is|'(?:NoneType|str|bool|dict|tuple)'"
)
VALUES = {
    "null": None, "text": "abc", "number": 3, "real": 1.5, "yes": True, "items": ["a", 1, None], "none": [],
    "table": {"a": 1}, "nested": {"a": [{"b": None}]},
}  # fmt: skip


def reason(text: str, **values: Any) -> str | None:
    try:
        compile_expression(text)({**VALUES, **values})
    except RowError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("text", "words"), [
    ("text + number", "+ is not defined for a text and a whole number"),
    ("number + text", "+ is not defined for a whole number and a text"),
    ("items < text", "< is not defined for a list and a text"),
    ("null | length", "a null has no length"),
    ("number | list", "a whole number has no items"),
    ("number in text", "a whole number cannot be searched in a text"),
    ("text | lookup(table)", "'abc' is not in the table"),
    ("items | chat", "chat: turn 2 is no turn"),
    ("text | regex_search('[0-9]')", "no match of '[0-9]'"),
    ("1 // (number - 3)", "integer division or modulo by zero"),
    ("number | words", "a whole number has no 'split'"),
    ("{items: 1}", "a list cannot be looked up"),
])  # fmt: skip
def test_reasons_are_in_plain_words(text: str, words: str) -> None:
    assert reason(text) == words


@given(
    st.sampled_from(sorted(environment().filters)), st.sampled_from(sorted(VALUES)),
    st.lists(st.sampled_from([*sorted(VALUES), "'x'", "0", "-1"]), max_size=2),
)  # fmt: skip
@settings(max_examples=600, deadline=None)
def test_no_reason_names_a_class_of_python(name: str, value: str, arguments: list[str]) -> None:
    from flancompile.errors import FlancompileError

    call = f"{name}({', '.join(arguments)})" if arguments else name
    try:
        found = reason(f"{value} | {call}")
    except FlancompileError:  # arguments that the checker refuses
        return
    assert found is None or not CLASSES.search(found), (call, found)


@given(
    st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(VALUES)),
    st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", ">=", "in", "~"]),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_reason_of_an_operator_names_a_class(left: str, right: str, operator: str) -> None:
    for text in (f"{left} {operator} {right}", f"{left}[{right}]", f"{left}.x.{right}", f"-{left}", f"{left}()"):  # fmt: skip
        found = reason(text)
        assert found is None or not CLASSES.search(found), (text, found)


def test_errors_that_quote_a_class_are_in_plain_words() -> None:
    assert plain_message(ValueError("<class 'int'> expected")) == "a whole number expected"
    assert plain_message(ValueError("ValueError: bad")) == "bad"

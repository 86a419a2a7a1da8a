"""Types of filters, against the values that the filters give."""

from collections.abc import Mapping
from typing import Any

import pytest

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.filter_types import (
    METHODS,
    RETURN_TYPES,
    RETURNS_INTEGER,
    RETURNS_SAME_LIST,
    RETURNS_TEXT,
    SELECTING,
    TAKES_LIST,
    TAKES_PRINTABLE,
    TAKES_TEXT,
    TEXTLESS_HINTS,
)
from flancompile.dsl.jinja.types import type_of

OF_LISTS = {"join", "length", "count", "index", *RETURNS_SAME_LIST}
ARGUMENTS = {
    "replace": "('a', 'b')", "regex_replace": "('a', 'b')", "regex_search": "('a')", "format": "()",
    "index": "('a')", "option_index": "(['a', '7a'])", "int": "(0)",
}  # fmt: skip


def test_each_name_is_a_filter_of_the_language() -> None:
    named = RETURNS_TEXT | RETURNS_INTEGER | RETURNS_SAME_LIST | SELECTING | TAKES_TEXT | TAKES_LIST
    assert len(named) > 40
    assert named | set(RETURN_TYPES) | TAKES_PRINTABLE <= set(environment().filters)


@pytest.mark.parametrize("name", sorted(RETURNS_TEXT | RETURNS_INTEGER | RETURNS_SAME_LIST))
def test_a_filter_gives_a_value_of_its_type(name: str) -> None:
    value: Any = ["a", "b"] if name in OF_LISTS else 7 if name in ("number", "ordinal") else "7a"
    found = compile_expression(f"v | {name}{ARGUMENTS.get(name, '')}")({"v": value})
    kind: type = str if name in RETURNS_TEXT else int if name in RETURNS_INTEGER else list
    assert type(found) is kind


@pytest.mark.parametrize("name", sorted(TAKES_PRINTABLE))
@pytest.mark.parametrize("value", [["a"], {"a": 1}], ids=list(TEXTLESS_HINTS))
def test_a_filter_of_a_text_drops_a_list_or_map(name: str, value: Any) -> None:
    with pytest.raises(RowError):
        compile_expression(f"v | {name}{ARGUMENTS.get(name, '')}")({"v": value})


@pytest.mark.parametrize("name", sorted(TAKES_TEXT - {"words", "split", "fromjson"}))
@pytest.mark.parametrize("value", [3, 1.5, True, ["a"], {"a": 1}])
def test_a_filter_of_patterns_takes_text_alone(name: str, value: Any) -> None:
    arguments = "('a', 'b')" if name == "regex_replace" else "('a')"
    with pytest.raises(RowError):
        compile_expression(f"v | {name}{arguments}")({"v": value})
    assert compile_expression(f"v | {name}{arguments}")({"v": "a"}) is not None


@pytest.mark.parametrize("name", sorted(RETURN_TYPES))
def test_dialogues_have_the_keys_of_their_type(name: str) -> None:
    said = [
        {"role": "user", "content": "q", "name": "ada", "mood": "glad"},
        {"role": "assistant", "content": "a", "weight": 0},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "b"},
    ]
    found = compile_expression(f"v | {name}")({"v": said})
    type_ = RETURN_TYPES[name].item
    assert isinstance(found, list) and type_ is not None
    for item in found:
        assert isinstance(item, Mapping)
        assert {k: type_of(v).kind for k, v in item.items()} == {
            k: t.kind for k, t in type_.keys.items() if k in item
        }
        assert set(type_.keys) - set(item) <= type_.absent
    assert len(found) == {"chat": 4, "exchanges": 1}[name]


@pytest.mark.parametrize(("kind", "value"), [("text", "a"), ("list", [1]), ("map", {"a": 1})])
def test_methods_are_those_that_the_sandbox_calls(kind: str, value: Any) -> None:
    name = {"text": "upper", "list": "count", "map": "keys"}[kind]
    assert name in METHODS[kind]
    arguments = "(1)" if kind == "list" else "()"
    assert compile_expression(f"v.{name}{arguments}")({"v": value}) in ("A", 1, ["a"])

"""Filters with literal arguments over columns, against the filters value by value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from flancompile.dsl.jinja.expression import parsed_expression
from flancompile.lowering.column import Column
from flancompile.lowering.filters import filtered, literal_arguments, mapped
from flancompile.lowering.operations import applied

FALLBACK = "falls back"
ITEMS = st.sampled_from(["a", " B ", "", "3", "x,y"]) | st.none() | st.integers(0, 3)
VALUES = st.one_of(
    ITEMS,
    st.lists(ITEMS, max_size=4),
    st.lists(ITEMS, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from("ab"), ITEMS, max_size=2),
)
CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("trim", ()), ("upper", ()), ("int", ()), ("replace", ("a", "b")), ("split", (",",)),
    ("length", ()), ("default", ("none",)), ("regex_search", ("[a-z]",)), ("center", (5,)),
]  # fmt: skip


def outcomes(column: Column, rows: int) -> list[Any]:
    lost = column.fallback(rows)
    return [FALLBACK if n else v for n, v in zip(lost, column.values(rows), strict=True)]


def by_value(function: Any, values: list[Any], *args: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        try:
            found.append(function(value, *args))
        except Exception:  # any failure leaves the row to the row engine
            found.append(FALLBACK)
    return found


@pytest.mark.parametrize(("name", "args"), CALLS)
@given(values=st.lists(VALUES, max_size=8))
def test_each_value_is_filtered(name: str, args: tuple[Any, ...], values: list[Any]) -> None:
    expected = by_value(applied("Filter", name), values, *args)
    found = outcomes(filtered(name, args, Column.of(values), len(values)), len(values))
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(("name", "args"), [*CALLS, ("unknown", ())])
@given(values=st.lists(VALUES, max_size=8))
def test_items_are_filtered_as_by_row(name: str, args: tuple[Any, ...], values: list[Any]) -> None:
    expected = by_value(applied("Filter", "map"), values, name, *args)
    found = outcomes(mapped(name, args, Column.of(values), len(values)), len(values))
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("text", "args"),
    [("x | trim", ()), ("x | replace('a', 'b')", ("a", "b")), ("x | replace(y, 'b')", None),
     ("x | join(d='a')", None), ("x | join(*y)", None), ("x | map('center', 5)", ("center", 5))],
)  # fmt: skip
def test_arguments_by_place_that_are_literals(text: str, args: tuple[Any, ...] | None) -> None:
    node = next(iter(parsed_expression(text).find_all(nodes.Filter)))
    assert literal_arguments(node) == args

"""Conversion of values to text, keys and indexes."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.jinja import values
from flancompile.dsl.jinja.values import NullValueError, RowError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(PLAIN, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=9)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_nulls_have_no_text(value: object) -> None:
    with pytest.raises(NullValueError):
        values.printable(value)
    with pytest.raises(NullValueError):
        values.parts_printable([{"a": [value]}], "is printed")
    assert values.one_text(value, "the answer") is None


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"a", len, (1,)])
def test_containers_and_objects_have_no_text(value: object) -> None:
    with pytest.raises(RowError) as error:
        values.slot_text(value, "answer")
    assert "would be printed" in str(error.value)


@given(VALUES)
def test_a_materialized_value_is_itself(value: Any) -> None:
    assert values.materialized(value) is value


@given(st.lists(st.integers()))
def test_iterators_become_lists_at_any_depth(items: list[int]) -> None:
    value = {"a": [iter(items), dict.fromkeys(items).keys()]}
    assert values.materialized(value) == {"a": [items, list(dict.fromkeys(items))]}


@given(st.integers(-(2**53), 2**53))
def test_compared_keys_ignore_storage_types(number: int) -> None:
    keys = {values.compared_key(v) for v in (number, float(number), str(number))}
    assert len(keys) == 1
    assert values.compared_key([number, None]) == values.compared_key([float(number), math.nan])
    assert values.compared_key({"a": 1, "b": number}) == values.compared_key({"b": number, "a": 1})
    assert values.compared_key(number) != values.compared_key([number])


@pytest.mark.parametrize(
    "call",
    [
        lambda: values.row_index(-1),
        lambda: values.row_index(-1.0),
        lambda: values.slice_bound(None),
        lambda: values.multiply("ab", values.MAX_CHARS),
        lambda: values.power(10, values.MAX_BITS),
        lambda: values.checked_width(values.MAX_WIDTH + 1),
        lambda: values.remainder("%s", None),
        lambda: values.remainder("%(a)s", {"a": [1]}),
    ],
)
def test_results_out_of_range_raise(call: Callable[[], object]) -> None:
    with pytest.raises(RowError):
        call()


def test_results_in_range() -> None:
    assert (values.row_index(1.0), values.slice_bound(2), values.multiply("ab", 2)) == (
        1,
        2,
        "abab",
    )
    assert (values.power(2, 10), values.remainder(7, 4), values.remainder("%s%%", 5)) == (
        1024,
        3,
        "5%",
    )
    assert (values.whole_number(1.5), values.whole_number(True)) == (None, 1)
    assert values.is_broken("a\ud83d") and not values.is_broken("a\U0001f600")

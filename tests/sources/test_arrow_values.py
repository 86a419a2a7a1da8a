"""Arrow values of nested and rare types, against plain Python values."""

import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.sources.arrow_values import column_values, duplicate_name
from flancompile.sources.scalars import Unreadable

LISTS = st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3), max_size=6)
UUID = uuid.UUID(int=7)
KINDS: list[Callable[[pa.DataType], pa.DataType]] = [
    pa.list_, pa.large_list, pa.list_view, pa.large_list_view,
]  # fmt: skip


@settings(deadline=None)
@given(LISTS, st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 6))
def test_lists_of_every_kind_and_slice(
    rows: list[Any], kind: Callable[[pa.DataType], pa.DataType], start: int, count: int
) -> None:
    column = pa.array(rows, kind(pa.string())).slice(min(start, len(rows)), count)
    assert column_values(column) == rows[start : start + count]


@settings(deadline=None)
@given(st.lists(st.none() | st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=3)))
def test_maps_of_texts_are_mappings_and_others_pairs(rows: list[Any]) -> None:
    column = pa.array([r if r is None else list(r.items()) for r in rows], pa.map_("str", "int64"))
    assert column_values(column.slice(1)) == rows[1:]
    by_number = [r if r is None else [[v, k] for k, v in r.items()] for r in rows]
    pairs = [r if r is None else [tuple(p) for p in r] for r in by_number]
    assert column_values(pa.array(pairs, pa.map_("int64", "str"))) == by_number


def unreadable(value: Any, reason: str) -> None:
    assert isinstance(value, Unreadable)
    assert value.reason == reason


def test_one_unreadable_value_makes_its_parents_unreadable_and_no_sibling() -> None:
    texts = pa.array([b"ok", b"\xff", b"fine"]).view(pa.string())
    first, bad, last = column_values(texts)
    assert (first, last) == ("ok", "fine")
    unreadable(bad, "bytes that are not UTF-8")
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), texts)
    unreadable(column_values(lists)[0], "bytes that are not UTF-8")
    assert column_values(lists)[1] == ["fine"]
    structs = column_values(pa.StructArray.from_arrays([texts], names=["t"]))
    unreadable(structs[1], "t: bytes that are not UTF-8")
    assert structs[2] == {"t": "fine"}


def test_names_and_keys_that_are_there_twice() -> None:
    numbers = pa.array([1, 2])
    (first, second) = column_values(
        pa.StructArray.from_arrays([numbers, numbers], names=["m", "m"])
    )
    unreadable(first, "members 1 and 2 are both named 'm'")
    assert isinstance(second, Unreadable) and second.value == (2, 2)
    maps = pa.array([[("a", 1), ("a", 2)], [("a", 1)]], pa.map_("str", "int64"))
    unreadable(column_values(maps)[0], "two keys are equal")
    assert column_values(maps)[1] == {"a": 1}
    assert duplicate_name(["a", "b", "a"]) == "columns 1 and 3 are both named 'a'"
    assert duplicate_name(["a", "b"]) is None


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["x", "y"]), ["x", "x", "y"]),
        (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), [[1, 2], None]),
        (pa.array([0.1, None], pa.float32()), [0.1, None]),
        (pa.array([{"a": 1}, None]), [{"a": 1}, None]),
        (pa.array([None, None]), [None, None]),
        (pa.array([(1, 2, 500_000_000)], pa.month_day_nano_interval()), ["P1M2DT0.5S"]),
        (
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([UUID.bytes], pa.binary(16))),
            [str(UUID)],
        ),
    ],
)
def test_rare_types(column: pa.Array, values: list[Any]) -> None:
    assert column_values(column) == values

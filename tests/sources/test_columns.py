"""Columns: digests depend on every byte of the values, and any mix of values is restored."""

import ctypes
import datetime
import decimal
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.sources.columns import (
    ColumnTypes,
    column_digests,
    column_field,
    is_json,
    mixed_as_json,
    restored,
    stored,
    weight,
)

DAY = datetime.date(2001, 2, 3)
MOMENT = datetime.datetime(2001, 2, 3, 4, 5, 6, 789012)
TYPES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False, True, True, False, True, False, False, True],
    pa.int8(): [1, -2, 3], pa.uint16(): [1, 65535, 3], pa.int32(): [1, -2, 3],
    pa.int64(): [1, -(2**63), 3], pa.uint64(): [1, 2**64 - 1, 3],
    pa.float32(): [0.5, -0.0, 3.25], pa.float64(): [0.1, 1e300, -2.5],
    pa.decimal128(20, 3): [decimal.Decimal("1.25"), decimal.Decimal("-7.125")],
    pa.decimal256(50, 3): [decimal.Decimal("1.25"), decimal.Decimal("-7.125")],
    pa.date32(): [DAY], pa.date64(): [DAY], pa.time32("s"): [MOMENT.time()],
    pa.time64("us"): [MOMENT.time()], pa.timestamp("ms", "UTC"): [MOMENT],
    pa.timestamp("us"): [MOMENT, MOMENT], pa.duration("us"): [datetime.timedelta(1, 2, 3)],
    pa.string(): ["xx", "Paris", "", "Łódź"], pa.large_string(): ["xx", "Parma", ""],
    pa.string_view(): ["xx", "a text that is longer than twelve bytes"],
    pa.binary(): [b"xx", b"\xff\x00"], pa.large_binary(): [b"xx", b"\xff\x00"],
    pa.binary_view(): [b"xx", b"bytes that are longer than twelve bytes"],
    pa.binary(3): [b"abc", b"def"],
    pa.list_(pa.string()): [["a", "bc"], [], ["def"]],
    pa.large_list(pa.int16()): [[1, 2], [], [3]],
    pa.list_(pa.int32(), 2): [[1, 2], [3, 4]],
    pa.struct([("a", pa.string()), ("b", pa.list_(pa.int8()))]): [
        {"a": "x", "b": [1]}, {"a": "yz", "b": []},
    ],
    pa.map_(pa.string(), pa.int32()): [[("a", 1), ("bc", 2)], []],
    pa.dictionary(pa.int8(), pa.string()): ["red", "green", "red"],
    pa.null(): [None, None],
}  # fmt: skip


def digest(column: pa.Array, name: str = "c") -> str:
    return column_digests(pa.record_batch([column], names=[name]))[name]


def buffers(column: pa.Array) -> list[pa.Buffer]:
    own = [b for b in column.buffers() if b is not None]
    return own + (buffers(column.dictionary) if pa.types.is_dictionary(column.type) else [])


def exact(column: pa.Array) -> str:
    """The values as text: numbers as their bits, which Python's own comparison may not tell apart."""
    type_ = column.type
    whole = pa.types.is_temporal(type_) or pa.types.is_floating(type_)
    if whole:
        column = column.view(pa.int32() if type_.bit_width == 32 else pa.int64())
    if pa.types.is_decimal(type_):
        column = column.view(pa.binary(type_.byte_width))
    return repr(column.to_pylist())


def is_sound(column: pa.Array) -> bool:
    """Whether the buffers may be read."""
    if pa.types.is_temporal(column.type):
        return True  # a date64 may hold a part of a day
    try:
        column.validate(full=True)
    except (pa.ArrowException, IndexError):
        return False
    return True


def changed_bytes(column: pa.Array) -> tuple[int, int]:
    """Flip each byte of each buffer in turn -> (flips that changed values, those with a new digest)."""
    before, values = digest(column), exact(column)
    changed = detected = 0
    for buffer in buffers(column):
        for place in range(buffer.size):
            byte = ctypes.c_uint8.from_address(buffer.address + place)
            kept = byte.value
            byte.value = kept ^ 1
            if is_sound(column) and exact(column) != values:
                changed += 1
                detected += digest(column) != before
            byte.value = kept
    assert digest(column) == before
    return changed, detected


def in_fresh_buffers(column: pa.Array) -> pa.Array:
    """A copy whose buffers may be changed; Python's own `bytes` never are."""
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([column], names=["c"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue()).read_all().column(0).chunk(0)


SHAPES: dict[str, Callable[[list[Any]], tuple[list[Any], slice]]] = {
    "whole": lambda v: (v, slice(None)),
    "nulls": lambda v: ([*v, None, *v], slice(None)),
    "sliced": lambda v: ([*v, *v, *v], slice(1, 2 * len(v))),
    "sliced with nulls": lambda v: ([None, *v, None, *v], slice(1, len(v) + 2)),
    "one": lambda v: (v[:1], slice(None)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_each_byte_of_each_buffer_counts(type_: pa.DataType, shape: str) -> None:
    values, part = SHAPES[shape](TYPES[type_])
    column = in_fresh_buffers(pa.array(values, type_))[part]
    changed, detected = changed_bytes(column)
    assert changed == detected
    assert changed > 0 or type_ == pa.null()


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_length_nulls_and_slices_count(type_: pa.DataType) -> None:
    values = TYPES[type_]
    column = pa.array(values, type_)
    shorter = [column[:n] for n in range(len(values))]
    longer = pa.array([*values, None], type_)
    found = [digest(c) for c in (*shorter, column, longer)]
    assert len(set(found)) == len(values) + 2
    twice = pa.concat_arrays([column, column])
    if not pa.types.is_dictionary(type_) and "view" not in str(type_):  # slices keep what is shared
        assert digest(twice[len(values) :]) == digest(column)


def test_types_names_and_forms_count() -> None:
    columns = [pa.array(v[:1], t) for t, v in TYPES.items()]
    assert len({digest(c) for c in columns}) == len(TYPES)
    empty = [pa.array([], t) for t in TYPES]
    assert len({digest(c) for c in empty}) == len(TYPES)
    text = pa.array(['"a"'])
    as_json = pa.schema([column_field("c", text, ["c"])])
    json_digest = column_digests(pa.record_batch([text], schema=as_json))["c"]
    assert json_digest != digest(text) == digest(text, "other")


TEXTS: st.SearchStrategy[list[str | None]] = st.lists(st.text(max_size=6) | st.none(), max_size=12)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.data())
def test_equal_digests_mean_equal_values(values: list[str | None], data: st.DataObject) -> None:
    other = data.draw(TEXTS)
    if data.draw(st.booleans()) and values:  # one character of one value is another one
        place = data.draw(st.integers(0, len(values) - 1))
        other = list(values)
        other[place] = data.draw(st.text(max_size=6) | st.none())
    one, two = (stored(v, False).cast(pa.string()) for v in (values, other))
    assert (digest(one) == digest(two)) == (values == other)


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1.0, "", "ü"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.lists(NESTED, max_size=6), st.integers(0, 6))
def test_values_of_any_mix_are_restored_exactly(values: list[object], cut: int) -> None:
    types = ColumnTypes(["v"])
    tables = []
    for part in (values[:cut], values[cut:]):  # the second part may make the first one mixed
        assert [types.misfit([v]) for v in part] == [None] * len(part)
        column = stored(part, "v" in types.mixed)
        schema = pa.schema([column_field("v", column, types.mixed)])
        tables.append(mixed_as_json(pa.table([column], schema=schema), types.mixed))
    tables = [mixed_as_json(t, types.mixed) for t in tables]
    found = [restored(t.column(0), t.schema.field(0)) for t in tables]
    assert repr(found[0] + found[1]) == repr(values)
    assert all(is_json(t.schema.field(0)) == ("v" in types.mixed) for t in tables)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**63, "field v: a number beyond 64 bits"),
        ("\ud800", "field v: a lone surrogate in the text"),
        ([{"a": -(2**63) - 1}], "field v[].a: a number beyond 64 bits"),
        ({1: "x"}, "field v: a key that is no text"),
    ],
)
def test_a_value_that_cannot_be_stored_names_its_spot(value: object, reason: str) -> None:
    types = ColumnTypes(["v"])
    assert types.misfit([value]) == reason
    assert types.misfit([[1, "x"]]) is None  # a dropped row leaves no kinds behind
    assert types.mixed == {"v"}


def test_weights_grow_with_the_value() -> None:
    assert weight("x" * 100) == weight("") + 100
    assert weight(["ab", {"k": "ab"}]) == 64 + weight("ab") + 64 + weight("ab")

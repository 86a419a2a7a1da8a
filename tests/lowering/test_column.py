"""Columns of values and their scopes, against lists of values."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import printable
from flancompile.dsl.jinja.values import RowError
from flancompile.lowering.column import Column, Scope, rowwise, scattered

ROWS = 5
FALLBACK = "falls back"  # a row of the model without a value
TEXT = st.text("abé\n", max_size=3)
SCALAR = st.one_of(TEXT, st.integers(-2, 2), st.booleans(), st.none(), st.just(1.5), st.just(["a"]))
Model = list[Any]


@st.composite
def columns(draw: st.DrawFn, of: st.SearchStrategy[Any] = SCALAR) -> tuple[Column, Model]:
    """A column of any form, and its values as a list."""
    form = draw(st.sampled_from(["constant", "list", "text"]))
    if form == "constant":
        value = draw(of)
        column, values = Column.constant(value), [value] * ROWS
    elif form == "list":
        values = draw(st.lists(of, min_size=ROWS, max_size=ROWS))
        column = Column.of(list(values))
    else:
        values = draw(st.lists(TEXT, min_size=ROWS, max_size=ROWS))
        column = Column.of_text(pa.array(["cut", *values], pa.string())[1:])
    lost = np.array(sorted(draw(st.sets(st.integers(0, ROWS - 1), max_size=2))), np.int64)
    return column.with_fallback(lost, ROWS), [
        FALLBACK if i in lost else v for i, v in enumerate(values)
    ]


def model(column: Column, rows: int = ROWS) -> Model:
    flags = column.fallback(rows)
    assert column.fallback_rows().tolist() == np.flatnonzero(flags).tolist()
    values = column.values(rows)
    assert len(values) == len(flags) == rows
    return [FALLBACK if lost else v for v, lost in zip(values, flags, strict=True)]


def shown(value: Any) -> Any:
    """The text of a value; FALLBACK if it has none."""
    try:
        return FALLBACK if value is FALLBACK else str(printable(value))
    except RowError:
        return FALLBACK


@given(columns(), st.lists(st.integers(0, ROWS - 1), max_size=9))
@settings(max_examples=60, deadline=None)
def test_rows_are_taken_in_any_order(pair: tuple[Column, Model], places: list[int]) -> None:
    column, values = pair
    taken = column.take(np.array(places, np.int64))
    assert model(taken, len(places)) == [values[i] for i in places]


@given(columns())
@settings(max_examples=60, deadline=None)
def test_printed_values_are_texts(pair: tuple[Column, Model]) -> None:
    column, values = pair
    found = column.printed(ROWS)
    assert model(found) == list(map(shown, values))
    texts = found.text(ROWS)
    assert (texts.type, texts.null_count) == (pa.string(), 0)
    assert [t for t, v in zip(texts.to_pylist(), values, strict=True) if shown(v) is not FALLBACK] == [
        shown(v) for v in values if shown(v) is not FALLBACK
    ]  # fmt: skip


@given(columns())
@settings(max_examples=60, deadline=None)
def test_truth_is_python_s(pair: tuple[Column, Model]) -> None:
    column, values = pair
    truth, resolved = column.truth(ROWS)
    assert resolved.tolist() == [v is not FALLBACK for v in values]
    assert truth[resolved].tolist() == [bool(v) for v in values if v is not FALLBACK]


@given(st.lists(columns(TEXT), max_size=4))
@settings(max_examples=60, deadline=None)
def test_printed_columns_are_joined_row_by_row(pairs: list[tuple[Column, Model]]) -> None:
    found = Column.joined([column.printed(ROWS) for column, _ in pairs], ROWS)
    lines = list(zip(*(values for _, values in pairs), strict=True)) or [()] * ROWS
    assert model(found) == [FALLBACK if FALLBACK in line else "".join(line) for line in lines]


@given(
    columns(), columns(), columns(TEXT), st.lists(st.integers(0, 3), min_size=ROWS, max_size=ROWS)
)
@settings(max_examples=60, deadline=None)
def test_columns_over_parts_of_the_rows_are_merged(
    one: tuple[Column, Model], two: tuple[Column, Model], three: tuple[Column, Model], of: list[int]
) -> None:
    """Each row is in one of three parts, or in none."""
    parts, expected = [], [FALLBACK] * ROWS
    for number, (column, values) in enumerate((one, two, three)):
        at = np.flatnonzero(np.array(of) == number)
        parts.append((at, column.take(at)))
        for row in at.tolist():
            expected[row] = values[row]
    assert model(scattered(parts, ROWS)) == expected


@given(columns(), columns())
@settings(max_examples=60, deadline=None)
def test_a_row_on_which_a_function_raises_falls_back(
    one: tuple[Column, Model], two: tuple[Column, Model]
) -> None:
    found = rowwise(lambda a, b: a + b, one[0], two[0], rows=ROWS)
    expected = []
    for a, b in zip(one[1], two[1], strict=True):
        try:
            expected.append(FALLBACK if FALLBACK in (a, b) else a + b)
        except TypeError:
            expected.append(FALLBACK)
    assert model(found) == expected
    assert (model(one[0]), model(two[0])) == (one[1], two[1])  # as before


@given(columns(), st.integers(0, ROWS - 1))
@settings(max_examples=40, deadline=None)
def test_more_rows_that_fall_back_are_of_the_new_column(
    pair: tuple[Column, Model], row: int
) -> None:
    column, values = pair
    found = column.with_fallback(np.array([row, row]), ROWS)
    assert model(found) == [FALLBACK if i == row else v for i, v in enumerate(values)]
    assert model(column) == values


def test_a_function_of_constants_is_called_once() -> None:
    calls: list[int] = []

    def next_of(value: int) -> int:
        calls.append(value)
        return value + 1

    found = rowwise(next_of, Column.constant(1), rows=ROWS)
    assert (found.is_constant, model(found), calls) == (True, [2] * ROWS, [1])
    failed = rowwise(lambda a: 1 // a, Column.constant(0), rows=ROWS)
    assert model(failed) == [FALLBACK] * ROWS


def test_each_row_has_an_iterator_of_its_own() -> None:
    """A generator is used up by the row that reads it, so rows cannot share one."""
    made = rowwise(lambda a: (c for c in a), Column.constant("ab"), rows=3)
    assert model(rowwise(list, made, rows=3), 3) == [["a", "b"]] * 3


def test_a_generator_that_fails_is_not_read_twice() -> None:
    def numbers(last: int) -> Iterator[int]:
        yield from range(last)
        raise ValueError

    given_ = Column.of([numbers(1), iter([7]), numbers(2), iter([8])])
    assert model(rowwise(list, given_, rows=4), 4) == [FALLBACK, [7], FALLBACK, [8]]


def test_a_function_without_columns_has_one_value_unless_that_is_an_iterator() -> None:
    assert rowwise(list, rows=3).is_constant
    assert model(rowwise(list, rowwise(lambda: iter("ab"), rows=3), rows=3), 3) == [["a", "b"]] * 3


@pytest.mark.parametrize(
    ("array", "is_text"),
    [
        (pa.array(["a", "b"]), True), (pa.array(["a", None]), False), (pa.array([1, 2]), False),
        (pa.array(["a", "b"], pa.large_string()), False), (pa.array([["a"], []]), False),
        (pa.array([], pa.string()), True), (pa.nulls(2), False),
    ],
)  # fmt: skip
def test_fields_of_text_without_nulls_stay_in_arrow(array: pa.Array, is_text: bool) -> None:
    column = Column.of_array(array)
    assert column.is_text is is_text
    assert model(column, len(array)) == array.to_pylist()


def test_half_a_character_has_no_arrow_text() -> None:
    found = Column.of(["a", "\ud800"]).printed(2)
    assert (model(found, 2), found.text(2).to_pylist()) == ([FALLBACK] * 2, ["", ""])


def test_an_inner_scope_reads_what_it_does_not_set() -> None:
    loaded: list[str] = []

    def load(name: str) -> Column | None:
        loaded.append(name)
        return Column.of([f"{name}{i}" for i in range(4)]) if name in "ab" else None

    outer = Scope(4, load=load)
    inner = outer.sub(np.array([3, 1, 1])).nested()
    deeper = inner.sub(np.array([0, 2]))
    inner.set("b", Column.constant("set"))
    assert [_values(s, "a") for s in (deeper, inner, outer)] == [
        ["a3", "a1"], ["a3", "a1", "a1"], ["a0", "a1", "a2", "a3"],
    ]  # fmt: skip
    assert (_values(deeper, "b"), _values(outer, "b")) == (["set"] * 2, ["b0", "b1", "b2", "b3"])
    assert deeper.get("c") is None
    deeper.set("a", Column.constant("own"))
    assert (_values(deeper, "a"), _values(inner, "a")) == (["own"] * 2, ["a3", "a1", "a1"])
    assert loaded == ["a", "b", "c"]


def _values(scope: Scope, name: str) -> Sequence[Any]:
    column = scope.get(name)
    assert column is not None
    return column.values(scope.rows)

"""Woven texts against the same joined in Python."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.weave import Program, TextPool, weave, woven

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ARRAYS = st.lists(st.lists(TEXT, max_size=6), min_size=1, max_size=3).filter(any)
PARTS = st.lists(st.one_of(TEXT, st.integers(0, 3)), max_size=6)


def no_making(how: object, texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    raise AssertionError(how)


def doubled(how: object, texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Each text as often as `how` says; what holds an x is not sure."""
    found = texts.to_pylist()
    return pa.array([t * int(str(how)) for t in found]), np.array(["x" in t for t in found])


@given(ARRAYS, st.lists(PARTS, min_size=1, max_size=4), st.data(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_each_row_is_its_parts_joined(
    arrays: list[list[str]], parts: list[list[str | int]], data: st.DataObject, sliced: bool
) -> None:
    texts = [t for array in arrays for t in array]
    made = [pa.array([*a, "more"], pa.string()).slice(0, len(a)) for a in arrays]
    if sliced:
        made = [pa.array(["before", *a], pa.large_string()).slice(1) for a in arrays]
    rows = data.draw(st.integers(0, 9))
    number = st.integers(0, len(texts) - 1)
    line = st.lists(number, min_size=4, max_size=4)
    slots = data.draw(st.lists(line, min_size=rows, max_size=rows))
    of = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=rows, max_size=rows))
    found = weave(
        [Program(tuple(p)) for p in parts],
        np.array(of, np.int64), np.array(slots, np.int64).reshape(rows, 4), TextPool(made),
    )  # fmt: skip
    wanted = [
        "".join(p if isinstance(p, str) else texts[slots[row][p]] for p in parts[of[row]])
        for row in range(rows)
    ]
    assert found is not None
    found.validate(full=True)
    assert found.to_pylist() == wanted


def test_more_than_an_array_holds_is_left() -> None:
    pool, of = TextPool([pa.array(["four"])]), np.zeros(2, np.int64)
    slots = np.zeros((2, 1), np.int64)
    assert weave([Program((0,))], of, slots, pool, most=8) is not None
    assert weave([Program((0,))], of, slots, pool, most=7) is None


def test_rows_whose_programs_do_not_fit_are_left_out() -> None:
    pool = TextPool([pa.array(["a", "", "c"])])
    asking = Program(("<", 0, ">"), frozenset({0}))
    programs = [asking, None, Program((0, "!"))]
    of, slots = np.array([0, 0, 1, 2, 0, 2]), np.array([[0], [1], [0], [1], [2], [2]])
    at, texts = woven(programs, of, slots, pool, no_making)
    assert at.tolist() == [0, 3, 4, 5]
    assert texts.to_pylist() == ["<a>", "!", "<c>", "c!"]


def test_what_is_made_of_texts_stands_in_slots_of_its_own() -> None:
    pool = TextPool([pa.array(["a", "b", "x"])])
    programs = [
        Program((0, "=", 2, 3), width=2, made=((1, 2), (0, 3))),
        Program((0, 1), width=1, made=((0, 2),)),
        Program((1,), width=2),
    ]
    of = np.array([1, 0, 2, 0, 1, 0])
    slots = np.array([[0, 9], [0, 1], [2, 2], [1, 2], [1, 9], [1, 1]])
    at, texts = woven(programs, of, slots, pool, doubled)
    assert at.tolist() == [0, 1, 2, 4, 5]
    assert texts.to_pylist() == ["aaa", "a=bbaaa", "x", "bbb", "b=bbbbb"]


@pytest.mark.parametrize("programs", [[], [None]])
def test_nothing_to_weave(programs: list[Program | None]) -> None:
    none = np.zeros(0, np.int64)
    pool = TextPool([pa.array([], pa.string())])
    at, texts = woven(programs, none, none[:, None], pool, no_making)
    assert (len(at), texts.to_pylist(), texts.type) == (0, [], pa.string())

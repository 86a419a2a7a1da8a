"""Texts strung together of fragments, against the same joined in Python."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.ropes import fragments as fragments_module
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.ropes import Program, Ropes

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TEXTS = st.lists(TEXT, min_size=1, max_size=12)
PARTS = st.lists(st.one_of(TEXT, st.integers(0, 3)), max_size=6)


def no_filters(how: object, texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    raise AssertionError(how)


def doubled(how: object, texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Each text as often as `how` says; what holds an x is not sure."""
    found = texts.to_pylist()
    return pa.array([t * int(str(how)) for t in found]), np.array(["x" in t for t in found])


@given(TEXTS, TEXTS, st.lists(PARTS, min_size=1, max_size=4), st.data(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_each_row_is_its_parts_joined(
    texts: list[str],
    more: list[str],
    parts: list[list[str | int]],
    data: st.DataObject,
    large: bool,
) -> None:
    kind = pa.large_string() if large else pa.string()
    fragments = Fragments()
    numbers = fragments.intern(pa.array(["before", *texts, "more"], kind).slice(1, len(texts)))
    # A piece of two of the texts, and one of none, stand beside the fragments.
    pieces = Ropes.joined([Ropes(numbers[[0, -1]].astype(np.int32), np.array([0, 2, 2]))])
    known = [*texts, texts[0] + texts[-1], ""]
    codes = [*numbers.tolist(), -1, -2]
    rows = data.draw(st.integers(0, 9))
    line = st.lists(st.integers(0, len(known) - 1), min_size=4, max_size=4)
    slots = data.draw(st.lists(line, min_size=rows, max_size=rows))
    of = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=rows, max_size=rows))
    given_ = np.array([[codes[i] for i in row] for row in slots], np.int64).reshape(rows, 4)
    programs = [Program(tuple(p)) for p in parts]
    found = fragments.concatenate(programs, np.array(of, np.int64), given_, pieces)
    wanted = [
        "".join(p if isinstance(p, str) else known[slots[row][p]] for p in parts[of[row]])
        for row in range(rows)
    ]
    assert fragments.texts(found).to_pylist() == wanted
    assert fragments.sizes(found).tolist() == [len(w.encode()) for w in wanted]
    order = np.arange(rows)[::-1].repeat(2)
    twice = fragments.texts(found.take(order))
    twice.validate(full=True)
    assert twice.to_pylist() == [wanted[i] for i in order]
    assert fragments.is_empty(given_, pieces).tolist() == [[not known[i] for i in r] for r in slots]
    assert (fragments.intern(pa.array(texts)) == numbers).all()
    assert fragments.texts(Ropes.single(fragments.intern(pa.array(more)))).to_pylist() == more


def test_a_text_is_kept_once_however_many_there_are() -> None:
    fragments = Fragments()
    some = [f"text {n} {'x' * (n % 900)}" for n in range(5000)]
    numbers = fragments.intern(pa.array(some))
    assert (fragments.intern(pa.array(some[::-1])) == numbers[::-1]).all()
    assert fragments.texts(Ropes.single(numbers)).to_pylist() == some
    assert fragments.is_marked(Ropes.single(fragments.intern(pa.array(["é \n", " a ", ""])))).tolist() == [
        False, True, False,
    ]  # fmt: skip


def test_more_than_an_array_holds_has_longer_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments_module, "LARGEST", 7)
    fragments = Fragments()
    found = fragments.texts(Ropes.single(fragments.intern(pa.array(["four", "five"]))))
    assert (found.type, found.to_pylist()) == (pa.large_string(), ["four", "five"])


def test_rows_whose_programs_do_not_fit_are_left_out() -> None:
    fragments = Fragments()
    a, nothing, c = fragments.intern(pa.array(["a", "", "c"])).tolist()
    asking = Program(("<", 0, ">"), frozenset({0}))
    programs = [asking, None, Program((0, "!"))]
    of, slots = np.array([0, 0, 1, 2, 0, 2]), np.array([[a], [nothing], [a], [nothing], [c], [c]])
    at, texts = fragments.concatenate_resolved(programs, of, slots, None, no_filters)
    assert at.tolist() == [0, 3, 4, 5]
    assert fragments.texts(texts).to_pylist() == ["<a>", "!", "<c>", "c!"]


def test_what_is_made_of_texts_stands_in_slots_of_its_own() -> None:
    fragments = Fragments()
    a, b, x = fragments.intern(pa.array(["a", "b", "x"])).tolist()
    piece = Ropes(np.array([a, b], np.int32), np.array([0, 1, 2]))
    programs = [
        Program((0, "=", 2, 3), width=2, filtered=((1, 2), (0, 3))),
        Program((0, 1), width=1, filtered=((0, 2),)),
        Program((1,), width=2),
    ]
    of = np.array([1, 0, 2, 0, 1, 0])
    slots = np.array([[a, 9], [-1, -2], [x, x], [b, x], [b, 9], [b, b]])
    at, texts = fragments.concatenate_resolved(programs, of, slots, piece, doubled)
    assert at.tolist() == [0, 1, 2, 4, 5]
    assert fragments.texts(texts).to_pylist() == ["aaa", "a=bbaaa", "x", "bbb", "b=bbbbb"]


@pytest.mark.parametrize("programs", [[], [None]])
def test_nothing_to_spell(programs: list[Program | None]) -> None:
    none = np.zeros(0, np.int64)
    at, texts = Fragments().concatenate_resolved(programs, none, none[:, None], None, no_filters)
    assert (len(at), Fragments().texts(texts).to_pylist()) == (0, [])

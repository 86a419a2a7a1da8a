"""Sequences of ropes against lists of fragment numbers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.ropes.ropes import Ropes

Lists = list[list[int]]
LISTS = st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=6)


def ropes(lists: Lists) -> Ropes:
    flat = np.array([n for one in lists for n in one], np.int32)
    return Ropes(flat, np.cumsum([0, *map(len, lists)]).astype(np.int64))


def lists_of(found: Ropes) -> Lists:
    ends = found.ends.tolist()
    return [found.fragments[a:b].tolist() for a, b in pairwise(ends)]


@settings(deadline=None)  # the first example compiles
@given(LISTS, LISTS, st.data())
def test_operations_equal_those_of_lists(some: Lists, more: Lists, data: st.DataObject) -> None:
    whole = ropes(some)
    start = data.draw(st.integers(0, len(some)))
    stop = data.draw(st.integers(start, len(some)))
    part = whole.part(start, stop)  # a view: its first offset may not be 0
    assert len(part) == stop - start
    assert lists_of(part) == some[start:stop]
    assert lists_of(part.after(7)) == [[7, *one] for one in some[start:stop]]
    assert lists_of(Ropes.joined([part, ropes(more), whole])) == [*some[start:stop], *more, *some]
    if some:
        places = data.draw(st.lists(st.integers(0, len(some) - 1), max_size=8))
        assert lists_of(whole.take(np.array(places, np.int64))) == [some[i] for i in places]


def test_ropes_of_one_fragment_and_of_none() -> None:
    assert lists_of(Ropes.single(np.array([3, 0, 3]))) == [[3], [0], [3]]
    assert len(Ropes.joined([])) == 0

"""Marks of special tokens: added, removed, and replaced wherever they are in a row's value."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.marks import CLOSE, OPEN, REPLACEMENT, marked, replaced, unmarked

TEXTS = st.text(st.sampled_from([OPEN, CLOSE, "a", "<", "é", REPLACEMENT]), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(TEXTS)
def test_unmarked_text_is_the_text_without_marks(text: str) -> None:
    bare = text.replace(OPEN, "").replace(CLOSE, "")
    assert unmarked(text) == unmarked(marked(text)) == bare
    assert marked(text)[1:-1] == text


@settings(deadline=None)
@given(VALUES)
def test_a_value_without_marks_keeps_its_shape(value: Any) -> None:
    found = replaced(value)
    assert type(found) is type(value)
    assert OPEN not in repr(found) and CLOSE not in repr(found)
    assert replaced(found) == found
    if isinstance(value, str):
        assert found == value.replace(OPEN, REPLACEMENT).replace(CLOSE, REPLACEMENT)


def test_marks_are_replaced_at_any_depth() -> None:
    row = {"a" + OPEN: [1, ("x", f"{OPEN}</s>{CLOSE}"), None], "b": 2.5}
    assert replaced(row) == {"a\ufffd": [1, ("x", "\ufffd</s>\ufffd"), None], "b": 2.5}

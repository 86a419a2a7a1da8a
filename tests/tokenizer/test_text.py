"""Texts in Arrow's layout, from strings and from arrays with offsets."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.tokenizer.text import Texts

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=6), max_size=8)
KINDS = st.sampled_from([pa.string(), pa.large_string()])


def by_bytes(texts: Texts) -> list[str]:
    data, ends = texts.data.tobytes(), texts.offsets.tolist()
    return [data[a:b].decode() for a, b in pairwise(ends)]


@settings(deadline=None)
@given(TEXTS, KINDS, st.data())
def test_bytes_and_strings_agree_for_slices(
    texts: list[str], kind: pa.DataType, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(texts)))
    found = Texts.of(pa.array(texts, kind).slice(first))
    assert by_bytes(found) == found.strings() == texts[first:]
    assert len(found) == len(texts) - first and found.offsets.dtype == np.int64
    assert found.size == sum(len(t.encode()) for t in texts[first:])
    assert Texts.of(found) is found


@settings(deadline=None)
@given(TEXTS.filter(bool), st.data())
def test_marked_texts_become_empty(texts: list[str], data: st.DataObject) -> None:
    mask = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    expected = ["" if m else t for t, m in zip(texts, mask, strict=True)]
    assert by_bytes(Texts.of(texts).emptied(np.array(mask))) == expected
    places = [i for i, m in enumerate(mask) if m]
    assert Texts.of(texts).strings(places) == [texts[i] for i in places]


def test_values_that_are_not_text_are_errors() -> None:
    with pytest.raises(TypeError, match="null"):
        Texts.of(pa.array(["a", None]))
    with pytest.raises(TypeError):
        Texts.of(["a", 3])
    with pytest.raises(UnicodeEncodeError):
        Texts.of(["a", "\ud800"])

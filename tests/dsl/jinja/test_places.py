"""Source positions of the characters of YAML scalars, and of words in Jinja texts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.jinja.places import occurrences, spots
from flancompile.errors import Span

CHARACTERS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


@given(CHARACTERS)
def test_single_quoted(text: str) -> None:
    source = "k: '" + text.replace("'", "''") + "'"
    places = spots([source], Span("f", 1, 4, 1, len(source) + 1), text)
    assert places is not None and len(places) == len(text) + 1
    assert [source[column - 1] for _, column in places] == [*text, "'"]


@given(CHARACTERS)
def test_double_quoted(text: str) -> None:
    source = "k: " + json.dumps(text, ensure_ascii=False)
    places = spots([source], Span("f", 1, 4, 1, len(source) + 1), text)
    assert places is not None and len(places) == len(text) + 1
    marks = [source[column - 1] for _, column in places[:-1]]
    assert marks == ["\\" if c in '\\"' else c for c in text]


@pytest.mark.parametrize(
    ("text", "word", "starts"),
    [
        ("{{ a }} a {{ b.a }}", "a", [3]),
        ("{{ b.a }} a", "a", [5]),
        ("{{ b | a }}", "a", [7]),
        ("no code, only a word", "word", [16]),
    ],
)
def test_occurrences(text: str, word: str, starts: list[int]) -> None:
    assert occurrences(text, word) == starts

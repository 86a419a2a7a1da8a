"""Marks of a value beside a mark of its template."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import compile_template
from flancompile.lint.punctuation import doubles_a_mark


def doubled(text: str, value: object) -> bool:
    context = {"v": value}
    return doubles_a_mark(text, compile_template(text).render(context), lambda: context)


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("{{ v }}.", "It rains.", True),
        ("{{ v }}.", "It rains", False),
        ("{{ v }}.", "It rains?", False),
        ("{{ v }}?", "Why?", True),
        ("{{ v }}, then", "Stop!", True),
        ("{{ v }}, then", "apples etc.", False),
        ("{{ v }}, then", "Acme Corp.", False),
        ("{{ v }}, then", "J. R.", False),
        ("{{ v }}, then", "It rains.", True),
        ("{{ v }}.", "Wait...", False),
        ("Say: {{ v }}", ": yes", False),
        ("Say:{{ v }}", ":yes", True),
        ("{{ v | trim }}.", "So. ", True),
        ("{{ v }} .", "So.", False),
        ("{{ v }}.", "", False),
        ("{{ v }}", "So..", False),
        ("Well.. {{ v }} so", "x", False),
        ("{% if v %}{{ v }}.{% endif %}", "So.", True),
        ("{{- v -}}.", "So.", True),
        ("{{ v }}.", 3.0, False),
    ],
)
def test_marks_that_meet(text: str, value: object, found: bool) -> None:
    assert doubled(text, value) is found


WORDS = st.text(string.ascii_letters + " ", min_size=1, max_size=8)
TEXTS = st.lists(st.sampled_from(["{{ v }}", ".", "?", ", ", ": ", "a", "\n"]), max_size=6).map(
    "".join
)


@settings(max_examples=60)
@given(TEXTS, WORDS)
def test_a_value_without_marks_doubles_none(text: str, value: str) -> None:
    assert not doubled(text, value.strip() or "a")


@settings(max_examples=60)
@given(WORDS, st.sampled_from(".?!,;:"))
def test_a_mark_before_the_same_mark_doubles_it(value: str, mark: str) -> None:
    sentence = f"words{value}".rstrip() + "s" + mark
    assert doubled("{{ v }}" + mark, sentence)
    assert not doubled("{{ v }}", sentence)


def test_values_are_asked_for_beside_a_mark_alone() -> None:
    asked = []

    def names() -> None:
        asked.append(1)

    assert not doubles_a_mark("{{ v }} and {{ w }}", "a and b", names)
    assert not asked
    assert not doubles_a_mark("{{ v }}.", "a.", names)
    assert asked == [1]

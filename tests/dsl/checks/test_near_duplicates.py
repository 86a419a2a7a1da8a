"""Near-duplicate templates: punctuation, case, and one word of a long text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.checks.near_duplicates import near_duplicates
from flancompile.dsl.models.task import Template

LONG = "Read the short text below with great care and then say in one word who wrote it for us"


def template(name: str, input_: str) -> Template:
    return Template(name=name, input=input_, target="{{ answer }}")


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (LONG.upper(), "case, white space or punctuation alone"),
        (LONG.replace(" ", "  ") + "!", "case, white space or punctuation alone"),
        (LONG.replace("great", "some"), "one word of 20"),
        (LONG.replace("great", "some").replace("short", "long"), None),
        ("# " + LONG, None),  # a layout mark changes the text
        (LONG, None),  # equal texts are FC213 of their own
    ],
)
def test_difference_to_an_earlier_template(other: str, difference: str | None) -> None:
    found = list(near_duplicates([template("a", LONG), template("b", other)]))
    assert found == ([] if difference is None else [(1, "a", difference)])


@given(st.permutations(["{{ a }}", "{{ b }}", "x", "y"]))
def test_a_short_text_may_differ_in_one_word(order: list[str]) -> None:
    first, second = (template(n, " ".join(w)) for n, w in (("a", order), ("b", [*order, "z"])))
    assert list(near_duplicates([first, second])) == []

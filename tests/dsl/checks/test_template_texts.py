"""Static checks of template texts: code, offset and underlined word."""

import pytest

from flancompile.dsl.checks.template_texts import (
    input_diagnostics,
    options_diagnostics,
    target_diagnostics,
)

INPUTS = [
    ("Q: {{ question }}", []),
    ("Q: {question}", [("FC210", 3, "{question}")]),
    ("Q: {questoin}", [("FC210", 3, "{questoin}")]),
    ("Q: {other}", []),
    ("{{ question }}n", [("FC211", 12, "}}n")]),
    ("{{ question }}\\n", [("FC211", 14, "\\n")]),
    ("Q:: {{ question }}", [("FC217", 1, "::")]),
    ("{{ 'a::b' }}", []),
    ("Q: \n{{ question }}", [("FC216", 2, " ")]),
    ("{{ question }} ", [("FC216", 14, " ")]),
]


@pytest.mark.parametrize(("text", "found"), INPUTS)
def test_input(text: str, found: list[tuple[str, int, str]]) -> None:
    diagnostics = list(input_diagnostics(text, ["question"], ["question"]))
    assert [(d.code, d.at, d.word) for d in diagnostics] == found


@pytest.mark.parametrize(("text", "at"), [(" {{ a }}", 0), ("{{ a }}\n", 7), ("{{ a }}", None)])
def test_white_space_around_a_target(text: str, at: int | None) -> None:
    found = [(d.code, d.at) for d in target_diagnostics(text, ["a"])]
    assert found == ([] if at is None else [("FC216", at)])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Choose one of the following.\n\n{{ options }}", "one of the following"),
        ("{{ question }}\n{{ options }}", None),
        ("{{ choices }}\n{{ options }}", None),
    ],
)
def test_options_mentioned_without_options(text: str, word: str | None) -> None:
    found = [(d.code, text[d.at : d.at + len(d.word)]) for d in options_diagnostics(text)
             if d.at is not None and d.word]  # fmt: skip
    assert found == ([] if word is None else [("FC220", word)])

"""The parts of option blocks and prompts, and how a row renders them."""

import pytest

from flancompile.compiler.render.layout import (
    Part,
    block_parts,
    gold_parts,
    gold_text,
    option_block,
    prompt_parts,
    prompt_pieces,
)
from flancompile.dsl.checks.style import style_names
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

LIBRARY, _ = load_library([])
OPTIONS = OptionStyle(
    label="({{ LETTER }})", item="{{ label }} {{ text }}", opening="{{ count }} OPTIONS:\n",
    ending=".", gold="{{ label }}",
)  # fmt: skip
SHOTS = ShotsStyle(
    opening="{{ instruction }}\n\n", exemplar="Q{{ n }}: {{ input }}\nA: {{ target }}\n{{ explanation }}",
    separator="\n--\n", query="Q{{ n }}: {{ input }}\nA:", zero="{{ instruction }}\n\n{{ input }}",
)  # fmt: skip


def written(parts: tuple[Part, ...]) -> list[str]:
    """Each part on a line: its text with constants filled in and slots as numbers."""
    most = max((slot for part in parts for _, slot in part.slots), default=-1) + 1
    return [part.render([f"<{slot}>" for slot in range(most)]) for part in parts]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ["0 OPTIONS:\n", "."]),
        (1, ["1 OPTIONS:\n", "(A) <0>", "."]),
        (3, ["3 OPTIONS:\n", "(A) <0>", "\n", "(B) <1>", "\n", "(C) <2>", "."]),
    ],
)
def test_parts_of_an_option_block(count: int, expected: list[str]) -> None:
    assert written(block_parts(OPTIONS, count)) == expected


def test_names_of_an_option() -> None:
    _, _, _, item, _ = block_parts(OPTIONS, 2)
    constants = {"n": 2, "letter": "b", "LETTER": "B", "roman": "ii", "label": "(B)"}
    assert dict(item.constants) == constants
    assert item.slots == (("text", 1),)
    (gold,) = gold_parts(OPTIONS, 25)
    constants = {"n": 26, "letter": "z", "LETTER": "Z", "roman": "xxvi", "label": "(Z)"}
    assert gold == Part("{{ label }}", tuple(constants.items()), (("text", 0),))


@pytest.mark.parametrize(
    ("shots", "instruction", "explained", "expected"),
    [
        (0, True, 0, ["<1>\n\n<0>"]),
        (0, False, 0, ["<0>"]),
        (1, True, 0, ["<1>\n\n", "Q1: <2>\nA: <3>", "\n--\n", "Q2: <0>\nA:"]),
        (1, False, 1, ["", "Q1: <2>\nA: <3>\n<4>", "\n--\n", "Q2: <0>\nA:"]),
        (
            2, True, 0b10,
            ["<1>\n\n", "Q1: <2>\nA: <3>", "\n--\n", "Q2: <5>\nA: <6>\n<7>", "\n--\n", "Q3: <0>\nA:"],
        ),
    ],
)  # fmt: skip
def test_parts_of_a_prompt(
    shots: int, instruction: bool, explained: int, expected: list[str]
) -> None:
    assert written(prompt_parts(SHOTS, shots, instruction, explained)) == expected


def test_names_of_an_exemplar() -> None:
    _, first, separator, second, _, query = prompt_parts(SHOTS, 2, False, 0b01)
    absent = ("count", 2), ("instruction", "")
    assert first.constants == (*absent, ("n", 1))
    assert first.slots == (("input", 2), ("target", 3), ("explanation", 4))
    assert separator == Part("\n--\n", is_literal=True)
    assert second.constants == (*absent, ("n", 2), ("explanation", ""))
    assert second.slots == (("input", 5), ("target", 6))
    assert query.constants == (*absent, ("n", 3))
    assert query.slots == (("input", 0),)


def test_a_row_fills_the_slots() -> None:
    assert option_block(OPTIONS, ["yes", "no"]) == "2 OPTIONS:\n(A) yes\n(B) no."
    assert gold_text(OPTIONS, ["yes", "no"], 1) == "(B)"
    assert gold_text(None, ["yes", "no"], 1) == "no"
    pieces = prompt_pieces(SHOTS, [("a", "b", None), ("c", "d", "why")], "e", "Do")
    first, second = "Q1: a\nA: b", "Q2: c\nA: d\nwhy"
    assert pieces == ("Do\n\n", first, "\n--\n", second, "\n--\n", "Q3: e\nA:")
    assert prompt_pieces(SHOTS, [], "e", None) == ("e",)


def test_a_literal_is_not_rendered() -> None:
    style = OptionStyle(separator="{{ n }}")
    assert option_block(style, ["{{ text }}", "b"]) == "{{ text }}{{ n }}b"


def test_a_label_that_cannot_be_rendered_is_an_error_of_the_row() -> None:
    style = OptionStyle(label="{{ ['one', 'two'][n - 1] | upper }}")
    assert option_block(style, ["a", "b"]) == "a\nb"
    with pytest.raises(RowError):
        option_block(style, ["a", "b", "c"])
    with pytest.raises(RowError):
        gold_text(style, ["a", "b", "c"], 2)
    assert gold_text(style, ["a", "b", "c"], 1) == "b"


def test_parts_have_all_the_names_that_the_check_allows() -> None:
    """A name that `check` allows in a text of a style has a value in each of its parts."""
    seen = set()
    for shots, instruction, explained in [(0, True, 0), (0, False, 0), (2, True, 1), (2, False, 2)]:
        for field in ("opening", "exemplar", "query", "zero"):
            style = ShotsStyle(**{field: f"<{field}>"})
            for part in prompt_parts(style, shots, instruction, explained):
                if part.text == f"<{field}>":
                    names = {name for name, _ in (*part.constants, *part.slots)}
                    assert style_names("shots", field) <= names
                    seen.add(field)
    for field in ("opening", "ending", "item", "gold"):
        options = OptionStyle(**{field: f"<{field}>"})
        for part in (*block_parts(options, 3), *gold_parts(options, 1)):
            if part.text == f"<{field}>":
                names = {name for name, _ in (*part.constants, *part.slots)}
                assert style_names("options", field) <= names
                seen.add(field)
    assert seen == {"opening", "exemplar", "query", "zero", "ending", "item", "gold"}


def test_parts_are_made_once() -> None:
    style = next(iter(LIBRARY.shots_styles.values()))
    assert prompt_parts(style, 3, True, 5) is prompt_parts(style, 3, True, 5)

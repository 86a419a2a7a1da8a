"""YAML that does not parse: every mistake has a place in the file and a remedy."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.yaml.document import parse
from flancompile.errors import Diagnostic, FlancompileError

MISTAKES = Path(__file__).parents[2] / "mistakes"
TEXTS = [
    piece.split("\n@ ")[0].partition("\n")[2]
    for piece in (MISTAKES / "syntax.txt").read_text().split("@ file datasets/")[1:]
]
MARKS = [*"{}[]:\"'-#|>&*!%@`,\n \t?", "  ", "{{", "}}", "- "]


def diagnostics(text: str) -> list[Diagnostic]:
    try:
        parse(text, "f")
    except FlancompileError as error:
        return list(error.diagnostics)
    return []


@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_damage_has_a_place_and_a_remedy(text: str, draw: random.Random, edits: int) -> None:
    for _ in range(edits):
        at = draw.randrange(len(text) + 1)
        mark = draw.choice(["", *MARKS])
        text = draw.choice([text[:at] + mark + text[at + draw.randint(0, 3) :], text[:at]])
    lines = text.split("\n")
    for found in diagnostics(text):
        assert found.code in ("FC101", "FC102")
        assert found.hint
        assert found.span is not None
        assert 1 <= found.span.line <= len(lines)
        assert found.span.column <= len(lines[found.span.line - 1]) + 1


@pytest.mark.parametrize("indent", [0, 1, 2, 3, 5, 6, 8])
def test_a_line_that_is_indented_otherwise_is_the_one_reported(indent: int) -> None:
    rest = ["top:", "  one:", "    a: 1", "    b: 2", "    c: {d: 1}", "    e: 3", "    f: 4", ""]
    for moved in (3, 4, 5):
        lines = [*rest]
        lines[moved] = " " * indent + lines[moved].strip()
        found = diagnostics("\n".join(lines))
        assert [d.span.line for d in found if d.span] == [moved + 1], (lines, found)

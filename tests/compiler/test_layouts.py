"""The layouts that ship with the package, over all that a task may or may not have."""

import re
from itertools import pairwise

import pytest

from flancompile.compiler.layout import option_block, prompt_pieces
from flancompile.dsl.library import load_library

LIBRARY = load_library()[0]
HEADING = re.compile(r"#+ \w")


@pytest.mark.parametrize("explanation", [None, "It is so."])
@pytest.mark.parametrize("instruction", [None, "Do it."])
@pytest.mark.parametrize("name", LIBRARY.shots_styles)
def test_no_layout_leaves_a_heading_or_a_gap_of_what_is_not_there(
    name: str, instruction: str | None, explanation: str | None
) -> None:
    style = LIBRARY.shots_styles[name]
    shots = [("What is 1?", "One.", explanation), ("What is 2?", "Two.", explanation)]
    for given in (shots, []):
        if style.when == ("zero" if given else "few"):
            continue
        pieces = prompt_pieces(style, given, "What is 3?", instruction)
        # The space between exemplars is the layout's own; that within them is looked at.
        prompt = "".join("\n\n" if piece == style.separator else piece for piece in pieces)
        assert "\n\n\n" not in prompt and prompt == prompt.lstrip()
        assert prompt.count("Do it.") == (instruction is not None)
        lines = [line for line in prompt.split("\n") if line.strip()]
        for line, after in pairwise(lines):
            if HEADING.match(line) and HEADING.match(after):
                assert given and line == "# Examples"  # a heading over headings
        assert not re.search(r"[^\s#]#+ \w", prompt)


@pytest.mark.parametrize("name", LIBRARY.option_styles)
def test_no_option_style_doubles_a_mark(name: str) -> None:
    block = option_block(LIBRARY.option_styles[name], ["It rained.", "It snowed.", "Did it?"])
    assert not re.search(r"[.?!][.;,:?]", block)

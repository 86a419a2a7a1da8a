"""The reference page: every entry runs, every filter, test and function has one."""

from pathlib import Path

import pytest

from flancompile.dsl.jinja import reference
from flancompile.dsl.jinja.expression import environment
from flancompile.dsl.jinja.reference import ENTRIES, Entry, reference_page

PAGE = Path(__file__).parents[3] / "docs" / "expressions.md"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.group}: {e.name}")
def test_the_example_gives_what_the_page_says(entry: Entry) -> None:
    assert entry.run() == entry.result


def test_every_filter_test_and_function_has_an_entry() -> None:
    env = environment()
    named = {e.name for e in ENTRIES}
    signs = {"==", "!=", "<", "<=", ">", ">="}
    assert set(env.filters) - named == set()
    assert set(env.tests) - named - signs - set(reference._ALSO) == set()
    assert {n for n in env.globals if n not in named and f"{n}()" not in named} == set()


def test_the_page_is_current() -> None:
    """`flancompile schema --expressions > docs/expressions.md` writes it."""
    assert PAGE.read_text(encoding="utf-8") == reference_page()

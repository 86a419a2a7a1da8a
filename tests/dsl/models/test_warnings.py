"""Warnings that a dataset file may allow: those that seeded mistakes show and the page lists."""

import re
from pathlib import Path

from flancompile.dsl.models.warnings import WARNINGS

ROOT = Path(__file__).parents[3]


def test_the_warnings_that_may_be_allowed_are_those_that_datasets_get() -> None:
    seeded = "".join(p.read_text() for p in (ROOT / "tests" / "mistakes").glob("*.txt"))
    assert set(re.findall(r"^datasets/\S+ warning (FC\d{3})", seeded, re.MULTILINE)) == WARNINGS


def test_the_page_lists_the_warnings_that_may_be_allowed() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text()
    entry = re.search(r"### FC228.+?\n\n(.+?)\n\nWrong:", page, re.DOTALL)
    assert entry is not None
    listed = set()
    for first, last in re.findall(r"FC(\d{3})(?:\s+to\s+FC(\d{3}))?", entry[1]):
        listed |= {f"FC{n}" for n in range(int(first), int(last or first) + 1)}
    given = set(re.findall(r"^### (FC\d{3})", page, re.MULTILINE))
    assert listed & given == WARNINGS

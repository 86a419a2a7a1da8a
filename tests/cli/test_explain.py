"""`explain`: tokens, steps of the feed and evaluation rows, traced to their rows."""

from pathlib import Path

import pytest
from commands import call, call_json

from flancompile import feed
from flancompile.store.build import Build


def test_where_tokens_come_from(home: Path) -> None:
    about = call_json("explain", "build", "--pack", "1", "--segment", "0", cwd=home)
    assert (about["task"], about["pack"], about["segment"]) == ("toy/qa", 1, 0)
    assert sum(about["runs"]) == len(about["tokens"]["tokens"])
    assert all(e.isdigit() for e in about["exemplars"])
    shown = call("explain", "build", "--pack", "1", cwd=home)
    assert "── tokens" in shown and f"What is {about['row_id']} plus" in shown
    assert str(about["row"]) in shown


def test_a_step_of_the_feed_is_the_pack_that_the_feed_gives(home: Path) -> None:
    opened = feed.open(Build.open(home / "build"), 4, 3)
    for step, row in ((0, 2), (1, 0)):
        words = ("--step", str(step), "--row", str(row), "--batch-packs", "4", "--seed", "3")
        about = call_json("explain", "build", *words, cwd=home)
        assert (about["pack"], about["segment"]) == (opened.indexes(step)[row], 0)
    missing = ("--step", "0", "--row", "4", "--batch-packs", "4")
    assert "there is no row 4; a batch has 4" in call("explain", "build", *missing, cwd=home, ok=2)


def test_a_row_of_an_evaluation_set(home: Path) -> None:
    about = call_json("explain", "build", "--eval", "toy/qa", "--row", "4", cwd=home)
    rows = Build.open(home / "build").evaluation("toy/qa")[0]
    assert about["prompt"] == rows.slice(4, 1).to_pylist()[0]["prompt"]
    assert (about["set"], about["split"]) == ("toy/qa", "validation")
    assert "row 4 of toy/qa" in call("explain", "build", "--eval", "toy/qa", "--row", "4", cwd=home)
    told = call("explain", "build", "--eval", "toy/qa", "--row", "5", cwd=home, ok=2)
    assert "there is no row 5; 'toy/qa' has 5, from 0" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "needs one of"),
        (("--pack", "0", "--step", "0"), "needs one of"),
        (("--pack", "999"), "there is no pack 999"),
        (("--pack", "-1"), "there is no pack -1"),
        (("--pack", "0", "--segment", "999"), "999"),
    ],
)
def test_places_that_a_build_lacks(home: Path, words: tuple[str, ...], told: str) -> None:
    printed = call("explain", "build", *words, cwd=home, ok=2)
    assert told in printed and "Traceback" not in printed

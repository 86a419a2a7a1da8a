"""Lints of answers: one label for nearly all rows, labels without rows, options that fail."""

from pathlib import Path
from typing import Any

import pytest
from lints import about, linted, task

from flancompile.lint.reading import Reading

CHOICES = {"options": ["no", "yes"], "gold": "a"}


def rows_of(*answers: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"id": n, "q": f"question {n}", "a": a, **more} for n, a in enumerate(answers)]


@pytest.mark.parametrize("choices", [None, CHOICES])
@pytest.mark.parametrize(
    ("yes", "no", "told"),
    [(19, 1, True), (18, 2, False), (20, 0, True), (19, 0, False), (0, 40, True), (0, 0, False)],
)
def test_a_label_of_more_than_nine_tenths_is_told_of_from_20_rows_on(
    tmp_path: Path, yes: int, no: int, told: bool, choices: Any
) -> None:
    given = task(**({} if choices is None else {"choices": choices}))
    found = about(linted(tmp_path, rows_of(*["yes"] * yes, *["no"] * no), given), "FC331")
    most, label = max((yes, "yes"), (no, "no"))
    assert found == [f"{most / (yes + no or 1):.0%} of the answers are {label!r}"] * told


def test_answers_drawn_beside_distractors_are_not_labels(tmp_path: Path) -> None:
    given = task(choices={"gold": "a", "distractors": 2})
    assert about(linted(tmp_path, rows_of(*["yes"] * 20, "no"), given), "FC331") == []


@pytest.mark.parametrize(
    ("count", "told"), [(60, True), (59, False)]  # 20 rows for each of three labels
)  # fmt: skip
def test_a_label_that_no_row_has_is_told_of(tmp_path: Path, count: int, told: bool) -> None:
    rows = rows_of(*(n % 2 for n in range(count)))
    message = f"no answer of {count} rows is 'maybe'"
    fields = {"q": "q", "a": "['no', 'yes', 'maybe'][a]"}
    assert about(linted(tmp_path / "a", rows, task(), fields=fields), "FC331") == [message] * told
    by_choice = task(choices={"options": ["no", "yes", "maybe"], "gold": "a", "by": "index"})
    assert about(linted(tmp_path / "b", rows, by_choice), "FC331") == [message] * told


def test_a_label_that_a_sample_lacks_is_not_told_of(tmp_path: Path) -> None:
    rows = rows_of(*(n % 2 for n in range(61)))
    fields = {"q": "q", "a": "['no', 'yes', 'maybe'][a]"}
    reading = Reading(rows=60, write_lock=False)
    assert about(linted(tmp_path, rows, task(), reading, fields=fields), "FC331") == []


def test_answers_that_all_lie_outside_the_list_are_no_unused_labels(tmp_path: Path) -> None:
    given = task("{{ q }}", "{{ a }}", choices={"options": ["x", "y"], "gold": "a"})
    found = linted(tmp_path, rows_of(*(f"a{n}" for n in range(40))), given)
    assert about(found, "FC331") == []
    (message,) = about(found, "FC330")
    assert message.startswith("no options in 40 of 40 rows; most frequent reason: ")


def test_options_that_are_equal_or_too_many_are_counted(tmp_path: Path) -> None:
    many = [str(n) for n in range(40)]
    rows = [
        {"id": n, "q": "x", "a": "1", "o": o}
        for n, o in enumerate([["1", "1 ", "2"], many, ["1", "2"]])
    ]
    given = {**task(choices={"options": "o", "gold": "a"})}
    found = linted(tmp_path, rows, given, fields={"q": "q", "a": "a", "o": "o"})
    assert about(found, "FC338") == ["options with the same text in 1 of 3 rows"]
    assert about(found, "FC334") == ["more than 26 options in 1 of 3 rows"]
    assert about(found, "FC330") == []

"""Which rows, tasks and splits a data check reads."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lints import ALL, linted, task
from toys import Library

from flancompile.errors import FlancompileError
from flancompile.lint.data import check_rows
from flancompile.lint.reading import SAMPLE_ROWS, Reading


def rows_of(count: int, end: str = "?") -> list[dict[str, Any]]:
    """Rows that a lint reports (FC326) where the end is a mark."""
    return [{"id": n, "q": f"question {n}{end}", "a": f"answer {n}"} for n in range(count)]


@pytest.mark.parametrize(
    ("rows", "read"), [(1, 1), (7, 7), (None, 250), (SAMPLE_ROWS, SAMPLE_ROWS)]
)
def test_so_many_rows_are_read(tmp_path: Path, rows: int | None, read: int) -> None:
    (found,) = linted(tmp_path, rows_of(250), task("{{ q }}?"), replace(ALL, rows=rows))
    assert f" in {read} of {read} rows" in found.message


@pytest.mark.parametrize(
    ("split", "names"),
    [(None, [["d/qa"], ["d/qa on 'validation'"]]), ("train", [["d/qa"]]), ("test", [["d/qa on 'test'"]])],
)  # fmt: skip
def test_training_and_evaluation_splits_are_read_unless_one_is_named(
    tmp_path: Path, split: str | None, names: list[list[str]]
) -> None:
    splits = {"train": rows_of(3, ""), "validation": rows_of(4), "test": rows_of(5)}
    reading = replace(ALL, rows=200, split=split)
    found = linted(tmp_path, splits, task("{{ q }}?", eval={"split": "validation"}), reading)
    told = {None: ["d/qa on 'validation'"], "train": [], "test": ["d/qa on 'test'"]}[split]
    assert [d.message.partition(": ")[0] for d in found if d.code == "FC326"] == told


def test_a_split_that_no_source_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FlancompileError, match="did you mean 'train'") as caught:
        linted(tmp_path, rows_of(2), task(), replace(ALL, split="trian"))
    assert caught.value.code == "FC301"


def two(root: Path) -> Library:
    library = Library(root)
    library.dataset("here", rows=3)
    library.dataset("away", rows=3)
    (root / "datasets" / "away.jsonl").unlink()
    return library


@pytest.mark.parametrize(
    ("reading", "told"),
    [(ALL, ["away"]), (replace(ALL, on_hand=True), []), (replace(ALL, select="source:here"), []),
     (replace(ALL, select="source:away"), ["away"]), (replace(ALL, split="train"), [])],
)  # fmt: skip
def test_tasks_without_data_are_told_of_unless_they_are_skipped(
    tmp_path: Path, reading: Reading, told: list[str]
) -> None:
    two(tmp_path)
    found = check_rows([tmp_path], None, reading)
    assert [d.message for d in found if d.code == "FC319"] == [
        f"the rows of {name!r} are not on this machine" for name in told
    ]


@pytest.mark.parametrize("keep", [True, False])
def test_schemas_are_written_where_they_are_to_be_kept(tmp_path: Path, keep: bool) -> None:
    two(tmp_path)
    check_rows([tmp_path], None, Reading(write_lock=keep))
    assert (tmp_path / "schemas.lock").exists() is keep

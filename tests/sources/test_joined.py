"""Joins of every kind, and files of a source that are missing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile.compiler.check.libraries import check_libraries
from flancompile.dsl.models.source import Source
from flancompile.errors import FlancompileError
from flancompile.lint.data import check_rows
from flancompile.lint.reading import Reading
from flancompile.sources.blocks import SplitSpec, read_split
from flancompile.sources.columns import restored
from flancompile.sources.place import resolve_place


def pairs(folder: Path, join: dict[str, Any], left: list[Any], right: list[Any]) -> list[Any]:
    for name, rows in (("a.jsonl", left), ("b.jsonl", right)):
        (folder / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    source = Source.model_validate({"files": "a.jsonl", "join": {"files": "b.jsonl", **join}})
    place = resolve_place(source, None, "train", folder, None)
    blocks = read_split(SplitSpec("s", place, {"a": "a", "b": "r_b"}, None, 1), folder / "cache")
    found: list[tuple[Any, ...]] = []
    for number in range(len(blocks.block_rows)):
        batch = blocks.block(number)
        columns = [restored(batch.column(n), batch.schema.field(n)) for n in ("_ordinal", "a", "b")]
        found += zip(*columns, strict=True)
    return [[a, b] for _, a, b in sorted(found)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=6), st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_a_cross_join_gives_every_pair_in_order(
    tmp_path_factory: pytest.TempPathFactory, left: list[int], right: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("cross")
    join = {"by": "cross", "prefix": "r_"}
    found = pairs(folder, join, [{"a": a} for a in left], [{"b": b} for b in right])
    assert found == [[a, b] for a in left for b in right]


@pytest.mark.parametrize("by", [{"by": "line"}, {"by": "key", "key": "k"}, {"by": "cross"}])
def test_columns_of_one_name_that_differ_are_an_error(tmp_path: Path, by: dict[str, Any]) -> None:
    left, right = [{"k": 1, "a": "own", "z": 1}], [{"k": 1, "a": "other", "r_b": 2, "z": 2}]
    with pytest.raises(FlancompileError, match="both files have a column 'a'") as caught:
        pairs(tmp_path, by, left, right)
    assert caught.value.code == "FC305"
    equal = [{**right[0], "a": "own"}]  # `z` differs, and nothing reads it
    assert pairs(tmp_path, by, left, equal) == [["own", 2]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=6))
def test_a_key_of_several_rows_joins_none(
    tmp_path_factory: pytest.TempPathFactory, right: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("key")
    join = {"by": "key", "key": "a", "other": "k", "prefix": "r_"}
    others = [{"k": k, "b": b} for k, b in right]
    found = pairs(folder, join, [{"a": a} for a in range(4)], others)
    values = {a: {b for k, b in right if k == a} for a in range(4)}
    assert found == [[a, *of] for a, of in values.items() if len(of) == 1]


def test_a_cross_join_with_no_rows_or_a_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FlancompileError, match="join by cross: the file has no rows") as caught:
        pairs(tmp_path, {"by": "cross", "prefix": "r_"}, [{"a": 1}], [])
    assert caught.value.code == "FC305"
    with pytest.raises(ValueError, match="by: key"):
        pairs(tmp_path, {"by": "cross", "key": "a"}, [{"a": 1}], [])


def test_missing_files_are_reported_where_they_are_named(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.dataset(rows=4)
    about = dataset_of("toy")
    about["source"]["files"] = {"train": "toy.jsonl", "validation": "tpy.jsonl"}
    about["tasks"]["qa"]["exemplars"] = {"from": "file", "file": "shots.jsonl"}
    path = made.write("datasets/toy.yaml", about)
    made.write("datasets/shot.jsonl", [{"question": "x?", "answer": "X"}])
    found = {d.message: d for d in check_libraries([tmp_path])}
    rows = found["there is no file 'tpy.jsonl'"]
    shots = found["there is no exemplar file 'shots.jsonl'"]
    assert [d.code for d in (rows, shots)] == ["FC301", "FC301"]
    assert [d.severity for d in (rows, shots)] == ["error", "error"]
    lines = path.read_text().splitlines()
    assert rows.span and "tpy.jsonl" in lines[rows.span.line - 1]
    assert shots.span and "shots.jsonl" in lines[shots.span.line - 1]
    assert "toy.jsonl" in str(rows.hint) and "shot.jsonl" in str(shots.hint)
    made.write("overlays/o.yaml", {"overlay": "o", "sources": {"toy": {"files": "x.jsonl"}}})
    assert not any("tpy" in d.message for d in check_libraries([tmp_path]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file 'toy.csv' is empty"),
        ("7,what is 7?\n8,what is 8?\n", "`read: {header: false, columns: [...]}`"),
        ("q,a\n1,2\n3,4\n", "most frequent reason: "),
    ],
)
def test_what_a_file_without_usable_rows_is_said_to_be(
    tmp_path: Path, text: str, expected: str
) -> None:
    made = Library(tmp_path)
    about = dataset_of("toy")
    about["source"] = {"files": "toy.csv"}
    about["fields"] = {"question": "question | trim", "answer": "answer", "topic": "1", "note": "1"}
    made.write("datasets/toy.yaml", about)
    made.write("datasets/toy.csv", text)
    found = check_rows([tmp_path], None, Reading())
    hints = [f"{d.message} {d.hint}" for d in found if d.code == "FC320"]
    assert len(hints) == 1 and expected in hints[0]
    assert "…" not in hints[0]


def test_files_within_a_split_are_told_to_be_written_without(tmp_path: Path) -> None:
    made = Library(tmp_path)
    about = dataset_of("toy")
    about["source"] = {"files": {"train": {"files": "toy.jsonl"}}}
    made.write("datasets/toy.yaml", about)
    hints = [d.hint for d in check_libraries([tmp_path]) if d.code == "FC201"]
    assert "a split is a path, or a list of paths: write toy.jsonl, without `files:`" in hints

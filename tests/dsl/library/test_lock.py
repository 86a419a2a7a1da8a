"""schemas.lock: written and read back, damaged, and used by static checks."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library

from flancompile import check
from flancompile.dsl.jinja.types import common_type, type_of
from flancompile.dsl.library.library import load_library
from flancompile.dsl.library.lock import NAME, Schema, Seen, read_lock, source_digest, write_lock
from flancompile.dsl.models.source import Source
from flancompile.errors import FlancompileError
from flancompile.lint.reading import Reading

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=2), v, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "é", "b c"]), VALUES), min_size=1, max_size=3)


def schema_of(rows: list[dict[str, Any]]) -> Schema:
    row = common_type(map(type_of, rows))
    assert row is not None
    seen = {"train": Seen(len(rows), "d1"), "test": Seen(0, "d2")}
    return Schema(row.keys, "s", seen, row.absent)


@settings(max_examples=25)
@given(ROWS, ROWS)
def test_a_lock_is_read_back(tmp_path_factory: Any, first: Any, second: Any) -> None:
    folder = tmp_path_factory.mktemp("lock")
    written = {"z": schema_of(first), "a/b": schema_of(second)}
    write_lock(folder, written)
    found = read_lock(folder)
    assert {i: s.as_json() for i, s in found.items()} == {
        i: s.as_json() for i, s in written.items()
    }
    assert {i: s.digest for i, s in found.items()} == {i: s.digest for i, s in written.items()}
    again = (folder / NAME).read_bytes()
    write_lock(folder, dict(reversed(found.items())))
    assert (folder / NAME).read_bytes() == again
    assert [p.name for p in folder.iterdir()] == [NAME]


def test_a_digest_is_that_of_all_parts_but_staleness() -> None:
    one = schema_of([{"a": 1, "b": "x"}])
    changes: list[dict[str, Any]] = [
        {}, {"source": "t"}, {"absent": frozenset("a")}, {"splits": {}},
        {"columns": {**one.columns, "a": type_of(1.5)}},
    ]  # fmt: skip
    digests = {replace(one, **change).digest for change in changes}
    assert len(digests) == 5
    assert replace(one, stale=True).digest == one.digest
    assert replace(one, columns=dict(reversed(list(one.columns.items())))).digest == one.digest


def test_keys_that_are_not_set_do_not_change_a_source_s_digest() -> None:
    one = Source.model_validate({"files": "a.csv"})
    assert source_digest(
        Source.model_validate({"files": "a.csv", "format": None})
    ) == source_digest(one)
    others = [{"files": "b.csv"}, {"files": "a.csv", "where": "x"}, {"files": {"train": "a.csv"}}]
    digests = {source_digest(Source.model_validate(s)) for s in others} | {source_digest(one)}
    assert len(digests) == 4


TYPE = {"sources": {"d": {"source": "s", "columns": {"a": "text"}}}}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"sources": []}', '{"sources": {"d": 1}}', '{"sources": {"d": {"source": "s"}}}',
     json.dumps(TYPE).replace("text", "texts"), json.dumps(TYPE).replace('"text"', "[1]"),
     json.dumps(TYPE).replace('"source"', '"splits": {"train": {"rows": Infinity, "data": "x"}}, "source"'),
     json.dumps(TYPE).replace('"source"', '"absent": 3, "source"'), "\ufeff{}", "[" * 100_000],
)  # fmt: skip
def test_a_damaged_lock_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(json.dumps(TYPE))
    assert set(read_lock(tmp_path)) == {"d"}
    (tmp_path / NAME).write_text(text)
    with pytest.raises(FlancompileError, match="check --data") as caught:
        read_lock(tmp_path)
    assert caught.value.code == "FC101"


def test_a_folder_without_a_lock_has_no_schemas(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == {}
    (tmp_path / NAME).mkdir()
    with pytest.raises(FlancompileError, match="cannot be read") as caught:
        read_lock(tmp_path)
    assert caught.value.code == "FC101"


def test_a_damaged_lock_is_written_anew(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.dataset(rows=3)
    lock = tmp_path / "schemas.lock"
    lock.write_text("{")
    (found,) = check(tmp_path)
    assert found.code == "FC101" and "check --data" in str(found.hint)
    assert load_library([tmp_path])[1] == []  # other commands do without
    errors = [d for d in check(tmp_path, data=Reading()) if d.severity == "error"]
    assert errors == []
    assert check(tmp_path) == [] and "question" in lock.read_text()


def test_a_single_file_is_checked_by_the_lock_of_its_library(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.dataset(rows=3)
    path = tmp_path / "datasets" / "toy.yaml"
    check(tmp_path, data=Reading())
    text = path.read_text()
    path.write_text(text.replace("question: question", "question: questoin"))
    assert [d.code for d in check(path)] == ["FC222"]
    assert [d.code for d in check(path)] == [d.code for d in check(tmp_path)]

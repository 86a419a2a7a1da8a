"""Columns of an overlay: each is worked out over the data's own columns, whatever their order."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import Source
from flancompile.sources.blocks import SplitSpec, sample
from flancompile.sources.fields import column_rows
from flancompile.sources.place import resolve_place

NAMES = "abcd"


def spec_of(folder: Path, columns: dict[str, str], fields: str = NAMES) -> SplitSpec:
    row = {name: name.upper() for name in NAMES}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    source = Source.model_validate({"files": "rows.jsonl", "columns": columns})
    place = resolve_place(source, None, "train", folder, None)
    return SplitSpec("source", place, {n: n for n in fields}, None, 0)


@given(st.permutations(NAMES), st.permutations(NAMES))
@settings(max_examples=60, deadline=None)
def test_columns_may_be_permuted(tmp_path_factory, targets, sources) -> None:  # type: ignore[no-untyped-def]
    columns = dict(zip(targets, sources, strict=True))
    spec = spec_of(tmp_path_factory.mktemp("rows"), columns)
    rows, dropped = sample(spec, 9)
    wanted = {name: columns[name].upper() for name in NAMES}
    assert not dropped
    assert [{n: row[n] for n in NAMES} for row in rows] == [wanted]
    assert [{n: row[n] for n in NAMES} for row in column_rows(spec, 9)] == [wanted]


def test_a_new_column_may_be_made_of_one_before_it(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, {"x": "a ~ b", "y": "x ~ c", "a": "'new'", "z": "a ~ y"}, "axyz")
    rows, _ = sample(spec, 9)
    assert [{n: r[n] for n in "axyz"} for r in rows] == [
        {"a": "new", "x": "AB", "y": "ABC", "z": "AABC"}
    ]

"""Fields by columns: the same rows, values, gaps and drop reasons as row by row."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import Source
from flancompile.errors import FlancompileError
from flancompile.sources import fields
from flancompile.sources.columns import ColumnTypes
from flancompile.sources.field_columns import FieldBatch, field_batches
from flancompile.sources.fields import FieldRow, SplitSpec, field_rows
from flancompile.sources.place import resolve_place

TEXTS = st.sampled_from(
    ["a", " b  c ", "", "n't it", "x, y", "Ünï", "3", "\ud800", "a&amp;b", "{{ t }}"]
)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-3, 4) | st.sampled_from([0.5, 2.0, math.nan, 2**70]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kl"), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries(
        {"t": TEXTS | VALUES, "u": TEXTS},
        optional={"xs": st.lists(TEXTS, max_size=3), "n": st.integers(-2, 3) | st.none(), "v": VALUES},
    ),
    max_size=12,
)  # fmt: skip
FIELDS = [
    "t", "u", "v", "row", "row_number", "u | trim", "t | trim | lower", "t | regex_replace(' n', ' N')",
    "xs | map('trim') | list", "xs | map('upper') | join(', ')", "xs[n]", "xs[0]", "xs | first",
    "['no', 'yes'][n]", "n + 1", "t ~ '-' ~ u", "u if n else t", "t == u", "v.k", "v['k'] | default('none')",
    "v | length", "xs | length", "u | split(',') | map('trim') | list", "{'a': t, 'b': xs}", "[[t]]",
    "xs | select('equalto', 'a') | list", "t and u", "n or t", "u | int", "u | squeeze | upper_first", "w",
    "w.k", "z | default('q')", "t is string", "xs | map('int') | list", "xs | map('length') | sum", "y",
    "u | replace('a', 'b') | string", "v | map('trim') | list", "xs | zip(xs) | list", "t * n", "u.upper()",
]  # fmt: skip
CONDITIONS = [
    "t",
    "u | trim",
    "n and n > 0",
    "xs",
    "u != 'a'",
    "row_number % 2",
    "t is string",
    "v",
]
IDS = ["t", "u", "n", "row_number", "u ~ row_number", "y"]


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Expressions of a dataset file: columns of the place, id, `let`, fields and conditions."""
    some = st.sampled_from(FIELDS)
    optional = st.none() | st.sampled_from(CONDITIONS)
    return {
        "fields": draw(st.dictionaries(st.sampled_from("abc"), some, min_size=1, max_size=3)),
        "let": draw(st.dictionaries(st.sampled_from(["y", "w"]), some, max_size=2)),
        "columns": draw(st.dictionaries(st.sampled_from(["t", "z"]), some, max_size=1)),
        "id": draw(st.none() | st.sampled_from(IDS)),
        "place_where": draw(optional),
        "where": draw(st.none() | st.sampled_from(["a", "a is string", "y", "row_number > 2"])),
        "variable": draw(st.none() | st.just(("w", {"k": " one "}))),
    }


def spec_of(rows: list[Any], about: dict[str, Any], folder: Path) -> SplitSpec:
    (folder / "d.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    given = {"columns": about["columns"], "id": about["id"], "where": about["place_where"]}
    source = Source(files="d.jsonl", **{k: v for k, v in given.items() if v})
    place = resolve_place(source, None, "train", folder, None)
    let = {n: t for n, t in about["let"].items() if about["variable"] is None or n != "w"}
    return SplitSpec("d", place, about["fields"], about["where"], 0, about["variable"], let=let)


def rows_of(batch: FieldBatch) -> list[FieldRow]:
    """The rows of a batch in the source's order."""
    columns = zip(*batch.columns, strict=True) if batch.columns else [()] * len(batch.ordinals)
    parts = zip(batch.ordinals, batch.digests, batch.ids, columns, batch.gaps, strict=True)
    kept = [FieldRow(n, d, i, tuple(v), None, g) for n, d, i, v, g in parts]
    assert [r.ordinal for r in batch.lost] == sorted(r.ordinal for r in batch.lost)
    return sorted(kept + batch.lost, key=lambda row: row.ordinal)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, about=specs())
def test_rows_are_the_same_by_columns(
    rows: list[Any], about: dict[str, Any], tmp_path: Path
) -> None:
    spec = spec_of(rows, about, tmp_path)
    expected = list(field_rows(spec))
    found = [row for batch in field_batches(spec) for row in rows_of(batch)]
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("text", FIELDS)
def test_usual_rows_need_no_single_evaluation(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each expression is evaluated by columns where the row engine has a value for it."""
    rows = [{"t": "A ", "u": "3", "xs": ["1", "2 "], "n": 1, "v": ["k"]} for _ in range(5)]
    about = {"fields": {"a": text}, "let": {"y": "t"}, "columns": {"z": "u"}, "id": "u",
             "place_where": "u", "where": "row_number < 3", "variable": ("w", {"k": 1})}  # fmt: skip
    spec = spec_of(rows, about, tmp_path)
    expected = list(field_rows(spec))
    single: Counter[str] = Counter()
    evaluate_row = fields.RowEvaluator.row

    def counted(self: Any, ordinal: int, row: Any) -> FieldRow:
        single[text] += 1
        return evaluate_row(self, ordinal, row)

    monkeypatch.setattr(fields.RowEvaluator, "row", counted)
    found = [row for batch in field_batches(spec) for row in rows_of(batch)]
    assert repr(found) == repr(expected) and len(found) == 5
    has_values = all(row.reason is None and not row.gaps for row in expected[:3])
    assert (single[text] == 0) == has_values


def test_a_variable_that_hides_a_column_is_refused(tmp_path: Path) -> None:
    about = {"fields": {"a": "t"}, "let": {}, "columns": {}, "id": None, "place_where": None,
             "where": None, "variable": ("t", {"k": 1})}  # fmt: skip
    with pytest.raises(FlancompileError) as caught:
        list(field_batches(spec_of([{"t": "a", "u": "b"}], about, tmp_path)))
    assert caught.value.code == "FC307"


def test_large_rows_come_in_small_batches(tmp_path: Path) -> None:
    rows = [{"t": "x" * 200_000, "u": str(n)} for n in range(150)]
    about: dict[str, Any] = {"fields": {"a": "u"}, "let": {}, "columns": {}, "id": "u",
             "place_where": None, "where": "a", "variable": None}  # fmt: skip
    whole = spec_of(rows, {**about, "id": None}, tmp_path)  # its digest needs all columns
    sizes = [len(batch.ordinals) for batch in field_batches(whole)]
    assert sum(sizes) == 150 and max(sizes[1:]) <= 21
    sizes = [len(batch.ordinals) for batch in field_batches(spec_of(rows, about, tmp_path))]
    assert sizes[0] == 64 and sum(sizes) == 150


COLUMN = st.lists(
    st.one_of(TEXTS, VALUES, st.lists(TEXTS | st.none(), max_size=3)), min_size=6, max_size=6
)
PLAIN = st.lists(TEXTS | st.none(), min_size=6, max_size=6)


@given(st.lists(st.tuples(COLUMN | PLAIN, COLUMN | PLAIN), max_size=4))
def test_kinds_of_columns_are_found_as_row_by_row(parts: list[tuple[list[Any], list[Any]]]) -> None:
    by_row, by_column = ColumnTypes(["a", "b"]), ColumnTypes(["a", "b"])
    for part in parts:
        reasons = [by_row.misfit(row) for row in zip(*part, strict=True)]
        found = by_column.misfits(part)
        assert [found.get(n) for n in range(6)] == reasons
        assert vars(by_column) == vars(by_row)

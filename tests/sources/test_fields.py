"""Fields of a row: nulls, what `where` sees, the row's number, and faults that drop the row."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import Source
from flancompile.errors import FlancompileError
from flancompile.sources.fields import FieldRow, SplitSpec, field_rows, without_nan
from flancompile.sources.place import resolve_place


def read(
    rows: list[Any],
    fields: Mapping[str, str],
    folder: Path,
    where: str | None = None,
    let: Mapping[str, str] | None = None,
    **more: Any,
) -> list[FieldRow]:
    (folder / "d.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    variable = more.pop("variable", None)
    source = Source(files="d.jsonl", **more)
    place = resolve_place(source, None, "train", folder, None)
    return list(field_rows(SplitSpec("d", place, fields, where, 0, variable, let=let or {})))


def outcomes(rows: list[FieldRow]) -> list[Any]:
    """The values of each row, or its drop reason or first gap."""
    reasons = [r.reason or next(iter(r.gaps.values()), None) for r in rows]
    return [why or list(r.values or ()) for why, r in zip(reasons, rows, strict=True)]


@pytest.mark.parametrize(
    "text", ["p", "p | trim", "p | squeeze | upper_first", "'I: ' ~ p", "p | int"]
)
@pytest.mark.parametrize("value", [None, math.nan])
def test_a_field_made_of_a_null_is_null_and_where_sees_it(
    text: str, value: Any, tmp_path: Path
) -> None:
    rows = [{"p": "1", "h": "b"}, {"p": value, "h": "b"}]
    fields = {"p": text, "h": "h"}
    first, second = outcomes(read(rows, fields, tmp_path, "p and h"))
    assert second == "where" and first != "where"
    assert outcomes(read(rows, fields, tmp_path))[1] == [None, "b"]


@pytest.mark.parametrize("text", ["let", "columns"])
def test_a_name_made_of_a_null_is_null(text: str, tmp_path: Path) -> None:
    more: dict[str, Any] = {text: {"q": "p | trim"}}
    rows = [{"p": None}, {"p": " a "}]
    assert outcomes(read(rows, {"q": "q", "r": "q or 'none'"}, tmp_path, **more)) == [
        [None, "none"], ["a", "a"],
    ]  # fmt: skip


def test_a_row_that_where_leaves_out_has_no_other_fault(tmp_path: Path) -> None:
    rows = [{"label": -1}, {"label": 0}, {"label": 7}, {"label": None}]
    fields = {"label": "label", "name": "['a', 'b'][label]"}
    found = outcomes(read(rows, fields, tmp_path, "label >= 0"))
    assert found[:3] == ["where", [0, "a"], "field name: no item 7"]
    assert found[3].startswith("where: ")
    assert outcomes(read(rows, fields, tmp_path))[0] == "field name: the index -1 is negative"
    assert outcomes(read(rows, fields, tmp_path, "name == 'a'"))[0].startswith(
        "field name: the index"
    )


def test_a_rows_number_counts_all_rows(tmp_path: Path) -> None:
    rows = [{"a": "x"}, {"a": None}, {"a": "z"}]
    fields = {"n": "row_number", "a": "a"}
    found = read(rows, fields, tmp_path, "row_number != 0 and a", id="'r' ~ row_number")
    assert outcomes(found) == ["where", "where", [2, "z"]]
    assert [r.id for r in found] == ["r0", "r1", "r2"]
    own = read([{"row_number": "own", "a": 1}], fields, tmp_path)
    assert outcomes(own) == [["own", 1]]


def test_a_variable_may_not_hide_a_column(tmp_path: Path) -> None:
    with pytest.raises(FlancompileError, match="FC307"):
        read(
            [{"a": 1}, {"a": 1, "lang": "en"}],
            {"a": "a"},
            tmp_path,
            variable=("lang", {"name": "de"}),
        )


VALUES = st.recursive(
    st.none() | st.floats() | st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)  # fmt: skip


def nulled(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [nulled(v) for v in value]
    return {k: nulled(v) for k, v in value.items()} if isinstance(value, dict) else value


@given(VALUES)
def test_nan_is_a_null_at_any_depth(value: Any) -> None:
    found = without_nan(value)
    assert found == nulled(value)
    assert repr(found) == repr(nulled(value))


FIELDS = [
    "a | select('gt', b)", "a | map(attribute=b)", "[a | map('trim')]", "a | unique", "a[b]", "a | batch(b)",
    "a ~ b", "a | join", "a % b", "2 ** a", "a * b", "a | items", "a | sort", "a | trim | int", "a | fromjson", "a.k.k",
    "a | string | length", "b | truncate(a)", "a | zip(b)", "a | groupby('k')", "a | chat", "row | tojson", "a | urlencode",
]  # fmt: skip


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES}), min_size=1, max_size=3))
@settings(deadline=None, max_examples=50)
def test_every_row_has_its_fields_or_a_reason(rows: list[dict[str, Any]]) -> None:
    """No value of a row may end the reading, in any field."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for text in FIELDS:
            found = read(rows, {"f": text, "b": "b"}, Path(folder), where="b or not b")
            assert len(found) == len(rows)
            assert all((r.values is None) == (r.reason is not None) for r in found)

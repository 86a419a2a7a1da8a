"""Columns of a row set: fields, names of `let`, conditions; each against the rows' own."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engines import row_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.render.arms import empty_targets
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.task import Task, Variable

PLAIN = {"name": "t", "input": "{{ q }}", "target": "{{ a }}"}
LANG = ("lang", Variable({"name": "Frisian", "code": "fy"}))
COLUMNS: dict[str, list[Any]] = {
    "q": ["one", "", "три", " ", "five"], "a": ["x", None, "", " y ", "z"], "n": [0, 1, None, 2, -3],
    "xs": [["p"], [], ["p", "q"], None, ["r"]], "lang": ["nl"] * 5,
}  # fmt: skip
ROWS = range(5)


def rows_of(template: dict[str, Any] | None = None, **more: Any) -> RowSet:
    about = {"signature": "q -> a", "templates": [{**PLAIN, **(template or {})}], **more}
    return replace(row_set(Task.model_validate(about), COLUMNS), variable=LANG)


def texts(columns: RowSetColumns, numbers: np.ndarray) -> list[str]:
    return list(columns.fragments.texts(Ropes.single(numbers)).to_pylist())


EXPRESSIONS = st.sampled_from([
    "q", "n", "n > 0", "q and n", "xs", "xs[0] == 'p'", "a is none", "10 // n", "lang.code == 'fy'", "lang",
    "q | length > n", "missing", "xs | length", "q in xs", "not a", "n if n else xs[1]", "{[]: 1}",
])  # fmt: skip


@given(EXPRESSIONS)
def test_a_condition_is_true_for_the_rows_that_it_applies_to(condition: str) -> None:
    rows = rows_of({"when": condition})
    truth, resolved = RowSetColumns(rows).holds(condition)
    for row in ROWS:
        try:
            expected = rows.applies(row, rows.task.templates[0])
        except RowError:
            assert not resolved[row]
            continue
        assert not resolved[row] or truth[row] == expected
    assert resolved.any() or condition in ("{[]: 1}", "missing")


def test_no_condition_is_true_for_all() -> None:
    truth, resolved = RowSetColumns(rows_of()).holds(None)
    assert truth.all() and resolved.all() and len(truth) == 5


NAMES = st.dictionaries(
    st.sampled_from(["k", "l", "q", "lang"]),
    st.sampled_from(["q", "n + 1", "pick(xs)", "pick(['u', 'v', 'w'])", "q ~ n", "k", "lang.name", "xs | first",
                     "[q, a]", "10 // n"]),
    max_size=3,
)  # fmt: skip


@given(NAMES, NAMES, st.integers(0, 2), st.lists(st.sampled_from(ROWS), min_size=1, max_size=7))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_names_of_let_have_each_row_s_values(
    shared: dict[str, str], own: dict[str, str], epoch: int, taken: list[int]
) -> None:
    rows = replace(rows_of({"let": own}, let=shared), epoch=epoch)
    template = rows.task.templates[0]
    scope, fallback = RowSetColumns(rows).scope(template, np.array(taken))
    columns = {name: scope.get(name) for name in [*shared, *own, *COLUMNS]}
    for place, row in enumerate(taken):
        try:
            expected = rows.context(row, template)
        except RowError:
            assert fallback[place]
            continue
        if fallback[place]:
            continue
        for name, column in columns.items():
            assert column is not None
            assert not column.fallback(len(taken))[place]
            assert column.values(len(taken))[place] == expected[name], name


def test_a_let_that_is_not_lowered_leaves_all_its_rows() -> None:
    rows = rows_of(let={"k": "{[]: 1}"})
    assert RowSetColumns(rows).fallback.all()


def test_rows_lack_a_target_where_a_field_of_it_is_empty() -> None:
    rows = rows_of({"cot": True, "target": "{{ q }} {{ n }} So {{ a }} {{ k }}"}, let={"k": "q"})
    template = rows.task.templates[0]
    found = RowSetColumns(rows).has_targets(template).tolist()
    assert found == [not empty_targets(rows, row, template) for row in ROWS]
    assert found == [True, False, False, False, True]


def test_a_field_is_its_own_unless_let_or_the_variable_hides_it() -> None:
    columns = RowSetColumns(rows_of(let={"a": "q"}))
    names = ["q", "n", "a", "lang", "missing"]
    assert [columns.is_own(name) for name in names] == [True, True, False, False, False]
    assert [columns.is_text(name) for name in ("q", "n", "xs", "lang")] == [
        True,
        False,
        False,
        False,
    ]
    assert columns.shared.get("lang").values(1) == [LANG[1]]  # type: ignore[union-attr]


def test_fragments_of_a_name_are_each_row_s_text() -> None:
    columns = RowSetColumns(rows_of(let={"k": "q ~ '!'"}))
    numbers, fallback = columns.numbers("q")
    assert (texts(columns, numbers), fallback) == (COLUMNS["q"], None)
    assert columns.numbers("q")[0] is numbers
    assert texts(columns, columns.numbers("k")[0]) == [f"{q}!" for q in COLUMNS["q"]]
    numbers, fallback = columns.numbers("n")
    assert fallback is not None and fallback.tolist() == [False, False, True, False, False]
    assert [t for t, lost in zip(texts(columns, numbers), fallback, strict=True) if not lost] == [
        "0", "1", "2", "-3",
    ]  # fmt: skip
    assert set(columns.cache.printed) == {("q", None), ("n", None)}  # epochs do not share `k`


@pytest.mark.parametrize("form", ["sliced", "chunk of nulls", "large"])
def test_fields_in_any_form_of_arrow(form: str) -> None:
    kind = pa.large_string() if form == "large" else pa.string()
    array = pa.array(
        ["cut", "one", None if form == "chunk of nulls" else "", "три", " ", "five"], kind
    )[1:]
    rows = rows_of()
    rows = replace(
        rows, arrays={**rows.arrays, "q": array}, columns={**rows.columns, "q": array.to_pylist()}
    )
    columns = RowSetColumns(rows)
    numbers, fallback = columns.numbers("q")
    lost = [] if fallback is None else np.flatnonzero(fallback).tolist()
    assert lost == ([1] if form == "chunk of nulls" else [])
    assert [texts(columns, numbers)[i] for i in (0, 2, 3, 4)] == ["one", "три", " ", "five"]

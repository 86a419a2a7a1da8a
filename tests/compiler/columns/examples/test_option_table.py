"""Options and golds of all rows at once, against those of each row."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engines import both_engines, row_set
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.examples.option_table import OptionTable
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.render.row_set import MAX_OPTIONS, Options, RowSet
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.task import Choices, Task, Variable

TEMPLATE = {"name": "t", "options": "required", "input": "Q\n{{ options }}", "target": "{{ gold }}"}


def task_of(choices: dict[str, Any], **more: Any) -> Task:
    about = {"signature": "xs -> g", "templates": [TEMPLATE], "choices": choices, **more}
    return Task.model_validate(about)


def shown(table: OptionTable, row: int) -> tuple[tuple[str, ...], int] | None:
    """A row's options and the place of the right one; None if it has none."""
    if not table.given[row]:
        return None
    places = table.places[row, : table.counts[row]]
    texts = tuple(table.flat.take(pa.array(places)).to_pylist())
    assert table.flat[int(table.right[row])].as_py() == texts[table.gold[row]]
    return texts, int(table.gold[row])


def options_of(rows: RowSet, row: int, choices: Choices) -> tuple[tuple[str, ...], int] | None:
    try:
        found: Options = rows.options(row, choices)
        "".join(found.texts).encode()
    except (RowError, UnicodeEncodeError):
        return None
    return found.texts, found.gold


def agree(rows: RowSet) -> tuple[OptionTable, list[str | None]]:
    """The table and golds of rows, after a comparison with each row's own."""
    choices = rows.task.choices
    assert choices is not None
    columns = RowSetColumns(rows)
    table, golds = columns.options(choices), columns.gold(choices)
    alone = replace(rows, _options={})
    fallback, texts = golds.fallback(len(rows)), golds.text(len(rows)).to_pylist()
    found: list[str | None] = []
    for row in range(len(rows)):
        assert shown(table, row) == options_of(alone, row, choices), row
        try:
            right = alone.gold(row, choices)
            right.encode()
        except (RowError, UnicodeEncodeError):
            assert fallback[row]
            found.append(None)
            continue
        assert fallback[row] or texts[row] == right
        found.append(right)
    return table, found


TEXT = st.sampled_from(["a", "A", "a ", "b", "c", "é", "e\u0301", "", "0", "1", "0.0", "-0.0"])
GOLD = st.one_of(
    TEXT, st.none(), st.booleans(), st.integers(-1, 3), st.sampled_from([0.0, -0.0, 1.0, 0.5, float("nan")])
)  # fmt: skip
CHOICES = st.sampled_from([
    {"options": "xs", "gold": "g"}, {"options": "xs", "gold": "g", "by": "index"},
    {"options": "xs", "gold": "xs[0]", "shuffle": False}, {"options": "xs", "labels": "xs", "gold": "g"},
    {"options": ["0.0", "a", "1"], "gold": "g"}, {"options": {"0": "a", "1": "b", "a": "c"}, "gold": "g"},
    {"options": "xs | map('upper') | list", "gold": "g | upper"}, {"options": "ys", "gold": "xs[0]"},
    {"distractors": 2, "gold": "g"}, {"options": "xs[:2]", "gold": "0", "by": "index"},
])  # fmt: skip


@given(
    CHOICES,
    st.lists(st.tuples(st.lists(TEXT, max_size=5) | st.lists(TEXT | st.none(), max_size=3), GOLD), min_size=1, max_size=9),
    st.sampled_from([{}, {"let": {"ys": "xs | reverse | list"}}, {"let": {"g": "xs[1]"}}]),
)  # fmt: skip
@example({"options": ["0.0", "a"], "gold": "g"}, [([], 0.0), ([], -0.0)], {})
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_options_and_golds_are_those_of_each_row(
    choices: dict[str, Any], rows: list[tuple[list[Any], Any]], more: dict[str, Any]
) -> None:
    columns: dict[str, list[Any]] = {
        "xs": [xs for xs, _ in rows],
        "g": [g for _, g in rows],
        "ys": [["a", "b"]] * len(rows),
    }
    agree(row_set(task_of(choices, **more), columns))


def test_zeros_of_both_signs_are_told_apart_in_both_engines() -> None:
    task = task_of({"options": ["0.0", "1.0"], "gold": "g"})
    columns: dict[str, list[Any]] = {"g": [0.0, -0.0, 0.0], "xs": [None] * 3}
    found = both_engines(task, columns, options=True)
    assert [isinstance(one, tuple) for one in found] == [True, False, True]


@pytest.mark.parametrize("form", ["sliced", "large", "nulls"])
def test_lists_in_any_form_of_arrow(form: str) -> None:
    lists: list[list[str] | None] = [["x"], ["a", "b", "c"], ["b", "c"], [], ["c", "a"], ["y"]]
    task = task_of({"options": "xs", "gold": "g"})
    kind = pa.large_list(pa.string()) if form == "large" else pa.list_(pa.string())
    if form == "nulls":
        lists[3] = None
    array = pa.array(lists, kind)[1:5]
    golds = pa.array(["x", "b", "c", "c", "a", "y"])[1:5]
    columns: dict[str, list[Any]] = {"xs": array.to_pylist(), "g": golds.to_pylist()}
    rows = replace(row_set(task, columns), arrays={"xs": array, "g": golds})
    table, found = agree(rows)
    assert table.given.tolist() == [True, True, False, True]
    assert found == ["b", "c", None, "a"]


def test_a_variable_hides_the_list_of_that_name() -> None:
    task = task_of({"options": "xs", "gold": "g"})
    columns: dict[str, list[Any]] = {"xs": [["a", "b"], ["a", "c"]], "g": ["a", "d"]}
    rows = replace(row_set(task, columns), variable=("xs", ["d", "e"]))
    assert agree(rows)[1] == [None, "d"]
    rows = replace(row_set(task_of({"options": "xs.of", "gold": "g"}), columns),
                   variable=("xs", Variable({"name": "n", "of": ["d", "e"]})))  # fmt: skip
    assert agree(rows)[1] == [None, "d"]


def test_a_name_of_let_hides_the_field_of_that_name() -> None:
    columns: dict[str, list[Any]] = {"xs": [["a", "b"], ["a", "c"]], "g": ["a", "d"]}
    rows = row_set(task_of({"options": "xs", "gold": "g"}, let={"xs": "['d', 'e']"}), columns)
    assert agree(rows)[1] == [None, "d"]
    rows = row_set(task_of({"options": "xs", "gold": "g"}, let={"g": "xs | last"}), columns)
    assert agree(rows)[1] == ["b", "c"]


def test_of_many_options_the_right_one_and_as_many_others_are_kept() -> None:
    many = [f"o{i}" for i in range(MAX_OPTIONS + 9)]
    columns: dict[str, list[Any]] = {
        "xs": [many[:MAX_OPTIONS], many[: MAX_OPTIONS + 1], many],
        "g": ["o0", "o26", "o30"],
    }
    for shuffle in (True, False):
        rows = row_set(task_of({"options": "xs", "gold": "g", "shuffle": shuffle}), columns)
        table, golds = agree(rows)
        assert table.counts.tolist() == [MAX_OPTIONS] * 3
        assert golds == ["o0", "o26", "o30"]


def test_rows_with_duplicates_are_found() -> None:
    lists = [["a", "b"], ["a", "a "], ["a", "A"], ["é", "x", "e\u0301"], ["a"], [], ["x", "y", "x"]]
    rows = row_set(task_of({"options": "xs", "gold": "xs[0]"}), {"xs": lists, "g": ["a"] * 7})
    columns = RowSetColumns(rows)
    assert rows.task.choices is not None
    found = columns.options(rows.task.choices).lists.has_duplicates
    assert found.tolist() == [False, True, False, True, False, False, True]
    assert agree(rows)[0].counts.tolist() == [2, 0, 2, 2, 0, 0, 2]


def test_half_a_character_is_left_to_the_row_engine() -> None:
    columns: dict[str, list[Any]] = {"xs": [["a", "b"], ["\ud800", "b"]], "g": ["a", "b"]}
    table, golds = agree(row_set(task_of({"options": "xs", "gold": "g"}), columns))
    assert (table.given.tolist(), golds) == ([True, False], ["a", "b"])


def test_an_order_of_options_is_drawn_in_each_epoch() -> None:
    columns: dict[str, list[Any]] = {"xs": [list("abcdefgh")] * 20, "g": ["c"] * 20}
    rows = row_set(task_of({"options": "xs", "gold": "g"}), columns)
    orders = [agree(replace(rows, epoch=e, _bits={}))[0].places.tolist() for e in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert len({tuple(np.array(o) % 8) for o in orders[0]}) == 20

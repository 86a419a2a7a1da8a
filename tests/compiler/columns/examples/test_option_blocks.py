"""Option blocks and golds of many rows, against those of each row."""

import numpy as np
import pytest
from engines import row_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.examples.option_blocks import option_blocks
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.render.layout import gold_text, option_block
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.style import OptionStyle
from flancompile.dsl.models.task import Choices, Task

STYLES = [
    OptionStyle(label="({{ LETTER }})", item="{{ label }} {{ text }}", gold="{{ label }}"),
    OptionStyle(opening="One of {{ count }}: ", separator="; ", ending=".", gold="{{ text | upper }}"),
    OptionStyle(item="{{ roman }}/{{ n }} {{ text }}", gold="{% if text == 'a' %}A{% else %}{{ text }}{% endif %}"),
    OptionStyle(label="{{ ['one', 'two'][n - 1] }}", item="{{ label }}{{ text }}", gold="{{ label }}"),
    OptionStyle(gold="{{ 6 // (text | length - 1) }}"),  # fails for one letter
]  # fmt: skip
LISTS = st.lists(
    st.sampled_from(["a", "bb", "é{}", "", "(A)"]), min_size=2, max_size=4, unique=True
)


@given(
    st.lists(st.tuples(LISTS, st.integers(0, len(STYLES) - 1)), min_size=1, max_size=12),
    st.booleans(),
)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_blocks_and_golds_are_those_of_each_row(
    rows: list[tuple[list[str], int]], shuffle: bool
) -> None:
    choices = Choices.model_validate({"options": "xs", "gold": "xs[0]", "shuffle": shuffle})
    template = {"name": "t", "input": "{{ q }}", "target": "x"}
    task = Task.model_validate({"signature": "q -> a", "templates": [template], "choices": choices})
    made = row_set(task, {"q": ["?"] * len(rows), "xs": [xs for xs, _ in rows]})
    columns = RowSetColumns(made)
    table = columns.options(choices)
    at = np.flatnonzero(table.given)[::-1]  # in any order
    style = np.array([rows[i][1] for i in at.tolist()], np.int64)
    blocks, golds, fallback = option_blocks(
        columns.fragments, table, columns.option_numbers(table), at, style, STYLES
    )
    found = [columns.fragments.texts(ropes).to_pylist() for ropes in (blocks, golds)]
    assert len(at) == len(fallback) == len(found[0]) == len(found[1]) == len(rows)
    for place, row in enumerate(at.tolist()):
        options, one = made.options(row, choices), STYLES[rows[row][1]]
        try:
            expected = option_block(one, options.texts), gold_text(one, options.texts, options.gold)
        except RowError:
            assert fallback[place]
            continue
        assert not fallback[place]
        assert (found[0][place], found[1][place]) == expected


@pytest.mark.parametrize("style", [0, 4])
def test_no_rows_have_no_blocks(style: int) -> None:
    choices = Choices.model_validate({"options": ["a", "b"], "gold": "q"})
    template = {"name": "t", "input": "{{ q }}", "target": "x"}
    task = Task.model_validate({"signature": "q -> a", "templates": [template], "choices": choices})
    columns = RowSetColumns(row_set(task, {"q": ["c"]}))
    table, none = columns.options(choices), np.zeros(0, np.int64)
    found = option_blocks(
        columns.fragments, table, columns.option_numbers(table), none, none, STYLES[style:]
    )
    assert [len(part) for part in found] == [0, 0, 0]

"""Inputs and targets of many rows under templates and option styles, against each row's own."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_tasks import ROWS, SHARES, STYLES, TASK, made_rows, pools_of, row_set, spec_of, task_of

from flancompile.compiler.columns.examples.instances import NO_STYLE, Instances, instances
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.jinja.expression import RowError

Texts = tuple[str, str]


def found_of(made: Instances, columns: RowSetColumns) -> list[Texts | None]:
    """Input and target of each instance; None for one that falls back."""
    sides = (columns.fragments.texts(r).to_pylist() for r in (made.input, made.target))
    pairs = list(zip(*sides, strict=True))
    assert len(pairs) == len(made.resolved)
    return [p if known else None for p, known in zip(pairs, made.resolved, strict=True)]


def expected_of(
    spec: RenderSpec, rows: RowSet, which: list[tuple[int, int, int]]
) -> list[Texts | None]:
    """The row engine's; None for a row that it drops. which: (row, template, option style)."""
    renderer, ids = (
        Renderer(spec, rows, pools_of(spec.task, rows, []), {}),
        sorted(spec.option_styles),
    )
    found: list[Texts | None] = []
    for row, template, style in which:
        try:
            found.append(
                renderer._example(rows, row, template, None if style == NO_STYLE else ids[style])
            )
        except RowError:
            found.append(None)
    return found


def made(spec: RenderSpec, rows: RowSet, which: list[tuple[int, int, int]]) -> list[Texts | None]:
    columns = RowSetColumns(rows)
    parts = [np.array(part, np.int64) for part in zip(*which, strict=True)]
    return found_of(instances(spec, columns, *parts), columns)


@given(TASK, ROWS, st.sampled_from(range(len(STYLES))), st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_resolved_texts_are_those_of_each_row(
    about: dict[str, Any], rows: list[dict[str, Any]], styles: int, data: st.DataObject
) -> None:
    task = task_of({**about, "exemplars": {}})
    if task is None:
        return
    spec, block = spec_of(task, SHARES[0], styles), row_set(task, rows, 0)
    instance = st.tuples(
        st.integers(0, len(rows) - 1),
        st.integers(0, len(task.templates) - 1),
        st.integers(NO_STYLE, len(spec.option_styles) - 1) if task.choices else st.just(NO_STYLE),
    )
    which = data.draw(st.lists(instance, min_size=1, max_size=30))
    expected = expected_of(spec, block, which)
    for one, right in zip(made(spec, block, which), expected, strict=True):
        assert one is None or one == right


def test_plain_texts_are_all_resolved() -> None:
    """Filters, conditions, options, names of `let` and the gold in the arm without options."""
    task = task_of(
        {
            "templates": [
                {"input": "{{ q }}\n{{ options }}", "target": "{{ gold }}"},
                {"input": "{% if n %}{{ n }} {% endif %}{{ q | upper }}{{ options }}", "target": "{{ a }}{{ k }}"},
                {"input": "{{ p }}: {{ q }}", "target": "{{ xs | join }}", "let": {"p": "pick(xs)"}},
            ],
            "choices": {"options": ["yes", "no"], "gold": "a"}, "let": {"k": "kind ~ n"},
        }
    )  # fmt: skip
    assert task is not None
    spec, block = spec_of(task, SHARES[0]), row_set(task, made_rows(3, 30, plain=True), 0)
    which = [
        (r, t, s) for r in range(30) for t in range(3) for s in (NO_STYLE, 0, 1) if t < 2 or s < 0
    ]
    found = made(spec, block, which[::-1])
    assert found == expected_of(spec, block, which[::-1])
    assert None not in found and len(set(found)) > 100


def test_an_empty_or_failing_text_leaves_its_instance() -> None:
    task = task_of(
        {"templates": [{"input": "{% if n %}{{ q }}{% endif %}", "target": "{{ xs[0] }}"}]}
    )
    assert task is not None
    rows = [{**made_rows(1, 1, plain=True)[0], "n": n, "xs": xs} for n, xs in (
        (1, ["yes"]), (0, ["yes"]), (1, []), (1, [" "]), (2, ["no"]))]  # fmt: skip
    spec, block = spec_of(task, SHARES[0]), row_set(task, rows, 0)
    found = made(spec, block, [(r, 0, NO_STYLE) for r in range(5)])
    assert [one is not None for one in found] == [True, False, False, False, True]


def test_a_part_of_the_instances_has_their_texts() -> None:
    task = task_of({"templates": [{"input": "{{ q }}", "target": "{{ n }}"}]})
    assert task is not None
    rows = [
        {**row, "n": n} for row, n in zip(made_rows(1, 4, plain=True), (1, None, 2, 3), strict=True)
    ]
    spec, block = spec_of(task, SHARES[0]), row_set(task, rows, 0)
    columns, zeros = RowSetColumns(block), np.zeros(4, np.int64)
    whole = instances(spec, columns, np.arange(4), zeros, zeros + NO_STYLE)
    assert (
        found_of(whole.part(1, 3), columns)
        == found_of(whole, columns)[1:3]
        == [None, (rows[2]["q"], "2")]
    )

"""Arms and templates of all rows of a block, against those of each row."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_tasks import BYTES, ROWS, SHARES, TASK, made_rows, row_set, spec_of, task_of

from flancompile.compiler.columns.examples import arm_draws as columns_module
from flancompile.compiler.columns.examples.arm_draws import ArmDraws, arm_draws
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render import arms
from flancompile.compiler.render.arms import ArmShares, Choice, choose, draw_arms
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.row_set import RowSet

EVEN = ArmShares(shots=((0, 1.0), (2, 1.0)))


def choices_of(drawn: ArmDraws) -> list[Choice | None]:
    """The draws of each row; None for a row that falls back."""
    columns = (drawn.template, drawn.shots, drawn.options, drawn.cot, drawn.resolved)
    lines = zip(*(c.tolist() for c in columns), strict=True)
    return [Choice(*one) if resolved else None for *one, resolved in lines]


def drawn_at(rows: RowSet, epoch: int, shares: ArmShares = EVEN) -> list[Choice | None]:
    allowed = range(len(rows.task.templates))
    return choices_of(arm_draws(RowSetColumns(replace(rows, epoch=epoch)), shares, allowed))


def rows_of(about: dict[str, Any], count: int = 30) -> RowSet:
    task = task_of(about)
    assert task is not None
    return row_set(task, made_rows(1, count, plain=True), 0)


@given(TASK, ROWS, st.sampled_from([EVEN, *SHARES]), st.integers(0, 3), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_draws_are_those_of_each_row(
    about: dict[str, Any],
    rows: list[dict[str, Any]],
    shares: ArmShares,
    epoch: int,
    data: st.DataObject,
) -> None:
    task = task_of(about)
    if task is None:
        return
    every = range(len(task.templates))
    allowed = sorted(data.draw(st.sets(st.sampled_from(every), min_size=1)))
    by_columns, by_row = (row_set(task, rows, 0, epoch) for _ in range(2))
    expected = choose(by_row, shares, allowed)
    found = choices_of(arm_draws(RowSetColumns(by_columns), shares, allowed))
    assert len(found) == len(expected) == len(rows)
    for one, right in zip(found, expected, strict=True):
        assert one is None or one == right
        assert isinstance(right, Choice) or one is None


def test_a_row_without_a_template_falls_back() -> None:
    rows = rows_of({"templates": [{"input": "{{ q }}", "target": "{{ a }}", "when": "n == 0"}]})
    fits = [n == 0 for n in rows.columns["n"]]
    assert [one is not None for one in drawn_at(rows, 0)] == fits
    assert 0 < sum(fits) < len(fits)


def test_an_epoch_after_others_has_the_draws_of_a_first_one() -> None:
    rows = rows_of({"templates": [{"input": f"{i} {{{{ q }}}}", "target": "a"} for i in range(3)]})
    fresh = {e: drawn_at(replace(rows, shared=BlockCache()), e) for e in range(5)}
    assert [drawn_at(rows, e) for e in (0, 1, 4, 2, 2)] == [fresh[e] for e in (0, 1, 4, 2, 2)]
    templates = [[one.template for one in fresh[e] if one is not None] for e in range(5)]
    for before, after in pairwise(templates):
        assert len(before) == 30
        assert all(a != b for a, b in zip(before, after, strict=True))


def test_draws_cached_under_another_condition_are_not_continued() -> None:
    """Two tasks over one block may differ in the conditions of templates alone."""
    texts = [{"input": f"{i} {{{{ q }}}}", "target": "a"} for i in range(3)]
    open_ = rows_of({"templates": texts})
    narrow = rows_of({"templates": [{**texts[0], "when": "kind == 'x'"}, *texts[1:]]})
    expected = drawn_at(narrow, 3)
    drawn_at(open_, 2)
    assert drawn_at(replace(narrow, shared=open_.shared), 3) == expected != drawn_at(open_, 3)


@pytest.mark.parametrize("by_columns", [True, False])
def test_an_epoch_continues_from_the_last_one(
    monkeypatch: pytest.MonkeyPatch, by_columns: bool
) -> None:
    about: dict[str, Any] = {
        "templates": [{"input": "{{ q }}{{ options }}", "target": "{{ a }}"}] * 2
    }
    about["choices"] = {"options": ["yes", "no"], "gold": "a"}
    task = task_of(about)
    assert task is not None
    drawn: list[int] = []

    def recorded(*arguments: Any) -> Any:
        drawn.append(arguments[2])
        return draw_arms(*arguments)

    for module in (arms, columns_module):
        monkeypatch.setattr(module, "draw_arms", recorded)
    rows, shared = made_rows(1, 20, plain=True), BlockCache()
    ids = pa.array(list("abcdefghijklmnopqrst")), pa.array(range(20))
    for epoch in range(1, 9):
        block = replace(row_set(task, rows, 0, epoch), shared=shared)
        made = (block, *ids), Pools(task.exemplars, block), BYTES, Budget(total=2000)
        examples_of(spec_of(task, SHARES[0]), *made, by_columns=by_columns)
    assert drawn == [0, 1, *range(2, 9)]

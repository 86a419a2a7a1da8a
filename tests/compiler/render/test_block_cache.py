"""Values that epochs of a block, and tasks over it, share: with them as without them."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_tasks import (
    BYTES,
    ROWS,
    SHARES,
    STYLES,
    TASK,
    made_rows,
    pools_of,
    row_set,
    spec_of,
    task_of,
)  # fmt: skip

from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.dsl.models.task import Task, Variable
from flancompile.tokenizer.tokenizer import Tokenizer

Variables = tuple[str, Variable] | None
FRISIAN: Variables = ("lang", Variable({"name": "Frisian", "code": "fy"}))
DANISH: Variables = ("lang", Variable({"name": "Danish", "code": "da"}))


def made(
    task: Task,
    rows: list[dict[str, Any]],
    caches: tuple[BlockCache, SegmentCache],
    *,
    epoch: int = 0,
    shares: ArmShares = SHARES[1],
    styles: int = 0,
    by_columns: bool = True,
    variable: Variables = FRISIAN,
) -> pa.Table:
    """A task's examples of one block."""
    shared, segments = caches
    block = replace(row_set(task, rows, 0, epoch), shared=shared, variable=variable)
    ids = pa.array([str(i) for i in range(len(rows))]), pa.array(range(len(rows)))
    spec = replace(spec_of(task, shares, styles), variable=variable)
    pools = pools_of(task, block, rows[: len(rows) // 2])
    return examples_of(
        spec, (block, *ids), pools, segments.tokenizer, Budget(total=2000),
        by_columns=by_columns, segment_cache=segments,
    )  # fmt: skip


def fresh(tokenizer: Tokenizer) -> tuple[BlockCache, SegmentCache]:
    return BlockCache(), SegmentCache(tokenizer)


@pytest.mark.slow
@given(
    about=TASK, rows=ROWS, shares=st.sampled_from(SHARES), by_columns=st.booleans(),
    styles=st.sampled_from(range(len(STYLES))),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_values_of_earlier_epochs_change_no_later_one(
    bpe: Tokenizer,
    about: dict[str, Any],
    rows: list[dict[str, Any]],
    shares: ArmShares,
    by_columns: bool,
    styles: int,
) -> None:
    task = task_of(about)
    if task is None:
        return
    more: dict[str, Any] = {"shares": shares, "styles": styles, "by_columns": by_columns}
    caches = fresh(bpe)
    for epoch in (0, 1, 2, 5, 3, 3):
        found = made(task, rows, caches, epoch=epoch, **more)
        assert found.equals(made(task, rows, fresh(bpe), epoch=epoch, **more))


PLAIN = {"input": "{{ k }} {{ q }}{{ options }}", "target": "{{ gold }}"}
LISTED = {"options": ["yes", "no"], "gold": "a"}
NEAR: list[dict[str, Any]] = [  # tasks that differ in one thing
    {"choices": LISTED, "let": {"k": "kind"}},
    {"choices": LISTED, "let": {"k": "kind * 2"}},
    {"choices": LISTED, "let": {"k": "pick(['k', 'l'])"}},
    {"choices": {**LISTED, "shuffle": False}, "let": {"k": "kind"}},
    {"choices": {**LISTED, "gold": "n", "by": "index"}, "let": {"k": "kind"}},
    {"choices": {"distractors": 1, "gold": "a"}, "let": {"k": "kind"}},
    {"choices": LISTED, "let": {"k": "kind"}, "where": "n == 0"},
    {"choices": LISTED, "let": {"k": "kind"}, "exemplars": {"unlike": "kind"}},
    {"choices": LISTED, "let": {"k": "kind"}, "signature": "q -> n"},
    {"choices": LISTED, "let": {"k": "lang.name"}},
    {"choices": LISTED, "let": {"q": "lang.name", "k": "kind"}},
]


@pytest.mark.parametrize("by_columns", [True, False])
def test_tasks_over_one_block_do_not_share_what_differs(by_columns: bool) -> None:
    rows, caches = made_rows(7, 24, plain=True), fresh(BYTES)
    tables = []
    for about, variable in [*((a, FRISIAN) for a in NEAR), *((a, DANISH) for a in NEAR[::-1])]:
        task = task_of({"templates": [PLAIN], "signature": "q -> a", **about})
        assert task is not None
        more: dict[str, Any] = {"variable": variable, "by_columns": by_columns}
        tables.append(made(task, rows, caches, **more))
        assert tables[-1].equals(made(task, rows, fresh(BYTES), **more)), (about, variable)
    assert len({str(t["ids"].to_pylist()) for t in tables}) > len(NEAR)


def test_what_depends_on_a_draw_is_not_stored() -> None:
    """Of a task whose `let` draws, only values that no draw reaches are in the cache."""
    task = task_of({"templates": [PLAIN], **NEAR[2]})
    assert task is not None
    rows, caches = made_rows(7, 24, plain=True), fresh(BYTES)
    texts = [str(made(task, rows, caches, epoch=e)["ids"].to_pylist()) for e in (0, 1)]
    assert texts[0] != texts[1]
    assert (caches[0].lets, caches[0].option_lists) == ({}, {})
    assert list(caches[1].fragment_cache.printed) == [("q", None)]
    assert caches[1].fragment_cache.forms == {}

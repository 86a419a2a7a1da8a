"""Exemplars of all rows at once, against a walk over the candidates of each row."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest
from engines import row_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.examples.exemplar_draws import draw_shots
from flancompile.compiler.render.exemplars import Pool, Pools
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.models.task import Task

TEXT = st.sampled_from(["a", "A ", "b", "c", "d", "e", "é", "f g", "f  g"])
ROW = st.fixed_dictionaries({"q": TEXT, "k": st.sampled_from([1, 1.0, "1", 2, None, "x"])})
ROWS = st.lists(ROW, min_size=1, max_size=30)
SETTINGS: list[dict[str, Any]] = [
    {}, {"same": "k"}, {"unlike": "k"}, {"from": "split", "split": "dev"},
    {"from": "split", "split": "dev", "order": "file"},
    {"from": "split", "split": "dev", "order": "file", "same": "k"},
    {"from": "split", "split": "dev", "unlike": "q"}, {"from": "file", "file": "f"},
]  # fmt: skip


def task_of(exemplars: dict[str, Any]) -> Task:
    template = {"name": "t", "input": "{{ q }}", "target": "x"}
    about = {"signature": "q -> k", "templates": [template], "exemplars": exemplars}
    return Task.model_validate(about)


def rows_of(task: Task, rows: list[dict[str, Any]], origin: str) -> RowSet:
    columns = {"q": [r["q"] for r in rows], "k": [r["k"] for r in rows]}
    return row_set(task, columns, origin=origin)


def walked(pool: Pool, queries: RowSet, row: int, shots: int, fits: np.ndarray) -> list[int]:
    """The candidates that fit, one after the other."""
    found: list[int] = []
    for candidate in pool.candidates(queries, row, shots):
        if len(found) == shots:
            break
        if fits[candidate]:
            pool.take(candidate)
            found.append(candidate)
    return found


def drawn(*given_: Any) -> list[list[int]]:
    return [[i for i in line if i >= 0] for line in draw_shots(*given_).tolist()]


@pytest.mark.parametrize("exemplars", SETTINGS, ids=str)
@given(rows=ROWS, others=ROWS, one_split=st.booleans(), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_exemplars_are_the_first_candidates_that_fit(
    exemplars: dict[str, Any],
    rows: list[dict[str, Any]],
    others: list[dict[str, Any]],
    one_split: bool,
    seed: int,
) -> None:
    task, random = task_of(exemplars), np.random.default_rng(seed)
    queries = rows_of(task, rows, "train")
    is_own = task.exemplars.source == "drawn"
    pool = queries if is_own else rows_of(task, others, "train" if one_split else "dev")
    at = np.flatnonzero(random.random(len(rows)) < 0.8)
    shots = random.integers(0, 7, len(at))
    kinds = random.integers(0, 2, len(at))
    fits = random.random((2, len(pool))) < random.choice([0.1, 0.7, 1.0])
    found = drawn(Pool(pool, task.exemplars), queries, at, shots, fits, kinds)
    assert len(found) == len(at)
    for row, count, kind, shown in zip(at, shots, kinds, found, strict=True):
        one = Pool(pool, task.exemplars)
        assert shown == walked(one, queries, int(row), int(count), fits[kind])


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), max_size=9) | st.none(), min_size=1),
    st.integers(0, 4),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("order", ["file", "drawn"])
def test_pools_of_a_column_are_drawn_from_apart(
    order: str, own: list[list[str] | None], shots: int
) -> None:
    about = {"from": "column", "rows": "own", "fields": {"q": "item", "k": "item"}, "order": order}
    task = task_of(about)
    columns: dict[str, Sequence[Any]] = {"q": ["a"] * len(own), "k": ["a"] * len(own), "own": own}
    rows = row_set(task, columns)
    pools = Pools(task.exemplars, rows)
    merged = pools.column_pools(rows, range(len(own)))
    at = np.flatnonzero(merged.counts >= 0)
    fits, kinds = np.ones((1, len(merged.pool)), np.bool_), np.zeros(len(at), np.int64)
    merged = type(merged)(merged.pool, merged.starts[at], merged.counts[at])
    pool = Pool(merged.pool, task.exemplars)
    found = drawn(pool, rows, at, np.full(len(at), shots), fits, kinds, merged)
    assert len(found) == sum(items is not None for items in own)
    for row, shown in zip(at.tolist(), found, strict=True):
        one = pools.of(rows, row)
        expected = walked(one, rows, row, shots, np.ones(len(one.rows), np.bool_))
        texts = [one.rows.columns["q"][i] for i in expected]
        assert [merged.pool.columns["q"][i] for i in shown] == texts


def test_a_pool_without_rows_or_queries_gives_none() -> None:
    task = task_of({"from": "split", "split": "dev"})
    queries, nobody = rows_of(task, [{"q": "a", "k": 1}], "train"), np.zeros(0, np.int64)
    one, none = np.ones(1, np.int64), np.zeros((1, 0), np.bool_)
    empty = RowSet("toy/qa", task, 1, 0, np.zeros(0, np.uint64), {"q": [], "k": []})
    kinds = np.zeros(1, np.int64)
    assert drawn(Pool(empty, task.exemplars), queries, np.zeros(1, int), 3 * one, none, kinds) == [
        []
    ]
    full, fits = Pool(queries, task.exemplars), np.ones((1, 1), np.bool_)
    assert draw_shots(full, queries, nobody, nobody, fits, nobody).shape == (0, 0)


def test_a_rare_exemplar_that_fits_is_found_after_the_draws() -> None:
    """One of 3,000 rows fits: more than the drawn attempts are needed to find it."""
    task = task_of({})
    rows = rows_of(task, [{"q": str(i), "k": i} for i in range(3000)], "train")
    fits = np.zeros((1, 3000), np.bool_)
    fits[0, [17, 2017]] = True
    at = np.array([0, 17, 2500])
    shots, kinds = np.full(3, 2), np.zeros(3, np.int64)
    found = drawn(Pool(rows, task.exemplars), rows, at, shots, fits, kinds)
    assert [sorted(shown) for shown in found] == [[17, 2017], [2017], [17, 2017]]
    one = Pool(rows, task.exemplars)
    offered = (c for c in one.candidates(rows, 0, 2) if fits[0, c])
    assert found[0] == list(islice(offered, 2))

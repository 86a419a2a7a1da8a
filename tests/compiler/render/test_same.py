"""Rows with an equal value of a field are found whatever types their files store it in."""

import math
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engines import both_engines, row_set
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile.compiler.render.duplicates import folded_digests
from flancompile.compiler.render.exemplar_pools import _first_of_each
from flancompile.dsl.jinja.values import compared_key
from flancompile.dsl.models.task import Task

EQUAL: list[list[Any]] = [
    [1, 1.0, "1"], [0, 0.0, -0.0, "0"], [-7, -7.0, "-7"], [2**60, float(2**60), str(2**60)], [0.5, "0.5"],
    [True, "True"], [False, "False"], [None, math.nan, math.inf, -math.inf], ["None"], ["null"], ["nan"], [""], [" "],
    ["a"], ["A"], ["1.0"], ["é"], ["e\u0301"], [[]], ["[]"], [{}], ["{}"], [[1, "a"], [1.0, "a"], ["1", "a"]], [["a", 1]],
    [[None]], [["None"]], [[[1], [2]], [[1.0], ["2"]]], [{"k": 1, "l": None}, {"l": math.nan, "k": 1.0}], [{"k": None}],
    [date(2001, 2, 3), "2001-02-03"],
]  # fmt: skip


def test_equal_values_have_one_key_and_others_another() -> None:
    keys = [{compared_key(value) for value in values} for values in EQUAL]
    assert all(len(found) == 1 for found in keys)
    assert len(set.union(*keys)) == len(EQUAL) > 20


def test_digests_of_unlike_agree_with_the_keys() -> None:
    """But for case, white space and Unicode form, which digests fold."""
    apart = [v for v in EQUAL if v[0] not in ("A", "e\u0301", " ", "null", "nan") and v != ["None"]]
    digests = [set(folded_digests([values]).tolist()) for values in apart]
    assert all(len(found) == 1 for found in digests)
    plain = [v for v in apart if not isinstance(v[0], list | dict)]
    assert len(set.union(*(set(folded_digests([v]).tolist()) for v in plain))) == len(plain) > 10


FORMS = {"whole": int, "fraction": float, "text": str, "list": lambda n: [n]}
SETTINGS: list[dict[str, Any]] = [
    {"from": "split", "split": "dev"}, {"from": "split", "split": "dev", "order": "file"},
]  # fmt: skip


@pytest.mark.parametrize("by", ["same", "unlike"])
@pytest.mark.parametrize("exemplars", SETTINGS, ids=str)
@given(
    queries=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    pool=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    forms=st.tuples(st.sampled_from(["whole", "fraction", "text"]), st.sampled_from(["whole", "fraction", "text"])),
)  # fmt: skip
@example(queries=[1], pool=[1], forms=("fraction", "text"))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_exemplars_of_a_value_are_those_of_any_type(
    by: str, exemplars: dict[str, Any], queries: list[int], pool: list[int], forms: tuple[str, str]
) -> None:
    task = Task.model_validate(
        {
            "signature": "q, n -> a",
            "templates": [{"name": "t", "input": "{{ q }};", "target": "{{ a }}"}],
            "exemplars": {**exemplars, by: "n"},
        }
    )

    def columns(name: str, numbers: list[int], form: str) -> dict[str, list[Any]]:
        texts = [f"{name}{i}" for i in range(len(numbers))]
        return {"q": texts, "a": texts, "n": list(map(FORMS[form], numbers))}

    dev = row_set(task, columns("p", pool, forms[1]), origin="dev")
    shown = both_engines(task, columns("q", queries, forms[0]), dev, shots=12)
    assert len(shown) == len(queries)
    for number, one in zip(queries, shown, strict=True):
        assert isinstance(one, tuple)
        found = {i for i in range(len(pool)) if f"p{i};" in one[0]}
        assert found == {i for i, n in enumerate(pool) if (n == number) == (by == "same")}


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["whole", "fraction", "text"])),
        min_size=2,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_distractors_of_a_value_are_those_of_any_type(rows: list[tuple[int, str]]) -> None:
    template = {
        "name": "t",
        "options": "required",
        "input": "Q\n{{ options }}",
        "target": "{{ gold }}",
    }
    choices = {"gold": "a", "distractors": 1, "same": "n"}
    task = Task.model_validate(
        {"signature": "q, n -> a", "templates": [template], "choices": choices}
    )
    columns = {
        "q": ["q"] * len(rows), "a": [f"a{i}." for i in range(len(rows))], "n": [FORMS[f](n) for n, f in rows],
    }  # fmt: skip
    shown = both_engines(task, columns, options=True)
    assert len(shown) == len(rows)
    for i, one in enumerate(shown):
        peers = {j for j, (n, _) in enumerate(rows) if n == rows[i][0]}
        if len(peers) == 1:
            assert isinstance(one, str)
        elif isinstance(one, tuple):
            assert {j for j in range(len(rows)) if f"<a{j}.>" in one[0]} <= peers
    assert any(isinstance(one, tuple) for one in shown) or len({n for n, _ in rows}) > 1


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["fraction", "text", "whole"])),
        max_size=40,
    )
)
def test_a_pool_holds_the_first_rows_of_each_value(rows: list[tuple[int, str]]) -> None:
    keys = [compared_key(FORMS[form](n)) for n, form in rows]
    kept = _first_of_each(keys, np.arange(len(rows)))
    assert kept.tolist() == list(range(len(rows)))  # there are fewer than a pool may hold
    assert len(set(keys)) == len({n for n, _ in rows})


def test_arrow_columns_of_two_types_have_equal_digests() -> None:
    whole, fraction = pa.array([1, None, 3]), pa.array([1.0, None, 3.0])
    text = pa.array(["1", None, "3"])
    found = {tuple(folded_digests([column]).tolist()) for column in (whole, fraction, text)}
    assert len(found) == 1

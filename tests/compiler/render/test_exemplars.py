"""Exemplar pools: which rows are shown, against a brute-force reference, in both engines."""

import math
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engines import both_engines
from engines import row_set as rows_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile import draw
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import (
    RATIONALE,
    Pool,
    Pools,
    item_digest,
    item_rows,
    rationale_text,
)
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.style import ShotsStyle
from flancompile.dsl.models.task import Task, Variable
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))
NEAR = [
    "3 + 4", "3 - 4", "3  + 4", "3 + 4 ", "C", "c", "C++", "C#", "é", "e\u0301", "É", "x²", "x2", "No.",
    "No", "no\t.", "( ) )", "( ( )", "straße", "STRASSE", "a\u00a0b", "a b", "ﬁ", "fi", "1.5", "15", "-1", "1",
]  # fmt: skip
ROW = st.fixed_dictionaries({"q": st.sampled_from(NEAR), "a": st.sampled_from(NEAR[:12])})
ROWS = st.lists(
    st.tuples(st.integers(0, 30), ROW), min_size=1, max_size=25, unique_by=lambda r: r[0]
)
SOURCES: list[dict[str, Any]] = [
    {}, {"from": "split", "split": "dev"}, {"from": "split", "split": "dev", "order": "file"},
    {"from": "file", "file": "f", "order": "file", "fields": {"q": "item.q", "a": "item.a"}},
    {"from": "file", "file": "f", "fields": {"q": "item.q", "a": "item.a"}},
]  # fmt: skip
Numbered = list[tuple[int, dict[str, Any]]]


def plain(text: str) -> str:
    folded = unicodedata.normalize("NFD", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def form(row: dict[str, Any]) -> tuple[str, str]:
    return plain(row["q"]), plain(row["a"])


def row_set(task: Task, rows: Numbered, origin: str) -> RowSet:
    arrays = {n: pa.array([r[n] for _, r in rows], pa.string()) for n in ("q", "a")}
    digests = np.array([draw.digest64("row", i) for i, _ in rows], np.uint64)
    columns = {n: a.to_pylist() for n, a in arrays.items()}
    return RowSet("toy/qa", task, 1, 0, digests, columns, None, arrays, origin=origin)


def made(
    task: Task, rows: Numbered, pool: Numbered, shots: int, same_split: bool, by_columns: bool,
    total: int = 5000, style: ShotsStyle | None = None,
) -> pa.Table:  # fmt: skip
    block = row_set(task, rows, "test")
    exemplars, given = task.exemplars, row_set(task, pool, "test" if same_split else "dev")
    if exemplars.source == "drawn":
        given = block
    elif exemplars.source == "file":
        given = item_rows(block, [r for _, r in pool], exemplars)
    shares = ArmShares(((shots, 1.0),), (0.0, 1.0), (0.0, 1.0))
    spec = RenderSpec("toy/qa", task, {}, {"plain": style or ShotsStyle()}, shares, 1, (0,))
    about = block, pa.array([str(i) for i, _ in rows]), pa.array(range(len(rows)))
    return examples_of(
        spec, about, Pools(exemplars, given), BYTES, Budget(total=total), by_columns=by_columns
    )


@pytest.mark.parametrize("exemplars", SOURCES, ids=str)
@given(
    rows=ROWS, pool=ROWS, shots=st.integers(1, 6), same_split=st.booleans(), inverted=st.booleans()
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_exemplars_are_those_of_the_reference(
    exemplars: dict[str, Any],
    rows: Numbered,
    pool: Numbered,
    shots: int,
    same_split: bool,
    inverted: bool,
) -> None:
    signature, input_, target = ("a -> q", "a", "q") if inverted else ("q -> a", "q", "a")
    template = {"name": "t", "input": f"{{{{ {input_} }}}}", "target": f"{{{{ {target} }}}}"}
    task = Task.model_validate(
        {"signature": signature, "templates": [template], "exemplars": exemplars}
    )
    columns = made(task, rows, pool, shots, same_split, by_columns=True)
    assert columns.equals(made(task, rows, pool, shots, same_split, by_columns=False))
    source = exemplars.get("from", "drawn")
    offered = rows if source == "drawn" else pool
    if source == "file":
        names = row_names(task, pool)
    else:
        names = [draw.digest64("row", i) for i, _ in offered]
        same_split = same_split or source == "drawn"
    shown_of = columns["exemplars"].to_pylist()
    assert len(shown_of) == len(rows)
    for (id_, query), shown in zip(rows, shown_of, strict=True):
        fit = [
            (name, form(row))
            for name, (other, row) in zip(names, offered, strict=True)
            if form(row) != form(query) and not (source != "file" and same_split and other == id_)
        ]
        if source == "file" or exemplars.get("order") == "file":  # as they stand
            wanted = [name for name, _ in fit]
            if exemplars.get("order") == "file":
                assert shown == wanted[:shots]
            assert sorted(set(shown)) == sorted(set(shown) & set(wanted))
            assert len(shown) == min(shots, len(wanted))
        else:
            forms = dict(fit)
            assert len({forms[name] for name in shown}) == len(shown)
            assert len(shown) == min(shots, len(set(forms.values())))


@pytest.mark.parametrize("exemplars", SOURCES, ids=str)
@given(rows=ROWS, pool=ROWS, shots=st.integers(1, 6), total=st.integers(4, 90))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_fewer_shots_have_a_reason(
    exemplars: dict[str, Any], rows: Numbered, pool: Numbered, shots: int, total: int
) -> None:
    template = {"name": "t", "input": "{{ q }}", "target": "{{ a }}"}
    task = Task.model_validate(
        {"signature": "q -> a", "templates": [template], "exemplars": exemplars}
    )
    whole = made(task, rows, pool, shots, same_split=False, by_columns=True)
    fitted = made(task, rows, pool, shots, same_split=False, by_columns=True, total=total)
    alone = made(task, rows, pool, shots, same_split=False, by_columns=False, total=total)
    assert fitted.equals(alone)
    assert len(fitted) == len(rows)
    for before, after in zip(whole.to_pylist(), fitted.to_pylist(), strict=True):
        cause = None
        if after["reason"] is None and after["shots"] < shots:
            cause = "too few exemplars to draw"
            if after["shots"] < before["shots"]:
                cause = "exemplars left out for length"
        assert after["fewer_shots"] == cause


@pytest.mark.parametrize("by_columns", [True, False])
def test_no_layout_for_exemplars_is_a_reason(by_columns: bool) -> None:
    template = {"name": "t", "input": "{{ q }}", "target": "{{ a }}"}
    task = Task.model_validate({"signature": "q -> a", "templates": [template]})
    rows: Numbered = [(i, {"q": f"{i}", "a": "x"}) for i in range(4)]
    zero = ShotsStyle(when="zero")
    table = made(task, rows, [], 2, same_split=False, by_columns=by_columns, style=zero)
    assert table["fewer_shots"].to_pylist() == ["no layout for exemplars"] * 4


def row_names(task: Task, pool: Numbered) -> list[int]:
    block = row_set(task, pool, "test")
    return list(map(int, item_rows(block, [r for _, r in pool], task.exemplars).digests))


FORMS: dict[str, Callable[[int], Any]] = {
    "whole": int,
    "fraction": float,
    "text": str,
    "list": lambda n: [n],
}
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

    dev = rows_of(task, columns("p", pool, forms[1]), origin="dev")
    shown = both_engines(task, columns("q", queries, forms[0]), dev, shots=12)
    assert len(shown) == len(queries)
    for number, one in zip(queries, shown, strict=True):
        assert isinstance(one, tuple)
        found = {i for i in range(len(pool)) if f"p{i};" in one[0]}
        assert found == {i for i, n in enumerate(pool) if (n == number) == (by == "same")}


def qa(**exemplars: Any) -> Task:
    template = {"name": "t", "input": "{{ q }}", "target": "{{ a }}"}
    return Task.model_validate(
        {"signature": "q -> a", "templates": [template], "exemplars": exemplars}
    )


def column(**more: Any) -> Task:
    return qa(**{"from": "column", "rows": "own", **more})


ITEMS: list[Any] = [{"q": "1?", "a": "one"}, {"q": "2?"}, "text", None, {"q": "3?", "a": None}]


def test_items_are_rows_of_the_fields_that_they_have() -> None:
    rows = rows_of(column(), {"q": ["?"], "a": ["!"], "own": [ITEMS]})
    found = item_rows(rows, ITEMS, rows.task.exemplars)
    assert found.columns == {
        "q": ["1?", "2?", None, None, "3?"], "a": ["one", None, None, None, None],
        "own": [None] * 5,
    }  # fmt: skip
    assert found.digests.tolist() == [item_digest(item) for item in ITEMS]


def test_items_whose_fields_fail_are_left_out() -> None:
    task = column(
        fields={"q": "item.q ~ lang.mark", "a": "item['a'] | upper"}, explanation="item.w"
    )
    rows = rows_of(task, {"q": ["?"], "a": ["!"], "own": [ITEMS]})
    rows.variable = ("lang", Variable({"name": "x", "mark": "*"}))
    why = {"q": "4?", "a": "four", "w": "so"}
    found = item_rows(rows, [*ITEMS, why], task.exemplars)
    assert [found.columns[n] for n in ("q", "a", "own")] == [
        ["1?*", "4?*"], ["ONE", "FOUR"], [None] * 2,
    ]  # fmt: skip
    assert found.columns[RATIONALE] == [None, "so"]
    assert found.digests.tolist() == [item_digest(ITEMS[0]), item_digest(why)]


def test_an_item_s_digest_ignores_the_order_of_its_keys() -> None:
    assert item_digest({"a": 1, "b": [2]}) == item_digest({"b": [2], "a": 1})
    others = [{"a": 1, "b": [2]}, {"a": "1", "b": [2]}, {"a": 1}, [1], "1", 1, None]
    assert len({item_digest(item) for item in others}) == len(others)


@pytest.mark.parametrize("items", ["text", {"q": "1?"}, 3, None])
def test_a_column_without_a_list_has_no_pool(items: Any) -> None:
    rows = rows_of(column(), {"q": ["?"], "a": ["!"], "own": [items]})
    pools = Pools(rows.task.exemplars, rows)
    with pytest.raises(RowError, match="exemplars: not a list"):
        pools.of(rows, 0)
    found = pools.column_pools(rows, [0])
    assert (found.counts.tolist(), len(found.pool)) == ([-1], 0)


def test_items_with_keys_of_several_types_have_no_pool() -> None:
    task = column(rows="[{1: q, 'a': q}]")
    rows = rows_of(task, {"q": ["?"], "a": ["!"]})
    pools = Pools(task.exemplars, rows)
    with pytest.raises(RowError, match="an item's keys are not all texts"):
        pools.of(rows, 0)
    assert pools.column_pools(rows, [0]).counts.tolist() == [-1]


VALUE = st.sampled_from(["1", "2", "", None])
ITEM = st.fixed_dictionaries({"q": VALUE}, optional={"a": VALUE, "w": VALUE}) | st.none()
OWN = st.lists(st.lists(ITEM, max_size=4) | st.none() | st.just("text"), min_size=1, max_size=6)


@given(OWN, st.booleans())
@settings(max_examples=60, deadline=None)
def test_pools_of_a_column_are_ranges_of_one_pool(own: list[Any], named: bool) -> None:
    fields = {"fields": {"q": "item.q", "a": "item.a ~ '.'"}, "explanation": "item.w"}
    task = column(**(fields if named else {}))
    rows = rows_of(task, {"q": ["?"] * len(own), "a": ["!"] * len(own), "own": own})
    pools = Pools(task.exemplars, rows)
    found = pools.column_pools(rows, range(len(own)))
    for row, (start, count) in enumerate(zip(found.starts, found.counts, strict=True)):
        if not isinstance(own[row], list):
            assert count == -1
            continue
        pool, part = pools.of(rows, row).rows, slice(start, start + count)
        assert found.pool.digests[part].tolist() == pool.digests.tolist()
        assert {n: c[part] for n, c in found.pool.columns.items()} == pool.columns
    assert len(found.counts) == len(own)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), ("", None), (" \n", None), (math.nan, None), (" so ", " so "), (2.5, "2.5"), (0, "0")],
)  # fmt: skip
def test_an_empty_rationale_is_none(value: Any, text: str | None) -> None:
    assert rationale_text(value) == text


@pytest.mark.parametrize("value", [[], ["so"], {"k": "so"}])
def test_a_rationale_is_one_text(value: Any) -> None:
    with pytest.raises(RowError, match="the explanation"):
        rationale_text(value)


def test_a_rationale_that_cannot_be_computed_is_absent() -> None:
    rows = rows_of(qa(explanation="n // a"), {"q": ["x", "y"], "a": [0, 2], "n": [4, 4]})
    pool = Pool(rows, rows.task.exemplars)
    assert [pool.rationale(row) for row in (0, 1)] == [None, "2"]


def offered(rows: RowSet, pool: RowSet, row: int, shots: int, take: bool) -> list[int]:
    """Candidates of a query. take: each of them is shown."""
    found, one = [], Pool(pool, rows.task.exemplars)
    for candidate in one.candidates(rows, row, shots):
        found.append(candidate)
        if take:
            one.take(candidate)
    return found


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_every_row_that_may_be_shown_is_offered_once(texts: list[str], shots: int) -> None:
    rows = rows_of(qa(), {"q": texts, "a": ["x"] * len(texts)})
    for row in range(len(texts)):
        every = offered(rows, rows, row, shots, take=False)
        assert sorted(every) == [i for i, t in enumerate(texts) if t != texts[row]]
        shown = offered(rows, rows, row, shots, take=True)
        assert sorted(texts[i] for i in shown) == sorted({*texts} - {texts[row]})
        assert shown == [
            i for n, i in enumerate(every) if texts[i] not in [texts[j] for j in every[:n]]
        ]


def test_fixed_exemplars_keep_their_order_and_duplicates() -> None:
    task = qa(**{"from": "split", "split": "dev", "order": "file"})
    texts = ["b", "a", "B ", "c", "b"]
    pool = rows_of(task, {"q": texts, "a": ["x"] * 5}, origin="dev")
    rows = rows_of(task, {"q": ["a", "z"], "a": ["x", "x"]})
    assert offered(rows, pool, 0, 2, take=True) == [0, 2, 3, 4]  # without the query's duplicate
    assert offered(rows, pool, 1, 2, take=True) == [0, 1, 2, 3, 4]


def test_draws_of_exemplars_depend_on_the_query_and_the_pool_alone() -> None:
    task = qa(**{"from": "split", "split": "dev"})
    names = [f"p{i}" for i in range(20)]
    pool = rows_of(task, {"q": names, "a": names}, origin="dev")
    texts = [f"q{i}" for i in range(8)]
    whole = rows_of(task, {"q": texts, "a": texts})
    part = rows_of(task, {"q": texts[:3], "a": texts[:3]})
    found = [offered(whole, pool, row, 3, take=True)[:3] for row in range(8)]
    assert found[:3] == [offered(part, pool, row, 3, take=True)[:3] for row in range(3)]
    assert len({tuple(f) for f in found}) > 5

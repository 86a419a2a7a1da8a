"""Which rows are shown as exemplars, against a brute-force reference, in both engines."""

import unicodedata
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile import draw
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplars import Pools, item_rows
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task
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

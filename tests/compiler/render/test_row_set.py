"""Rows as templates see them: names of `let`, draws, answer options, distractors, duplicates."""

import unicodedata
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engines import both_engines
from engines import row_set as rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile import draw
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import MAX_OPTIONS, RowSet, Stored, without_doubles
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Choices, Task, Variable
from flancompile.sources.columns import column_field, stored
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))
FORMS: dict[str, Any] = {"whole": int, "fraction": float, "text": str}
OPTION_TEXTS = [
    "C", "C++", "C#", "c", "C ", " C", "é", "e\u0301", "a b", "a  b", "3 + 4", "3 - 4", "No", "no",
]  # fmt: skip


def read(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def qa(*templates: dict[str, Any], **more: Any) -> Task:
    plain = {"name": "t", "input": "{{ q }}", "target": "{{ a }}"}
    about = [{**plain, **t} for t in templates or ({},)]
    return Task.model_validate({"signature": "q -> a", "templates": about, **more})


ROW = {"q": ["one"], "a": ["x"]}


def test_names_of_let_see_those_before_them() -> None:
    own = {"let": {"k": "k ~ '!'", "m": "k | length"}}
    task = qa(own, let={"k": "q | upper", "a": "k ~ a"})
    rows = rows_of(task, ROW)
    assert rows.context(0) == {"q": "one", "k": "ONE", "a": "ONEx"}
    assert rows.context(0, task.templates[0]) == {"q": "one", "k": "ONE!", "a": "ONEx", "m": 4}
    assert rows.fields(0) == {"q": "one", "a": "x"}


def test_the_variable_hides_a_field_and_let_hides_the_variable() -> None:
    variable = ("q", Variable({"name": "Frisian", "code": "fy"}))
    rows = replace(rows_of(qa(), ROW), variable=variable)
    assert rows.fields(0)["q"] is variable[1]
    assert replace(rows, task=qa(let={"q": "q.code"}), _lets={}).context(0)["q"] == "fy"


@pytest.mark.parametrize(
    ("let", "why"),
    [
        ("q / 2", "/ is not defined for a text"),
        ("pick([])", "pick: the list is empty"),
        ("missing.x", "missing"),
    ],
)
def test_a_let_that_fails_fails_its_row(let: str, why: str) -> None:
    with pytest.raises(RowError, match=why):
        rows_of(qa(let={"k": let}), ROW).context(0)


def test_each_call_of_pick_draws_for_itself() -> None:
    """A draw is a function of the row, the epoch and the name, not of the other rows."""
    letters = "'abcdefghijklmnop' | list"
    let = {"k": f"pick({letters}) ~ pick({letters})", "l": f"pick({letters})"}
    rows = rows_of(qa(let=let), {"q": list("0123456789" * 5), "a": ["x"] * 50})
    drawn = [(str(c["k"]), str(c["l"])) for c in map(rows.context, range(50))]
    assert [sum(len({k[i] for k, _ in drawn}) > 8 for i in (0, 1))] == [2]
    assert 0 < sum(k[0] == k[1] for k, _ in drawn) < 15
    assert sum(k[0] == name for k, name in drawn) < 15
    few = replace(rows, digests=rows.digests[30:], columns={n: c[30:] for n, c in rows.columns.items()},
                  _bits={}, _lets={})  # fmt: skip
    assert [(c["k"], c["l"]) for c in map(few.context, range(20))] == drawn[30:]
    later = replace(rows, epoch=1, _bits={}, _lets={})
    assert [c["k"] for c in map(later.context, range(50))] != [k for k, _ in drawn]


def test_bits_of_some_rows_are_those_of_all() -> None:
    rows = rows_of(qa(), {"q": list("abcdef"), "a": list("abcdef")})
    some = np.array([4, 0, 4])
    for purpose, n in (("distractor", 0), ("distractor", 1), ("exemplar", 0)):
        assert rows.bits(purpose, n, some).tolist() == rows.bits(purpose, n)[some].tolist()
    seen = [rows.bits("a").tolist(), rows.bits("a", 1).tolist(), rows.bits("b").tolist(),
            replace(rows, epoch=1, _bits={}).bits("a").tolist(),
            replace(rows, seed=2, _bits={}).bits("a").tolist(),
            replace(rows, task_id="toy/b", _bits={}).bits("a").tolist()]  # fmt: skip
    assert len({bit for bits in seen for bit in bits}) == 6 * len(seen)


def test_shortened_fields_reach_names_of_let() -> None:
    own = {"let": {"n": "k | length", "fails": "q[8]"}}
    task = qa(own, let={"k": "q[:5]", "kept": "q", "drawn": "pick(q | list)"})
    rows = rows_of(task, {"q": ["123456789"], "a": ["x"]})
    before = rows.context(0, task.templates[0])
    after = rows.shortened(0, task.templates[0], {"q": "12"}, {"kept"})
    assert (before["n"], after["n"], after["k"]) == (5, 2, "12")
    assert (after["kept"], after["fails"]) == ("123456789", "9")  # kept, and what would fail
    assert str(after["drawn"]) in "12"
    assert rows.context(0, task.templates[0]) == before


def test_a_when_that_fails_is_an_error_and_none_is_true() -> None:
    task = qa({"name": "a", "when": "n > 1"}, {"name": "b"})
    rows = rows_of(task, {"q": ["x"] * 3, "a": ["x"] * 3, "n": [1, 2, None]})
    assert [rows.applies(row, task.templates[0]) for row in (0, 1)] == [False, True]
    assert rows.applies(2, task.templates[1])
    with pytest.raises(RowError):
        rows.applies(2, task.templates[0])


def test_peers_have_an_equal_value() -> None:
    rows = rows_of(qa(), {"q": [1, "1", None, 2, 1.0], "a": list("abcde")})
    assert [list(rows.peers(row, "q")) for row in range(5)] == [[0, 1, 4]] * 2 + [
        [2],
        [3],
        [0, 1, 4],
    ]
    assert list(rows.peers(3, None)) == [0, 1, 2, 3, 4]


CHOICES = st.sampled_from([
    {"options": "xs", "gold": "n", "by": "index"},
    {"options": "xs", "gold": "n", "by": "index", "shuffle": False},
    {"distractors": 3, "gold": "xs[0]"}, {"distractors": 25, "gold": "xs[n]"},
])  # fmt: skip
LISTS = st.lists(st.text("abcé ", max_size=3), max_size=30)


@given(CHOICES, st.lists(st.tuples(LISTS, st.integers(0, 29)), min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_options_hold_the_right_one_and_no_two_alike(
    about: dict[str, Any], rows: list[tuple[list[str], int]]
) -> None:
    choices = Choices.model_validate(about)
    columns: dict[str, list[Any]] = {"xs": [xs for xs, _ in rows], "n": [n for _, n in rows]}
    columns |= {name: list(map(str, range(len(rows)))) for name in "qa"}
    made = rows_of(qa(choices=about), columns)
    for row, (xs, n) in enumerate(rows):
        try:
            gold = made.gold(row, choices)
        except RowError:
            assert n >= len(xs) or not xs[n].strip()
            with pytest.raises(RowError):
                made.options(row, choices)
            continue
        try:
            found = made.options(row, choices)
        except RowError as error:
            assert str(error) == "choices: fewer than two options"
            with pytest.raises(RowError, match="fewer than two"):  # also from the cache
                made.options(row, choices)
            continue
        assert found.texts[found.gold] == gold
        assert 2 <= len(found.texts) <= MAX_OPTIONS
        assert len({read(text) for text in found.texts}) == len(found.texts)
        if choices.distractors is None:
            distinct = {read(x) for x in xs}
            assert len(found.texts) + found.left_out == len(distinct)
            assert len(distinct) + found.doubles == len(xs)
            assert set(found.texts) <= set(xs)
        if not choices.shuffle:
            order = [xs.index(text) for text in found.texts if text != gold]
            assert order == sorted(order)


@given(
    st.lists(st.sampled_from(["C", "C ", "c", "é", "e\u0301", "a  b", "a b", ""]), min_size=1),
    st.data(),
)
def test_of_options_that_read_alike_one_stays(texts: list[str], data: st.DataObject) -> None:
    gold = data.draw(st.integers(0, len(texts) - 1))
    kept, place = without_doubles(texts, gold)
    assert kept[place] == texts[gold]
    assert [read(t) for t in kept if t != texts[gold]] == list(
        dict.fromkeys(read(t) for t in texts if read(t) != read(texts[gold]))
    )
    assert len({read(t) for t in texts}) == len(kept)


@pytest.mark.parametrize("shuffle", [True, False])
def test_of_too_many_options_the_right_one_is_kept(shuffle: bool) -> None:
    choices = Choices.model_validate(
        {"options": "xs", "gold": "n", "by": "index", "shuffle": shuffle}
    )
    many = [f"o{i}" for i in range(MAX_OPTIONS + 4)]
    rows = rows_of(
        qa(choices=choices), {"q": ["?"] * 2, "a": ["!"] * 2, "xs": [many] * 2, "n": [0, 29]}
    )
    for row, gold in enumerate(("o0", "o29")):
        found = rows.options(row, choices)
        assert (len(found.texts), found.left_out, found.texts[found.gold]) == (MAX_OPTIONS, 4, gold)
        if not shuffle:
            assert list(found.texts) == ([*many[:26]] if row == 0 else [*many[:25], "o29"])


def test_a_blank_answer_is_no_distractor() -> None:
    choices = Choices.model_validate({"gold": "a", "distractors": 3})
    answers = ["x", " ", "", "y", None, "X ", "y"]
    rows = rows_of(qa(choices=choices), {"q": ["?"] * 7, "a": answers})
    assert sorted(rows.options(0, choices).texts) == ["x", "y"]  # none that reads like another


def test_duplicates_have_equal_inputs_and_answers_whatever_their_rationale() -> None:
    rationale = {"cot": True, "target": "{{ why }} So {{ a }}."}
    task = qa(rationale, signature="q -> why, a")
    columns = {"q": ["One?", "one? ", "One?"], "a": ["x", "X", "y"], "why": ["p", "q", "p"]}
    first, second, third = rows_of(task, columns).example_digest.tolist()
    assert first == second != third
    alone = rows_of(task, {"z": ["p", "p"]})  # no field of the signature
    assert alone.example_digest.tolist() == alone.digests.tolist()


def test_stored_columns_become_lists_once_they_are_read() -> None:
    values: dict[str, list[Any]] = {"text": ["a", None], "mixed": [1, "x"], "list": [["a"], []]}
    arrays = {n: stored(v, n == "mixed") for n, v in values.items()}
    fields = {n: column_field(n, a, {"mixed"}) for n, a in arrays.items()}
    found = Stored(arrays, fields)
    assert (list(found), len(found), "mixed" in found, "other" in found) == (
        [*values],
        3,
        True,
        False,
    )
    assert found._lists == {}
    assert dict(found) == values
    assert found["mixed"] is found["mixed"]
    assert list(found.exact()) == ["text", "list"]
    assert found.arrays() is arrays


@given(
    rows=st.lists(
        st.lists(st.sampled_from(OPTION_TEXTS), min_size=1, max_size=6).flatmap(
            lambda xs: st.tuples(st.just(xs), st.integers(0, len(xs) - 1))
        ),
        min_size=1,
        max_size=12,
    ),
    shuffle=st.booleans(),
    by=st.sampled_from(["index", "text"]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_equal_options_are_shown_once(
    rows: list[tuple[list[str], int]], shuffle: bool, by: str
) -> None:
    choices = {"options": "xs", "gold": "n" if by == "index" else "g", "by": by, "shuffle": shuffle}
    template = {
        "name": "t",
        "options": "required",
        "input": "Q\n{{ options }}",
        "target": "{{ gold }}",
    }
    task = Task.model_validate(
        {"signature": "xs -> g", "templates": [template], "choices": choices}
    )
    arrays = {
        "xs": pa.array([xs for xs, _ in rows], pa.list_(pa.string())),
        "n": pa.array([n for _, n in rows]),
        "g": pa.array([xs[n] for xs, n in rows]),
    }
    shares = ArmShares(options=(1.0, 0.0), cot=(0.0, 1.0))
    style = OptionStyle(item="<{{ text }}>", gold="<{{ text }}>")
    spec = RenderSpec("toy/qa", task, {"s": style}, {"plain": ShotsStyle()}, shares, 1, (0,))
    columns = {n: a.to_pylist() for n, a in arrays.items()}
    digests = np.array([draw.digest64("row", i) for i in range(len(rows))], np.uint64)
    block = RowSet("toy/qa", task, 1, 0, digests, columns, None, arrays)
    ids = pa.array([str(i) for i in range(len(rows))]), pa.array(range(len(rows)))
    tables = [
        examples_of(
            spec, (replace(block, shared=BlockCache()), *ids), Pools(task.exemplars, block), BYTES,
            Budget(total=5000), by_columns=by_columns,
        )
        for by_columns in (True, False)
    ]  # fmt: skip
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == len(rows)
    for (xs, n), line in zip(rows, tables[0].to_pylist(), strict=True):
        cut = line["prompt_tokens"]
        distinct = {read(x) for x in xs}
        if len(distinct) < 2:
            assert line["reason"] is not None
            continue
        assert BYTES.decode(line["ids"][cut:]) == f"<{xs[n]}>"
        shown = BYTES.decode(line["ids"][:cut]).removeprefix("Q\n").split("\n")
        texts = [s[1:-1] for s in shown]
        assert sorted(map(read, texts)) == sorted(distinct)
        assert xs[n] in texts


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

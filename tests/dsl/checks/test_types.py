"""Checks of expressions and templates by the types of the columns."""

from dataclasses import replace
from typing import Any

import pytest
from checks import file_of, loaded, marked
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.checks.types import cached_type_diagnostics, check_types, textless_diagnostics
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.types import common_type, type_of
from flancompile.dsl.library.lock import Schema
from flancompile.dsl.library.memo import Memo

ROWS: list[dict[str, Any]] = [
    {"q": "x", "a": "y", "t": "z", "n": 1, "xs": ["a"], "m": {"k": 1}, "turns": [{"role": "user"}]},
    {
        "q": "x",
        "a": "y",
        "t": "z",
        "n": 2,
        "xs": [],
        "m": {"k": 2, "l": 3},
        "turns": [],
        "some": "s",
    },
]


def schema_of(rows: list[dict[str, Any]]) -> Schema:
    row = common_type(map(type_of, rows))
    assert row is not None
    return Schema(row.keys, "s", {}, row.absent)


SCHEMA = schema_of(ROWS)


def found(given: dict[str, Any]) -> list[tuple[str, str]]:
    dataset = loaded(given)
    return marked(dataset, check_types(dataset, SCHEMA))


def of_fields(**fields: str) -> list[tuple[str, str]]:
    return found(file_of(fields={"q": "q", "a": "a", "t": "t", **fields}))


def test_a_sound_file_has_no_diagnostics() -> None:
    assert of_fields(x="n + 1", y="xs | join(', ')", z="m.k", v="row.q ~ row_number") == []


@pytest.mark.parametrize(
    ("field", "marks"),
    [
        ("n ~ zz", [("FC222", "zz")]),
        ("qq", [("FC222", "qq")]),
        ("some", [("FC222", "some")]),
        ("some | default('')", []),
        ("some if some is defined else q", []),
        ("q + n", [("FC223", "q")]),
        ("q - 1", [("FC223", "q")]),
        ("m.kk", [("FC222", "kk")]),
        ("m.l", [("FC222", "l")]),
        ("row.some ~ 'x'", [("FC222", "some")]),
        ("n == q", [("FC224", "n")]),
        ("xs ~ 'x'", [("FC221", "xs")]),
        ("q |", []),  # reported by the static checks
    ],
)
def test_operations_that_the_columns_do_not_allow(field: str, marks: list[tuple[str, str]]) -> None:
    assert of_fields(x=field) == marks


def test_a_column_that_all_rows_lack_is_an_error_if_another_is_near() -> None:
    for name, severity in (("turs", "error"), ("zzzz", "warning")):
        dataset = loaded(file_of(fields={"q": "q", "a": name}))
        assert [d.severity for d in check_types(dataset, SCHEMA)] == [severity]


def test_fields_do_not_see_each_other_but_names_of_let() -> None:
    dataset = loaded(file_of(fields={"q": "q", "a": "x", "x": "n"}))
    (one,) = check_types(dataset, SCHEMA)
    assert "fields read columns, not fields" in str(one.hint)
    assert found(file_of(let={"x": "n", "y": "x + 1"}, fields={"q": "q", "a": "y"})) == []
    typed = found(file_of(let={"x": "xs"}, fields={"q": "x - 1", "a": "a"}))
    assert typed == [("FC223", "x")]


@pytest.mark.parametrize(
    ("task", "template", "marks"),
    [
        ({}, {"input": "{{ q }} {{ xs }}", "signature": "q, xs -> a"}, [("FC221", "xs")]),
        ({"where": "q > 3"}, {}, [("FC223", "q")]),
        ({"let": {"y": "m.kk"}}, {}, [("FC222", "kk")]),
        ({"instruction": "{{ m }}"}, {}, [("FC221", "m")]),
        ({"eval": {"answers": "[m]"}}, {}, [("FC221", "[m]")]),
        ({"eval": {"answers": "xs"}}, {}, []),
        ({"eval": {"answers": "q"}}, {}, []),
        ({"choices": {"options": "xs", "gold": "n"}}, {}, [("FC223", "n")]),
        ({"choices": {"options": "xs", "gold": "n", "by": "index"}}, {}, []),
        ({"choices": {"options": "turns", "gold": "q"}}, {}, [("FC221", "turns")]),
        ({"choices": {"options": "xs", "gold": "m"}}, {}, [("FC221", "m")]),
        ({}, {"choices": {"options": ["u", "v"], "gold": "n"}}, [("FC223", "n")]),
        ({}, {"when": "m.l == 1", "let": {"y": "m.l"}}, [("FC222", "l")]),
        ({"where": "m.l is defined"}, {"let": {"y": "m.l + 1"}}, []),
        ({}, {"when": "m.l is defined", "let": {"y": "m.l + 1"}}, []),
    ],
)
def test_texts_of_a_task(task: dict[str, Any], template: dict[str, Any], marks: list[Any]) -> None:
    fields = {name: name for name in ("q", "a", "n", "xs", "m", "turns")}
    task = {**task, "signature": template.pop("signature", "q -> a")}
    assert found(file_of(task, template, fields=fields)) == marks


@pytest.mark.parametrize(
    ("turns", "marks"),
    [
        ({"each": "turns"}, [("FC222", "each: turns")]),  # they have no content
        ({"each": "turns | chat"}, []),
        ({"each": "q"}, [("FC223", "q")]),
        ({"each": "m"}, [("FC223", "m")]),
        ({"each": "turns", "text": "turn.role"}, []),
        ({"each": "turns", "text": "[turn.role]"}, [("FC223", "[turn.role]")]),
        ({"each": "turns", "text": "turn.rol"}, [("FC222", "rol")]),
        ({"each": "turns", "text": "turn.role", "loss": "n + turn.role"}, [("FC223", "n")]),
        ({"each": "turns", "text": "n ~ count", "role": "role - 1"}, []),
    ],
)
def test_turns_of_a_dialogue(turns: dict[str, str], marks: list[tuple[str, str]]) -> None:
    given_ = file_of({"signature": "-> q"}, fields={"q": "q", "turns": "turns", "m": "m"})
    given_["tasks"]["qa"]["templates"] = [{"name": "t", "turns": turns}]
    assert found(given_) == marks


def test_a_variable_that_hides_a_column_is_an_error() -> None:
    assert [code for code, _ in found(file_of(for_each={"n": ["1"]}))] == ["FC307"]
    assert found(file_of(for_each={"lang": ["1"]}, fields={"q": "lang.x", "a": "lang - 1"})) == []


def test_diagnostics_are_cached_and_mild_where_the_data_has_changed() -> None:
    dataset = loaded(file_of(fields={"q": "q", "a": "turs"}))
    memo = Memo()
    (first,) = cached_type_diagnostics(dataset, SCHEMA, memo)
    assert first.severity == "error"
    (stale,) = cached_type_diagnostics(dataset, replace(SCHEMA, stale=True), memo)
    assert stale.severity == "warning" and "`check --data` updates it" in str(stale.hint)
    assert str(stale.hint).startswith(str(first.hint))


@pytest.mark.parametrize(("value", "told"), [("a", 0), ([1], 1), ({"k": 1}, 1), (None, 0), (3, 0)])
def test_a_list_or_map_has_no_text(value: Any, told: int) -> None:
    assert [d.code for d in textless_diagnostics(type_of(value), "it")] == ["FC221"] * told


PARTS = st.sampled_from(
    ["q", "n", "xs", "m", "m.k", "xs | length", "q | upper", "turns", "some", "'x'"]
)


@settings(max_examples=30)
@given(PARTS, st.sampled_from(["~", "+", "-", "==", "<", "in"]), PARTS)
def test_an_error_means_that_no_row_gives_a_value(left: str, operator: str, right: str) -> None:
    text = f"({left}) {operator} ({right})"
    errors = [
        d
        for d in check_types(loaded(file_of(fields={"q": "q", "a": "a", "v": text})), SCHEMA)
        if d.severity == "error"
    ]
    for row in ROWS:
        try:
            compile_expression(text)(row)
        except RowError:
            continue
        assert errors == [], text

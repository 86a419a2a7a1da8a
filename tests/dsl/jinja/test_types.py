"""Types of values: merged over rows, kept as JSON, followed through expressions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.infer import (
    expression_diagnostics,
    template_diagnostics,
    unguarded_names,
)
from flancompile.dsl.jinja.types import ANY, Type, common_type, from_json, type_of
from flancompile.errors import TextError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_type_survives_its_json(values: list[Any]) -> None:
    found = common_type(map(type_of, values))
    assert found is not None
    assert from_json(json.loads(json.dumps(found.as_json()))).as_json() == found.as_json()


@pytest.mark.parametrize("given", ["texts", {"lists": "text"}, 3, {"map": []}, None])
def test_what_is_no_type_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="no type"):
        from_json(given)


def test_types_over_rows() -> None:
    rows = [{"a": 1, "b": [1]}, {"a": 2.5, "b": [], "c": None}, {"a": None, "b": ["x"], "c": "y"}]
    found = common_type(map(type_of, rows))
    assert found is not None
    assert found.as_json() == {
        "map": {"a": "number?", "b": {"list": "any"}, "c": "text?"},
        "absent": ["c"],
    }


NAMES = {
    "text": Type("text"),
    "number": Type("integer"),
    "texts": type_of(["a"]),
    "people": type_of([{"name": "Ada", "age": 36}]),
    "answers": type_of({"text": ["a"], "start": [1]}),
    "m": common_type([type_of({"k": 1, "zz": 1}), type_of({"k": 1})]) or ANY,
    "unknown": ANY,
}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("text | upper", "text"),
        ("texts[0]", "text"),
        ("texts[1:]", "list of text"),
        ("people | map(attribute='age') | first", "integer"),
        ("(people | first).name", "text"),
        ("number + 1", "integer"),
        ("number + 0.5", "number"),
        ("text ~ number", "text"),
        ("number == 1", "boolean"),
        ("'a' if number else 'b'", "text"),
        ("'a' if number else 2", "any"),
        ("answers.text | join(', ')", "text"),
        ("text | split(',')", "list of text"),
        ("unknown.key.other", "any"),
        ("text.strip().split(' ')", "any"),
        ("answers.note | default('')", "any"),
        ("answers.items() | list", "any"),
        ("m.zz | default(0)", "any"),
        ("m.zz if m.zz is defined else m.k", "integer"),
        ("m.k if m.zz is undefined else m.zz", "integer"),
        ("m.zz is defined and m.zz == 1", "any"),
        ("answers.note is undefined or answers.note == 1", "any"),
    ],
)
def test_types_of_expressions(text: str, kind: str) -> None:
    found, diagnostics = expression_diagnostics(text, NAMES)
    assert (str(found), diagnostics) == (kind, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("text + number", "FC223"),
        ("texts[text]", "FC223"),
        ("number | words", "FC223"),
        ("number | join", "FC223"),
        ("text - 1", "FC223"),
        ("number < text", "FC223"),
        ("number == text", "FC224"),
        ("answers.txt", "FC222"),
        ("people.name", "FC222"),
        ("text['key']", "FC222"),
    ],
)
def test_faults_of_expressions(text: str, code: str) -> None:
    assert [f.code for f in expression_diagnostics(text, NAMES)[1]] == [code]


ROW: dict[str, Any] = {
    "n": 2, "f": 1.5, "b": True, "t": "some text", "xs": [1, 2, 3], "ws": ["a", "b"],
    "m": {"a": 1, "b": [4, 5]}, "ps": [{"k": "x", "v": 1}, {"k": "y"}], "ls": [[1, 2], [3]],
}  # fmt: skip
OPERANDS = (*ROW, "2", "'%s'", "'%s %s'", "[0]", "(n, t)")
FILTERS_ = (
    "map(attribute='k')", "map(attribute='zz', default='')", "map(attribute='v', default=0)",
    "map(attribute='k.0')", "map(attribute='b.1', default=1)", "map(attribute=0)", "join(' ')",
    "map(attribute='0')", "sum", "first", "last", "upper", "words", "length", "list",
)  # fmt: skip


def test_what_a_row_can_give_is_no_error() -> None:
    """Every operator and filter on values of every kind: an error means that no row gives a value."""
    tried = [f"{a} {o} {b}" for a in OPERANDS for b in OPERANDS for o in ("*", "%", "+", "-", "/")]
    tried += [f"{a} | {filter_}" for a in OPERANDS for filter_ in FILTERS_]
    types, worked = {name: type_of(value) for name, value in ROW.items()}, 0
    for text in tried:
        try:
            compile_expression(text)(ROW)
        except (RowError, TextError):
            continue
        worked += 1
        diagnostics = expression_diagnostics(text, types)[1]
        assert [f for f in diagnostics if f.severity == "error"] == [], text
    assert worked > 150


@pytest.mark.parametrize("text", ["m.zz", "m.zz == 1 and m.k", "m.k if m.k else m['zz']"])
def test_a_key_that_some_rows_lack_is_warned_of(text: str) -> None:
    found = [(f.code, f.severity, f.word) for f in expression_diagnostics(text, NAMES)[1]]
    assert found == [("FC222", "warning", "zz")]


def test_names_that_nothing_guards() -> None:
    assert unguarded_names("zq | default(q)") == {"q"}
    assert unguarded_names("zq if zq is defined else q") == {"q"}
    assert unguarded_names("(zq ~ q) | upper") == {"zq", "q"}


def test_faults_of_templates_have_their_line() -> None:
    text = "{{ text }}\n{% for one in people %}{{ one.nmae }}\n{% endfor %}\n{{ texts }}"
    found = list(template_diagnostics(text, NAMES))
    assert [(f.code, f.line, f.word) for f in found] == [
        ("FC222", 2, "nmae"),
        ("FC221", 4, "texts"),
    ]


def test_what_a_condition_guards_is_no_fault() -> None:
    text = "{% if answers.note is defined %}{{ answers.note }}{% endif %}"
    assert list(template_diagnostics(text, NAMES)) == []

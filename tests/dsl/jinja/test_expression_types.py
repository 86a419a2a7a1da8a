"""Inferred types of expressions, and operations that fail on every row."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.infer import expression_diagnostics
from flancompile.dsl.jinja.types import ANY, Type, common_type, type_of
from flancompile.errors import TextError

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
        ("texts + [number]", "list of any"),
        ("(number == 1) + true", "any"),
        ("text | int('x')", "any"),
        ("text | int(default=0)", "integer"),
        ("text | float(0)", "number"),
        ("[texts, texts] | sum(start=[])", "any"),
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


def admits(type_: Type, value: Any) -> bool:
    """Whether a value may be one of a type, by brute force."""
    if type_.kind == "any":
        return True
    if isinstance(value, list | tuple):
        return type_.kind == "list" and all(admits(type_.item or ANY, v) for v in value)
    if isinstance(value, Mapping):
        known = type_.kind == "map" and set(value) <= set(type_.keys)
        return known and all(admits(type_.keys[k], v) for k, v in value.items())
    kinds: dict[type, tuple[str, ...]] = {
        str: ("text",), bool: ("boolean",), int: ("integer", "number"), float: ("number",),
    }  # fmt: skip
    return type_.kind in kinds[type(value)]


LEAVES = [
    *ROW,
    "m.a",
    "m.b",
    "ps[0]",
    "(ps | first).k",
    "1",
    "0.5",
    "'a'",
    "true",
    "[n, t]",
    "xs[1:]",
]
GIVES = [
    "upper", "length", "first", "last", "list", "sort", "unique | list", "reverse", "sum", "abs",
    "int(0)", "int('x')", "float(0.5)", "round", "round(1)", "join('-')", "words", "split('m')",
    "map('string')", "map('upper')", "map('length')", "map(attribute='k')", "most_frequent", "min",
    "max", "wordcount", "index(1)", "tojson", "select('string')", "reject('none')", "flatten",
    "enumerate", "batch(2)", "default('x')", "trim", "replace('e', 'a')", "string", "sum(start=n)",
    "regex_findall('m')", "python_text", "urlencode", "dictsort", "items", "count",
    "option_index(ws)", "sum(start=[])",
]  # fmt: skip


def expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(
        ["+", "*", "-", "/", "//", "%", "**", "~", "==", "<", "and", "or", "in"]
    )
    return st.one_of(
        st.builds("({} | {})".format, inner, st.sampled_from(GIVES)),
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({})[{}]".format, inner, st.sampled_from(["0", "n", "-1", "'a'", "1:"])),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("(not {})".format, inner),
    )


@settings(max_examples=150)
@given(st.recursive(st.sampled_from(LEAVES), expressions, max_leaves=4))
def test_the_type_of_an_expression_has_its_value(text: str) -> None:
    """The value that a row gives is one of the inferred type, and no error is reported."""
    try:
        value = compile_expression(text)(ROW)
    except (RowError, TextError):
        return
    found, diagnostics = expression_diagnostics(text, {n: type_of(v) for n, v in ROW.items()})
    assert admits(found, value), (text, value, found.as_json())
    if re.search(r" (if|and|or) ", text):  # a part may be out of use
        return
    errors = [d.message for d in diagnostics if d.severity == "error"]
    # Jinja's `select` and its kin take any false value for an empty list.
    assert [m for m in errors if not m.endswith("wants a list")] == [], text

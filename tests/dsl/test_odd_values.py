"""Odd values in rows: no text of a null, NaN, an undefined value or an address reaches a prompt."""

import inspect
import math
import re
from typing import Any

import jinja2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.jinja.column import Column, Scope
from flancompile.compiler.columns.jinja.lower import evaluate, render
from flancompile.compiler.columns.jinja.lowerable import why_not
from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.dsl.jinja.values import NullValueError
from flancompile.errors import TextError

NULLS = [None, math.nan, math.inf, -math.inf]
TO_TEXT = [
    "v | trim", "v | lower", "v | upper", "v | title", "v | capitalize", "v | replace('a', 'b')",
    "v | string", "v | center(9)", "v | squeeze", "v | striptags", "v | unescape_html",
    "v | urlencode", "v | upper_first", "v | lower_first", "v | lstrip", "v | rstrip", "'%s' | format(v)",
    "v | format", "v ~ 'a'", "'a' ~ v", "[v, 1] | join", "['a', 'b'] | join(v)", "v | wordcount", "v | int",
    "v | float", "'%s' % v", "'%s%s' % ('a', v)", "'%(k)s' % {'k': v}", "'{}'.format(v)", "'{k}'.format(k=v)",
    "'{0[0]}'.format([v])", "'{k}'.format_map({'k': v})", "'{!r}'.format(v)", "['a'] | map('replace', 'a', v) | list",
    "[v] | map('string') | list", "[{'k': v}] | join(', ', 'k')", "[v] | map('trim') | list", "[[v]] | join",
    "'abc' | replace('b', v)", "v | number", "v | ordinal", "v | indent", "v | truncate", "v | wordwrap",
    "'%s' | format({'k': v})", "v | tojson", "{'k': v} | urlencode", "'{:>5}'.format(v)", "'%s' | format(v, v)",
]  # fmt: skip
MARKS = re.compile(r"None|nan\b|\binf\b|NaN|Infinity|Undefined|generator|object at|0x[0-9a-f]{6}|built-in|<bound|dict_|range\(")  # fmt: skip


def both(text: str, row: dict[str, Any]) -> tuple[Any, Any]:
    """What the sandbox gives (None: refused) and what columns are sure of (None: unsure)."""
    try:
        wanted = [compile_expression(text)(row)]
    except RowError:
        wanted = None
    assert why_not(text, expression=True) is None
    column = evaluate(text, Scope(1, {n: Column.of([v]) for n, v in row.items()}))
    resolved = None if column.fallback(1)[0] else column.values(1)
    return wanted, resolved


@pytest.mark.parametrize("text", TO_TEXT)
@pytest.mark.parametrize("value", NULLS, ids=str)
def test_a_value_without_a_text_is_refused(text: str, value: Any) -> None:
    if text == "v | tojson" and value is None:
        pytest.skip("JSON has a null")
    assert both(text, {"v": value}) == (None, None)
    template = "{{ " + text + " }}"
    with pytest.raises(RowError):
        compile_template(template).render({"v": value})
    assert render(template, Scope(1, {"v": Column.of([value])})).fallback(1).all()


def test_every_filter_is_asked_about_nulls() -> None:
    """No filter gives a text for a null alone but those that are made for it."""
    given_texts = set()
    for name in environment().filters:
        for value in NULLS:
            try:
                found = compile_expression(f"v | {name}")({"v": value})
            except (RowError, TextError):
                continue
            if isinstance(found, str) or (found == found and isinstance(found, int)):
                given_texts.add(name)
    assert given_texts <= {"tojson"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("v | default('none', true) | trim", "none"), ("'-' if v is none else v | trim", "-"),
        ("v | int(-1)", -1), ("v | float(0.5)", 0.5), ("v | int(default=3)", 3),
        ("v is none or v | trim == ''", True), ("(v or 'x') | upper", "X"), ("[v, 'a'] | select | join", "a"),
    ],
)  # fmt: skip
def test_a_null_may_be_handled(text: str, found: Any) -> None:
    assert both(text, {"v": None}) == ([found], [found])


@pytest.mark.parametrize(
    ("text", "found"),
    [("'7' | int", 7), ("'7.9' | int", 7), ("true | int", 1), ("' 8 ' | int", 8), ("'x' | int(2)", 2),
     ("'ff' | int(0, 16)", 255), ("'2.5' | float", 2.5), ("'ff' | int(base=16)", 255)],
)  # fmt: skip
def test_numbers_of_texts(text: str, found: Any) -> None:
    assert both(text, {}) == ([found], [found])


@pytest.mark.parametrize(
    "text", ["t | int", "t | float", "'' | int", "'nan' | float", "'1e999' | float | int"]
)
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RowError, match="is no number; write a default"):
        compile_expression(text)({"t": "one"})


# Indexes.

INDEXED = ["['a', 'b', 'c'][i]", "xs[i]", "t[i]", "xs[i:]", "xs[:i]", "t[0:i]", "xs[i - 1 + 1]",
           "xs[[i, 0] | first]", "xs[i | int]", "xs[::i]", "xs[i if true else 0]",
           "xs[i | option_index(xs)]", "i | option_index(xs)", "[{'start': i, 'end': 1}] | spans(t)"]  # fmt: skip


@pytest.mark.parametrize("text", INDEXED)
@pytest.mark.parametrize("i", [-1, -2, -7])
def test_a_negative_index_from_a_row_is_refused(text: str, i: int) -> None:
    row = {"xs": ["p", "q", "r"], "t": "stu", "i": i}
    assert both(text, row) == (None, None)
    assert both(text, row | {"i": 1})[0] is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [("xs[-1]", "r"), ("xs[-2:]", ["q", "r"]), ("xs[:-1]", ["p", "q"]), ("xs[::-1]", ["r", "q", "p"]),
     ("t[-1]", "u"), ("xs[-1 if i else 0]", "r"), ("xs[-i]", "r"), ("xs[-i:]", ["r"]), ("xs[1 - 2]", "r"),
     ("{-1: 'x'}[0 - i]", "x"), ("xs | index('r')", 2), ("xs[xs | index('r')]", "r")],
)  # fmt: skip
def test_a_written_negative_index_counts_from_the_end(text: str, found: Any) -> None:
    assert both(text, {"xs": ["p", "q", "r"], "t": "stu", "i": 1}) == ([found], [found])


NULL_BOUND = ["xs[i:]", "xs[:i]", "xs[0:i]", "t[i:]", "t[::i]", "t[:i | default(none)]", "t | split(i)",
              "t | trim(i)", "t | lstrip(i)", "t | rstrip(i)"]  # fmt: skip


@pytest.mark.parametrize("text", NULL_BOUND)
def test_a_null_bound_or_separator_from_a_row_is_refused(text: str) -> None:
    row = {"xs": ["p", "q", "r"], "t": "stu", "i": None}
    assert both(text, row) == (None, None)
    with pytest.raises(NullValueError):
        compile_expression(text)(row)


# Arguments of filters and methods: each in turn from a row, as a value of its kind and as a null.

PEOPLE = [{"k": "a", "n": 1}, {"k": "b", "n": 2}]
OVER = {
    "groupby": PEOPLE, "unique": ["a", "b"], "max": ["a", "b"], "min": ["a", "b"],
    **{name: [[1, 2], [3, 4]] for name in ("batch", "enumerate", "index", "slice", "sort", "sum")},
    "join": ["a", "b"],
    "dictsort": {"b": 1, "a": 2}, "int": "12", "float": "1.5", "round": 2.75, "number": 1234.5,
    "lookup": "k", "option_index": "k", "spans": [{"start": 0, "end": 1}], "tojson": {"a": 1},
}  # fmt: skip
FITTING = {
    "attribute": 0, "base": 10, "blank": True, "boolean": True, "break_long_words": True,
    "break_on_hyphens": True, "by": "key", "case_sensitive": True, "chars": "a", "count": 1, "d": "-",
    "end": ".", "fill_with": "x", "first": True, "form": ".1f", "indent": 1, "killwords": True,
    "leeway": 0, "length": 3, "limit": 1, "linecount": 2, "method": "ceil", "new": "x", "old": "a",
    "options": ["k"], "pattern": "a", "precision": 1, "replacement": "b", "reverse": True,
    "separator": " ", "slices": 2, "start": 0, "table": {"k": 1}, "text": "abc", "width": 5,
    "wrapstring": "|", "default": 1, "default_value": 1, "value": [1, 2],
}  # fmt: skip
MAY_BE_NULL = {("index", "value"), ("default", "default_value"), ("float", "default"),
               ("int", "default")}  # fmt: skip


def arguments() -> list[tuple[str, str]]:
    """(filter, parameter) of all filters, but for their values."""
    found = []
    for name, function in environment().filters.items():
        parameters = [
            p.name for p in inspect.signature(function).parameters.values()
            if p.name not in ("environment", "env", "eval_ctx", "context")
            and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]  # fmt: skip
        found += [(name, parameter) for parameter in parameters[1:]]
    return found


def called_with(name: str, parameter: str, *, named: bool) -> str:
    """A call whose parameter is `v`; the others up to it and the needed ones have fitting values."""
    required = {"groupby": 1, "replace": 2, "regex_replace": 2}.get(name, 0)
    names = [p for n, p in arguments() if n == name]
    names = names[: max(names.index(parameter) + 1, required)]
    own = {"attribute": "'n'"} if name == "groupby" else {}
    values = {p: own.get(p, repr(FITTING[p])) for p in names} | {parameter: "v"}
    given = [f"{p}={v}" if named else v for p, v in values.items()]
    return f"o | {name}({', '.join(given)})" + (" | list" if name in GIVES_LISTS else "")


GIVES_LISTS = ("batch", "slice", "unique", "groupby", "selectattr", "rejectattr", "enumerate")


@pytest.mark.parametrize(("name", "parameter"), arguments())
@pytest.mark.parametrize("named", [False, True])
def test_a_null_argument_from_a_row_drops_the_row(name: str, parameter: str, named: bool) -> None:
    text = called_with(name, parameter, named=named)
    fitting = "n" if name == "groupby" and parameter == "attribute" else FITTING[parameter]
    row = {"o": OVER.get(name, "a b a"), "v": fitting}
    assert both(text, row)[0] is not None
    if (name, parameter) not in MAY_BE_NULL:
        assert both(text, row | {"v": None}) == (None, None), text


TEXT_METHODS = ["split(v)", "split(sep=v)", "rsplit(v)", "strip(v)", "lstrip(v)", "rstrip(v)",
                "split(' ', maxsplit=v | int(none))"]  # fmt: skip


@pytest.mark.parametrize("call", TEXT_METHODS)
def test_a_null_argument_of_a_text_s_method_drops_the_row(call: str) -> None:
    assert both(f"'a b'.{call}", {"v": None}) == (None, None)
    assert both("'a b'.split(none, 1)", {})[0] == [["a", "b"]]


ARGUMENTS_IN_ROWS = [
    "o | map(attribute=v) | list", "o | join('-', attribute=v)", "o | join('-', v)",
    "o | sort(attribute=v)", "o | sort(false, false, v)", "o | groupby(v)", "o | max(attribute=v)",
    "o | groupby(attribute=v)", "o | selectattr(v) | list", "o | rejectattr(v, 'eq', 1) | list",
    "o | min(attribute=v)", "o | unique(attribute=v) | list", "o | sum(attribute=v)", "o | sum(v)",
]  # fmt: skip


@pytest.mark.parametrize("text", ARGUMENTS_IN_ROWS)
def test_a_negative_attribute_from_a_row_drops_the_row(text: str) -> None:
    row = {"o": [[1, 2], [3, 4]]}
    assert both(text, row | {"v": 1})[0] is not None
    for value in (-1, -2, -1.0, None):
        assert both(text, row | {"v": value}) == (None, None)
    written = re.sub(r"\bv\b", "-1", text)
    assert both(written, row)[0] == both(text, row | {"v": 1})[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [("v | default(w)", None), ("[v, 1] | select('eq', v) | list", [None]),
     ("[1, v] | index(v)", 1), ("[v] | map('default', w) | list", [None]),
     ("{'a': 1}.get('b', v)", None), ("v is eq w", True),
     ("[{'a': v}] | selectattr('a', 'eq', w) | list | length", 1), ("'x' | int(v)", None)],
)  # fmt: skip
def test_an_argument_that_is_a_value_may_be_null(text: str, found: Any) -> None:
    assert both(text, {"v": None, "w": None})[0] == [found]


def test_bounds_that_are_left_out_or_written_as_none_take_all() -> None:
    for text in ("t[:]", "t[none:]", "t[:none]", "t | trim", "t | split"):
        assert both(text, {"t": "stu"})[0] in (["stu"], [["stu"]])


CONSTANTS = st.sampled_from(["none", "'a'", "1", "[none]", "1e999", "{'k': none}", "2.5"])


@given(st.lists(CONSTANTS, min_size=2, max_size=4))
def test_constants_become_text_as_values_of_a_row_do(parts: list[str]) -> None:
    written = " ~ ".join(parts)
    names = {f"v{n}": compile_expression(part)({}) for n, part in enumerate(parts)}
    assert both(written, {}) == both(" ~ ".join(names), names)
    template = "{{ " + written + " }}"
    if both(written, {})[0] is None:
        with pytest.raises(RowError):
            compile_template(template).render({})
    else:
        assert [compile_template(template).render({})] == both(written, {})[0]


def test_json_texts_are_read_as_rows_are() -> None:
    assert both("(t | fromjson).x is none", {"t": '{"x": NaN}'}) == ([True], [True])
    assert both("(t | fromjson).x | default('d', true)", {"t": '{"x": NaN}'})[0] == ["d"]
    with pytest.raises(RowError, match="two keys of the JSON text are 'a'"):
        compile_expression("t | fromjson")({"t": '{"a": 1, "b": {"a": 1, "a": 2}}'})


# Whatever a row's values raise.

RAISING = [
    "xs | select('gt', 3)", "xs | map('round')", "xs | unique", "xs | slice(0)",
    "n | items", "xs | map(attribute='k.m')", "xs | reject('divisibleby', 0)", "xs | sort", "xs | selectattr('k.m')",
    "2 ** n", "'a' * n", "xs * n", "9.0 ** n", "range(n) | list", "'a' | center(n)", "'a\nb' | indent(n)",
    "t | truncate(-1)", "'%d' | format(t)", "t.encode('ascii')", "t.encode('nowhere')", "n.to_bytes(1)",
    "[xs | map('upper')]", "{'k': xs | map('upper')}", "t | regex_search('(' ~ n)", "t | fromjson", "t | wordwrap(0)",
    "xs | groupby('k')", "xs | sum", "xs | max", "missing | map('trim')", "[missing]", "[[{'k': missing}]]", "t.upper",
    "[t.upper]", "deep | string | length", "deep == deep2", "xs | map('nothing' ~ n)", "t | format(n, n)", "n.bit_length",
]  # fmt: skip


def nested(levels: int) -> Any:
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize("text", RAISING)
def test_what_a_row_raises_is_its_own(text: str) -> None:
    row = {
        "xs": [1, "a", None, [2]],
        "n": 10**12,
        "t": "é\ud800",
        "deep": nested(3000),
        "deep2": nested(3000),
    }
    with pytest.raises(RowError) as caught:
        compile_expression(text)(row)
    assert len(str(caught.value)) <= 300
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [("xs | map('upper')", ["A", "B"]), ("[xs | map('upper')]", [["A", "B"]]), ("m.items()", [("k", 1)]),
     ("{'a': xs | reverse}", {"a": ["b", "a"]}), ("range(2)", [0, 1]), ("xs | batch(1)", [["a"], ["b"]]),
     ("xs | map('list') | map('map', 'upper')", [["A"], ["B"]]), ("m.keys()", ["k"]),
     ("'some' if xs | reject('in', xs) else 'none'", "none"), ("xs | select | length", 2)],
)  # fmt: skip
def test_lazy_values_become_lists(text: str, found: Any) -> None:
    assert both(text, {"xs": ["a", "b"], "m": {"k": 1}}) == ([found], [found])


# Generated rows and texts.

CHARACTERS = st.characters(exclude_categories=("Cs",))
TEXTS = st.one_of(st.text(CHARACTERS, max_size=6), st.sampled_from(["", " ", "a", "İß", "ﬁ\u0301", "\u202e\u200d", "0", "-1"]))  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), TEXTS, st.floats(), st.sampled_from([0, 1, -1, -3, 2, 10**25, -(2**63)])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kv"), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip
ROWS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)
ATOMS = st.sampled_from(
    ["a", "b", "c", "a.k", "b[0]", "a[b]", "c[-1]", "a[:b]", "'x'", "1", "[a, b]", "{'k': c}"]
)
FILTERS = st.sampled_from(
    [t.removeprefix("v | ") for t in TO_TEXT if t.startswith("v | ")]
    + ["first", "last", "length", "list", "map('trim')", "map('upper')", "join(', ')", "unique", "reverse",
       "select", "items", "batch(2)", "default('d')", "default('d', true)", "sort", "sum", "max", "round", "abs",
       "tojson", "words", "map(attribute='k')", "map('int')", "join", "dictsort", "flatten", "zip(b)", "slice(2)"]
)  # fmt: skip
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} | {})".format, inner, FILTERS),
        st.builds("({} {} {})".format, inner, st.sampled_from(["~", "+", "*", "%", "and", "or", "==", "in", "<"]), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} if {})".format, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}.k".format, inner),
        st.builds("'%s' % {}".format, inner),
        st.builds("'{{}}'.format({})".format, inner),
    ),
    max_leaves=4,
)  # fmt: skip
TEMPLATES = st.one_of(
    st.builds("{{{{ {} }}}}".format, EXPRESSIONS),
    st.builds("{{% for v in {} %}}{{{{ v }}}};{{% endfor %}}".format, EXPRESSIONS),
    st.builds("{{% if {} %}}{{{{ {} }}}}{{% endif %}}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("{{% set s = {} %}}{{{{ s ~ a }}}}".format, EXPRESSIONS),
)
MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def has_mark(value: Any) -> bool:
    """Whether a row's own texts look like the text of a null."""
    if isinstance(value, str):
        return MARKS.search(value) is not None
    if isinstance(value, dict):
        return any(map(has_mark, [*value, *value.values()]))
    return isinstance(value, list) and any(map(has_mark, value))


def by_row(text: str, rows: list[dict[str, Any]]) -> list[str | None]:
    found: list[str | None] = []
    for row in rows:
        try:
            found.append(compile_template(text).render(row))
        except RowError:
            found.append(None)
    return found


@MANY
@given(text=TEMPLATES, rows=st.lists(ROWS, min_size=1, max_size=4))
@example(text="{{ (a | map('upper')) }}", rows=[{"a": ["x"]}])
@example(text="{{ [a, b] }}", rows=[{"a": None, "b": 1}, {"a": 1, "b": 2}])
def test_no_text_of_a_null_or_an_object_is_printed(text: str, rows: list[dict[str, Any]]) -> None:
    try:
        found = by_row(text, rows)
    except TextError:
        return
    for row, shown in zip(rows, found, strict=True):
        if shown is not None and not has_mark(row) and "tojson" not in text:
            assert not MARKS.search(shown), shown


@MANY
@given(text=TEMPLATES, rows=st.lists(ROWS, min_size=1, max_size=4))
def test_columns_agree_with_the_sandbox(text: str, rows: list[dict[str, Any]]) -> None:
    try:
        wanted = by_row(text, rows)
    except TextError:
        return
    if why_not(text) is not None:
        return
    names = set.intersection(*(set(r) for r in rows))
    same = [{n: r[n] for n in names} for r in rows]
    wanted = by_row(text, same)
    column = render(text, Scope(len(same), {n: Column.of([r[n] for r in same]) for n in names}))
    texts, fallback = column.text(len(same)).to_pylist(), column.fallback(len(same))
    for given_text, right, asked in zip(texts, wanted, fallback, strict=True):
        if not asked:
            assert given_text == right


PLAIN = jinja2.Environment(
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
ORDINARY = st.fixed_dictionaries(
    {"a": TEXTS | st.lists(TEXTS, max_size=3) | st.integers(0, 3), "b": st.integers(0, 3),
     "c": st.lists(TEXTS | st.integers(0, 9), min_size=1, max_size=3)}
)  # fmt: skip
JINJA_OWN = st.sampled_from(
    ["trim", "lower", "upper", "title", "capitalize", "replace('a', 'b')", "string", "center(9)",
     "urlencode", "first", "last", "length", "list", "join(', ')", "sort", "sum", "max", "wordcount",
     "map('trim') | list", "map('upper') | join", "unique | list", "reverse | list", "select | list",
     "batch(2) | list", "default('d')", "float(0)", "int(1)", "striptags", "truncate(5)", "indent"]
)  # fmt: skip
JINJA_EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c", "c[0]", "c[-1]", "c[b]", "c[:b]", "a[b]", "'x'", "1"]),
    lambda inner: st.one_of(
        st.builds("({} | {})".format, inner, JINJA_OWN),
        st.builds("({} {} {})".format, inner, st.sampled_from(["~", "+", "*", "and", "or", "==", "in"]), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    ),
    max_leaves=4,
)  # fmt: skip


@MANY
@given(text=st.builds("{{{{ {} }}}}".format, JINJA_EXPRESSIONS), row=ORDINARY)
def test_ordinary_rows_give_what_jinja_gives(text: str, row: dict[str, Any]) -> None:
    """Where both give a text it is the same; what Jinja refuses, we refuse."""
    try:
        wanted = PLAIN.from_string(text).render(row)
    except Exception:
        wanted = None
    try:
        found = by_row(text, [row])[0]
    except TextError:
        return
    if wanted is None or found is None:
        assert found is None
    else:
        assert found == wanted


def test_null_in_arrow_columns_is_seen() -> None:
    scope = Scope(2, {"v": Column.of_array(pa.array([None, "a"]))})
    column = render("{{ v | trim }}", scope)
    assert column.fallback(2).tolist() == [True, False]
    assert column.text(2).to_pylist()[1] == "a"

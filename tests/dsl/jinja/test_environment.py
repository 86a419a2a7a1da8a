"""Generated rows and texts: the sandbox against Jinja itself and against the column engine."""

import re
from typing import Any

import jinja2
import pyarrow as pa
import pytest
from expressions import TO_TEXT, both, by_row
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.errors import TextError
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import render
from flancompile.lowering.lowerable import why_not

MARKS = re.compile(r"None|nan\b|\binf\b|NaN|Infinity|Undefined|generator|object at|0x[0-9a-f]{6}|built-in|<bound|dict_|range\(")  # fmt: skip


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


CHARACTERS = st.characters(exclude_categories=["Cs"])
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
MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def has_mark(value: Any) -> bool:
    """Whether a row's own texts look like the text of a null."""
    if isinstance(value, str):
        return MARKS.search(value) is not None
    if isinstance(value, dict):
        return any(map(has_mark, [*value, *value.values()]))
    return isinstance(value, list) and any(map(has_mark, value))


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

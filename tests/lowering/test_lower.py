"""Lowered texts against the sandbox's, row by row: equal wherever they claim to be sure."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.errors import TextError
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import evaluate, render
from flancompile.lowering.lowerable import why_not

ROWS: list[dict[str, Any]] = [
    {"t": "It rained.", "n": 3, "x": 1.5, "b": True, "xs": ["a", "b", "c"],
     "ps": [{"k": "p", "v": 1}, {"k": "q", "v": 2}], "m": {"k": "v", "count": 2}, "o": "here"},
    {"t": " Ünï\n東京 ", "n": 0, "x": -2.0, "b": False, "xs": [], "ps": [],
     "m": {"k": "", "count": 0}, "o": None},
    {"t": "", "n": -7, "x": 1e300, "b": True, "xs": ["only"], "ps": [{"k": "r", "v": None}],
     "m": {"k": "w {{ t }}", "count": 5}, "o": ""},
    {"t": "{% if %}", "n": 12, "x": 0.1, "b": False, "xs": ["b", "a", "b"],
     "ps": [{"k": "s", "v": 9}, {"k": "s", "v": 3}, {"k": "t", "v": 0}], "m": {"k": "z", "count": 1},
     "o": "there"},
]  # fmt: skip
NAMES = list(ROWS[0])


def scope(rows: list[dict[str, Any]]) -> Scope:
    arrays = {n: Column.of_array(pa.array([r[n] for r in rows])) for n in NAMES}
    return Scope(len(rows), arrays)


def by_row(run: Any, rows: list[dict[str, Any]]) -> list[Any]:
    """What the sandbox gives; None where it refuses the row."""
    stored = [dict(zip(NAMES, values, strict=True)) for values in zip(
        *(pa.array([r[n] for r in rows]).to_pylist() for n in NAMES), strict=True)]  # fmt: skip
    found: list[Any] = []
    for row in stored:
        try:
            found.append([run(row)])
        except RowError:
            found.append(None)
    return found


def shown(value: Any) -> str:
    """A value without the address of what it holds."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def compare(column: Column, wanted: list[Any]) -> int:
    """How many rows are unsure that the sandbox gives."""
    n = len(wanted)
    values, fallback = column.values(n), column.fallback(n)
    for value, right, asked in zip(values, wanted, fallback, strict=True):
        if not asked:
            assert right is not None, f"sure of {value!r}, where the sandbox refuses"
            assert (shown(value), type(value)) == (shown(right[0]), type(right[0]))
    return int(
        sum(asked and right is not None for asked, right in zip(fallback, wanted, strict=True))
    )


TEXTS = [
    "plain", "", "{{ t }}", "{{ t }} and {{ n }}, {{ x }}, {{ b }}.", "{{ xs }} {{ m }}",
    "{{ t | trim | upper }}{{ xs | join(', ') }}", "{{ o }}", "{{ o | default('none', true) }}",
    "{% if b %}{{ t }}{% else %}{{ n }}{% endif %}", "{% if o %}{{ o }}{% elif n > 3 %}many{% endif %}",
    "{% for v in xs %}{{ loop.index }}. {{ v }}{% if not loop.last %}; {% endif %}{% endfor %}",
    "{% for p in ps %}{{ p.k }}={{ p.v }}{{ t }}{% else %}nobody{% endfor %}",
    "{% for p in ps if p.v %}{{ loop.index0 }}/{{ loop.length }} {{ p.k }}\n{% endfor %}",
    "{% for a in xs %}{% for c in xs %}{{ a }}{{ c }}{{ loop.first }} {% endfor %}|{% endfor %}",
    "{% for k, v in zip(xs, xs[1:]) %}{{ k }}-{{ v }} {% endfor %}",
    "{% for k, v in m | items %}{{ k }}: {{ v }}{% endfor %}",
    "{% set y = n * 2 %}{{ y }}{% if b %}{% set y = 'set' %}{% endif %}{{ y }}",
    "{% if b %}{% set z = t %}{% endif %}{{ z | default('unset') }}",
    "{% set s %}<{{ t }}>{% endset %}{{ s }}{{ s | length }}", "{% with q = xs[0] %}{{ q }}{% endwith %}",
    "{{ 'yes' if b else 'no' }} {{ t if n }}", "{{ n + 1 }} {{ n // 2 }} {{ n % 5 }} {{ 7 / n }} {{ -n }}",
    "{{ xs[0] }} {{ xs[-1] }} {{ xs[1:] | join }} {{ ps[0].k }} {{ m['count'] }} {{ m.k }}",
    "{{ t ~ n ~ xs }}", "{{ 1 < n <= 12 }} {{ n in [0, 3] }} {{ 'a' not in xs }} {{ n == 3 and b or x }}",
    "{{ t.split() }} {{ t.upper() }} {{ m.count }} {{ xs.index('b') }} {{ xs.append('d') }}",
    "{{ ps | map(attribute='k') | join('/') }} {{ ps | selectattr('v', 'gt', 1) | list | length }}",
    "{{ ps | sum(attribute='v') }} {{ xs | sort | first }} {{ xs | unique | list }} {{ xs | map('upper') | join }}",
    "{{ missing }}", "{{ missing | default('x') }}{{ m.nothing | default(t) }}", "{{ missing is defined }}{{ o is none }}",
    "{{ t | replace('a', 'b') | regex_replace('[aeiou]', '_') }} {{ t | regex_search('r(a)') }}",
    "{{ range(n) | join(' ') }}", "{{ dict(a=n).a }} {{ [n, t] | tojson }} {{ (n, b) }}",
    "{{ xs | batch(2) | list }} {{ x | round(1) }} {{ n | ordinal }} {{ x | number('.2f') }}",
    "{{ t | length > 5 and t or 'short' }}", "{{ xs | first }} {{ xs | last }}", "{{ {'k': n}['k'] }}",
    "{% for i in range(2) %}{% set w = i %}{{ w }}{% endfor %}{{ w | default('gone') }}",
    "{{ t in (['It rained.'] | map('trim')) }}", "{# a comment #}x\n", "  {%- if b %} y {% endif -%}  z",
    "{% for v in xs %}{% if v == 'b' %}{{ n }}{% else %}{{ missing }}{% endif %}{% endfor %}",
    "{% filter trim | upper %} {{ t }}{% set q = n %} {% endfilter %}{{ q }}", "{% filter int %}x{% endfilter %}",
    "{% set s | trim | length %} {{ t }} {% endset %}{{ s + n }}", "{% filter length %}a{% endfilter %}{{ t }}",
    "{% set s = namespace(n=n, of=[]) %}{% for v in xs %}{% set s.n = s.n + 1 %}{% set s.of = s.of + [v] %}"
    "{% for p in ps if p.v %}{% set s.n = s.n * 2 %}{{ s.n }} {% endfor %}{% endfor %}{{ s.n }}{{ s.of }}",
    "{% set j = joiner(', ') %}{% for v in xs %}{{ j() }}{{ v }}{% endfor %}{{ j() }}",
    "{% set c = cycler('a', 'b') %}{% for v in xs %}{{ c.next() }}{% endfor %}{{ c.current }}",
    "{% for v in xs %}{{ loop.cycle('a', 'b', t) }}{% endfor %}", "{% set m.k = 1 %}{{ m.k }}",
    "{{ t[0] }}{{ t[::-1] }}{{ 'abc'[n] }}", "{{ t * 2 }}{{ xs * 2 }}", "{{ '%s-%s' | format(t, n) }}",
    "{% for v in t %}{{ v }},{% endfor %}", "{% for v in m %}{{ v }}{% endfor %}", "{{ not b }}{{ not xs }}",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_lowered_template_gives_what_the_sandbox_gives(text: str) -> None:
    assert why_not(text) is None
    wanted = by_row(compile_template(text).render, ROWS)
    column = render(text, scope(ROWS))
    column = Column.of(column.text(len(ROWS)).to_pylist(), column.fallback(len(ROWS)))
    assert compare(column, wanted) == 0, "rows are unsure that the sandbox gives"


EXPRESSIONS = [
    "t", "n + 1", "xs | map('upper')", "ps | selectattr('v')", "xs | zip(xs)", "m.count", "o or t",
    "ps | map(attribute='v') | select | list", "t if b", "[n, x, b, t]", "{'a': n, 'b': xs}", "xs[5]",
    "n in xs", "t | words | length", "missing", "'a' ~ n", "(xs | index('b')) + n", "x == n or b",
    "range(n) | list", "ps | groupby('k') | map(attribute='grouper') | list", "m | dictsort | first",
]  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_lowered_expression_gives_what_the_sandbox_gives(text: str) -> None:
    assert why_not(text, expression=True) is None
    assert compare(evaluate(text, scope(ROWS)), by_row(compile_expression(text), ROWS)) == 0


ATOMS = st.sampled_from(
    ["t", "n", "x", "b", "xs", "ps", "m", "o", "m.k", "m.count", "xs[0]", "ps[0].v", "'lit'", "2",
     "none", "true", "[]", "missing", "xs[1:]", "ps[-1].k", "''", "0"]
)  # fmt: skip
FILTERS = st.sampled_from(
    ["upper", "trim", "length", "first", "last", "join('-')", "default('d')", "default('e', true)",
     "list", "string", "int", "sort", "unique | list", "reverse | list", "map('string') | list",
     "map(attribute='k') | list", "select | list", "words", "split('a')", "tojson", "title",
     "replace('a', n)", "sum", "min", "round", "abs", "items | list", "squeeze", "capitalize"]
)  # fmt: skip
BINARY = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
)


def expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        ATOMS,
        lambda inner: st.one_of(
            st.builds("({} | {})".format, inner, FILTERS),
            st.builds("({} {} {})".format, inner, BINARY, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
            st.builds("({} if {})".format, inner, inner),
            st.builds("(not {})".format, inner),
            st.builds("({} is {})".format, inner, st.sampled_from(["defined", "none", "string"])),
            st.builds("[{}, {}]".format, inner, inner),
            st.builds("{}[{}]".format, inner, st.sampled_from(["0", "-1", "'k'", ":2"])),
        ),
        max_leaves=6,
    )


def templates() -> st.SearchStrategy[str]:
    printed = st.builds("{{{{ {} }}}}".format, expressions())
    words = st.sampled_from(["a ", "\n", "", "Q: ", " {# c #}", "é"])
    return st.recursive(
        st.one_of(printed, words),
        lambda inner: st.one_of(
            st.builds("{}{}".format, inner, inner),
            st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, expressions(), inner, inner),
            st.builds("{{% if {} %}}{}{{% endif %}}".format, expressions(), inner),
            st.builds("{{% for v in {} %}}{}{{{{ v }}}}{{{{ loop.index }}}}{{% endfor %}}".format,
                      expressions(), inner),
            st.builds("{{% for v in {} if {} %}}{}{{% else %}}{}{{% endfor %}}".format,
                      expressions(), expressions(), inner, inner),
            st.builds("{{% set t = {} %}}{}".format, expressions(), inner),
            st.builds("{{% filter {} %}}{}{{% endfilter %}}".format, FILTERS, inner),
            st.builds("{{% set m %}}{}{{% endset %}}{}".format, inner, inner),
            st.builds("{{% if b %}}{{% set n = {} %}}{{% endif %}}{}".format, expressions(), inner),
        ),
        max_leaves=5,
    )  # fmt: skip


texts = st.one_of(st.text(max_size=12), st.sampled_from(["a", "It rained.", "b a"]))
ROW = st.fixed_dictionaries(
    {"t": texts, "n": st.integers(-3, 30), "x": st.floats(-9, 9), "b": st.booleans(),
     "xs": st.lists(texts, max_size=3),
     "ps": st.lists(st.fixed_dictionaries({"k": texts, "v": st.none() | st.integers(0, 9)}), max_size=3),
     "m": st.fixed_dictionaries({"k": texts, "count": st.integers(0, 5)}), "o": st.none() | texts}
)  # fmt: skip


def _arrow(rows: list[dict[str, Any]]) -> bool:
    try:
        scope(rows)
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return False
    return True


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=templates(), rows=st.lists(ROW, min_size=1, max_size=5))
def test_generated_templates_agree(text: str, rows: list[dict[str, Any]]) -> None:
    if not _arrow(rows):
        return
    try:
        compiled = compile_template(text)
    except TextError:
        return
    if why_not(text) is not None:
        assert why_not(text) == "a block reads a name before it is set"
        return
    wanted = by_row(compiled.render, rows)
    column = render(text, scope(rows))
    compare(Column.of(column.text(len(rows)).to_pylist(), column.fallback(len(rows))), wanted)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=expressions(), rows=st.lists(ROW, min_size=1, max_size=5))
def test_generated_expressions_agree(text: str, rows: list[dict[str, Any]]) -> None:
    if not _arrow(rows):
        return
    try:
        compiled = compile_expression(text)
    except TextError:
        return
    if why_not(text, expression=True) is None:
        compare(evaluate(text, scope(rows)), by_row(compiled, rows))


FAILING = [
    "1 // 0", "{[]: 1}", "'a' + 1", "[1][5]", "-'a'", "1 < 'a'", "{'k': {{}: 1}}", "'a'.zzz()",
    "2 ** 'a'", "'a' in 1", "{'a': 1}.b.c", "'abc'[::0]", "[1 // 0]", "'%d' % 'a'",
    "[3, 'a'] | sort", "4 is divisibleby(0)", "10 ** 400 * 1.0",
]  # fmt: skip
AROUND = [
    "{{ @ }}", "{% if b %}{{ @ }}{% else %}{{ t }}{% endif %}", "{{ t if n > 3 else @ }}",
    "{{ b and @ }}", "{% for v in xs %}{{ @ }}{% endfor %}", "{{ (@) is defined }}{{ t }}",
    "{% set z = @ %}{{ t }}{% if b %}{{ z }}{% endif %}", "{{ [@, t] | length }}",
    "{% for v in xs if @ %}{{ v }}{% endfor %}", "{{ {'a': @, 'b': t}.b }}", "{{ t ~ (@) }}",
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("constant", FAILING)
def test_a_constant_that_fails_fails_its_rows_alone(constant: str, around: str) -> None:
    text = around.replace("@", constant)
    assert why_not(text) is None
    wanted = by_row(compile_template(text).render, ROWS)
    column = render(text, scope(ROWS))
    assert wanted == [None] * len(ROWS) or around != "{{ @ }}", "the constant does not fail"
    compare(Column.of(column.text(len(ROWS)).to_pylist(), column.fallback(len(ROWS))), wanted)


def test_rows_may_be_taken_again_and_none_at_all() -> None:
    none = render("{{ t }}{% for v in xs %}{{ v }}{% endfor %}", scope(ROWS).sub(np.zeros(0, int)))
    assert none.text(0).to_pylist() == []
    twice = render("{{ n }}", scope(ROWS).sub(np.array([3, 0, 3])))
    assert twice.text(3).to_pylist() == ["12", "3", "12"]

"""Texts that the column engine refuses, and the reasons."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from flancompile.dsl.jinja.expression import RowError, compile_template
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import render
from flancompile.lowering.lowerable import (
    expression_tree,
    keeps_state,
    of_loop,
    template_tree,
    why_not,
)

AHEAD = "a block reads a name before it is set"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% macro a() %}{% endmacro %}", "macro is not lowered"),
        ("{% for v in xs recursive %}{{ v }}{% endfor %}", "a recursive loop"),
        ("{% for v in xs %}{{ loop.previtem }}{% endfor %}", "a loop's own methods"),
        ("{% for v in xs %}{{ loop.changed(v) }}{% endfor %}", "a loop's own methods"),
        ("{% for v in xs %}{{ loop }}{% endfor %}", "a loop's own methods"),
        ("{% for v in xs %}{{ loop.cycle('a') }}{{ loop.depth }}{% endfor %}", "a loop's own methods"),
        ("{% for v in xs %}{{ t }}{% endfor %}{% set t = n %}", AHEAD),
        ("{% filter upper %}{{ t }}{% endfilter %}{% set t, u = xs %}", AHEAD),
    ],
)  # fmt: skip
def test_a_refused_text_has_its_reason(text: str, reason: str) -> None:
    assert why_not(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "", "{{ t }}", "{# {% macro a() %} #}", "{{ 1 // 0 }}", "{{ 'a' < 1 }}", "{{ {[]: 1} }}",
        "{{ t }}{% set t = n %}{{ t }}",  # in one block the old value is read
        "{% set t = n %}{% for v in xs %}{{ t }}{% endfor %}",
        "{% for v in xs %}{{ t }}{% set t = v %}{% endfor %}{{ t }}",
        "{% with v = 1 %}{{ s.k }}{% endwith %}{% set s.k = 1 %}",  # which changes the value of s
        "{% for v in xs %}{{ u }}{% endfor %}{% for v in xs %}{% set u = v %}{% endfor %}",
        "{% for v in xs %}{% with w = v %}{{ u }}{% endwith %}{% endfor %}{% for v in xs %}{% set u = v %}{% endfor %}",
        "{% for v in xs %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{{ loop.revindex0 }}{% endfor %}",
    ],
)  # fmt: skip
def test_what_is_lowered_has_no_reason(text: str) -> None:
    assert why_not(text) is None


def test_an_expression_is_parsed_as_one() -> None:
    assert why_not("loop.x", expression=True) == "a loop's own methods"
    assert why_not("loop.x") is None  # as a template, plain text
    assert why_not("xs | map('upper') | list if t else n", expression=True) is None


@pytest.mark.parametrize(
    ("body", "keeps"),
    [
        ("{{ v }}{{ v | upper }}{{ loop.index }}", False),
        ("{{ loop.cycle('a', 'b') }}", False),
        ("{% set w = v %}{{ w }}", False),
        ("{% set s.n = s.n + 1 %}", True),
        ("{{ xs.append(v) }}", True),
        ("{{ j() }}", True),
        ("{% set s = namespace(n=1) %}", True),
        ("{% for w in v %}{% set s.n = w %}{% endfor %}", True),
    ],
)
def test_a_loop_that_may_keep_state_is_found(body: str, keeps: bool) -> None:
    tree = template_tree(f"{{% for v in xs %}}{body}{{% endfor %}}")
    (outer, *_) = tree.find_all(nodes.For)
    assert keeps_state(outer) is keeps


def test_only_attributes_of_loop_itself_are_its_own() -> None:
    found = {
        text: of_loop(next(expression_tree(text).find_all(nodes.Getattr)))
        for text in ("loop.index", "loop.index.real", "v.loop", "looped.index")
    }
    assert found == {
        "loop.index": "index", "loop.index.real": None, "v.loop": None, "looped.index": None
    }  # fmt: skip
    assert of_loop(next(expression_tree("loop['index']").find_all(nodes.Getitem))) is None


READ = st.sampled_from(["{{ a }}", "{{ b }}", "{{ a ~ b }}", "-"])
SET = st.sampled_from(
    ["{% set a = 'x' %}", "{% set b = a %}", "{% set a, b = '12' %}", "{% set b %}y{{ a }}{% endset %}"]
)  # fmt: skip
STATEMENTS = st.recursive(
    READ | SET,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.builds("{{% for v in 'pq' %}}{}{{% endfor %}}".format, inner),
        st.builds("{{% for b in a %}}{}{{% endfor %}}".format, inner),
        st.builds("{{% if a == 'x' %}}{}{{% else %}}{}{{% endif %}}".format, inner, inner),
        st.builds("{{% with a = 'w' %}}{}{{% endwith %}}".format, inner),
        st.builds("{{% filter upper %}}{}{{% endfilter %}}".format, inner),
    ),
    max_leaves=8,
)


@given(STATEMENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_scopes_of_assignments_are_those_of_the_row_engine(text: str) -> None:
    """Wherever a text is not refused, its blocks read and set the names that Jinja's do."""
    try:
        expected = compile_template(text).render({"a": "A", "b": "B"})
    except RowError:
        expected = None
    if why_not(text) is not None:
        assert why_not(text) == AHEAD
        return
    column = render(text, Scope(1, {"a": Column.of_text(pa.array(["A"])), "b": Column.of(["B"])}))
    if not column.fallback(1)[0]:
        assert column.text(1).to_pylist() == [expected]

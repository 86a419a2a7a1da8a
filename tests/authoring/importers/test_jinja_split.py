"""Texts that are parsed, split at a separator, renamed and written again."""

from typing import Any

import jinja2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from flancompile.authoring.importers.jinja_split import (
    Output,
    SplitError,
    Text,
    blanked,
    halves,
    operand,
    parse,
    renamed,
    source,
)

ENV = jinja2.Environment(keep_trailing_newline=True)
ROWS: list[dict[str, Any]] = [{"x": "X", "y": "pq"}, {"x": "", "y": ""}]
PARTS = [
    "a ", "{", "}", "%", "#", " ", "\n", "-", "{#- c -#}", "{# c #}", "{{ x }}", "{{- x -}}",
    "{% if x %}A{% endif %}", "{%- if y -%}B{% elif x %} C{% else %}{ {%- endif -%}", "{% set z = y %}",
    "{{ z }}", "{% for i in y %}{{ i }}{% endfor %}", "|||", "{{ {'a': x}['a'] }}", "{{ '}' }}",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("".join)


def rendered(text: str) -> list[str] | None:
    """A text over both rows; None for a text that Jinja refuses."""
    try:
        return [ENV.from_string(text).render(**row) for row in ROWS]
    except jinja2.TemplateError:
        return None


@settings(max_examples=80)
@given(TEXTS)
def test_a_text_and_its_halves_render_as_before(text: str) -> None:
    want = rendered(text)
    assume(want is not None)
    assert want is not None
    tree = parse(text)
    assert rendered(source(tree)) == want
    try:
        left, right = halves(tree)
    except SplitError:
        return
    before, after = rendered(source(left)), rendered(source(right))
    assert before is not None and after is not None
    for whole, *parts in zip(want, before, after, strict=True):
        assert whole.split("|||") == parts


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("{ {{- x }}", '{{ "{" }}{{ x }}'),
        ("{ {%- if x %}{{ x }}{% endif %}", '{{ "{" }}{%+ if x +%}{{ x }}{%+ endif +%}'),
        ("{% if x %}{ {%- endif %}", '{%+ if x +%}{{ "{" }}{%+ endif +%}'),
        ("{ {#- c -#} % { {#- c #}", '{{ "{" }}% {'),
        ("f() {", "f() {"),
    ],
)
def test_a_brace_begins_no_tag(text: str, want: str) -> None:
    assert source(parse(text)) == want
    assert rendered(want) == rendered(text)


@pytest.mark.parametrize("text", ["a |||{# c #} b", "a |{# c #}|| b", "a ||| {# ||| #}b"])
def test_a_comment_does_not_change_the_separator(text: str) -> None:
    assert halves(parse(text)) == ([Text("a ")], [Text(" b")])


def test_a_separator_in_each_branch_splits_the_block() -> None:
    text = "{{ q }}{% if c %} A ||| {{ a }}{% else %} B ||| {{ b }}{% endif %}!"
    left, right = map(source, halves(parse(text)))
    assert left == "{{ q }}{%+ if c +%} A {%+ else +%} B {%+ endif +%}"
    assert right == "{%+ if c +%} {{ a }}{%+ else +%} {{ b }}{%+ endif +%}!"


def test_assignments_go_to_both_sides() -> None:
    text = "{% set v = x %}{% if x %}T{% set w = y %}{% endif %}{{ v }} ||| {{ w }}"
    left, right = map(source, halves(parse(text)))
    assert left == "{%+ set v = x +%}{%+ if x +%}T{%+ set w = y +%}{%+ endif +%}{{ v }} "
    assert right == "{%+ set v = x +%}{%+ if x +%}{%+ set w = y +%}{%+ endif +%} {{ w }}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ x }}", "no separator between"),
        ("", "no separator between"),
        ("a ||| b ||| c", "more than one separator"),
        ("a ||| b{% if x %}|||{% endif %}", "more than one separator"),
        ("{% for i in x %}a ||| b{% endfor %}", "a separator inside a loop"),
        ("{% if x %}a ||| b{% endif %} c", "the separator may be missing"),
    ],
)
def test_texts_that_have_no_two_halves(text: str, reason: str) -> None:
    with pytest.raises(SplitError, match=reason):
        halves(parse(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ x ", "never closed"),
        ("{{ x }} {% if x", "never closed"),
        ("{{ x }", "not Jinja: unexpected '}'"),
        ("{# x", "not Jinja: Missing end of comment"),
        ("{% raw %}{{ x }}{% endraw %}", "a raw block"),
        ("{% macro m() %}{% endmacro %}", "the statement 'macro'"),
        ("{% set x %}a{% endset %}", "the statement 'set'"),
        ("{% %}", "the statement ''"),
        ("{% if x %}a", "'if' is never closed"),
        ("a{% endif %}", "the statement 'endif'"),
    ],
)
def test_statements_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(SplitError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("a | choice", "a"),
        ("b ~ a | choice", "a"),
        ("x + a.b['|'][0] | choice", "a.b['|'][0]"),
        ("f(a, (b)) | choice", "f(a, (b))"),
        ("a | map('x') | list | choice", "a | map('x') | list"),
        ("x in [a, 'b]'] | choice", "[a, 'b]']"),
        ("not (a or b) | choice", "(a or b)"),
        ("{'k': [1]}['k'] | choice", "{'k': [1]}['k']"),
        ("'a'.split(' ') | choice", "'a'.split(' ')"),
    ],
)
def test_the_operand_of_a_filter(code: str, want: str) -> None:
    end = code.rindex("|")
    assert code[operand(code, end) : end].strip() == want
    tree = ENV.parse(f"{{{{ {code.replace('choice', 'last')} }}}}")
    (last,) = [f for f in tree.find_all(nodes.Filter) if f.name == "last"]
    (slot,) = ENV.parse(f"{{{{ {want} }}}}").find_all(nodes.Output)
    assert last.node == slot.nodes[0]


@pytest.mark.parametrize(
    ("code", "reason"), [("| choice", "without an operand"), (") | choice", "unclosed brackets")]
)
def test_a_filter_without_its_operand(code: str, reason: str) -> None:
    with pytest.raises(SplitError, match=reason):
        operand(code, code.index("|"))


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("x ~ 'x' ~ \"x\"", "y ~ 'x' ~ \"x\""),
        ("a.x ~ x.a ~ xx ~ x1", "a.x ~ y.a ~ xx ~ x1"),
        ("f(x=x, a=1, x=2)", "f(x=y, a=1, x=2)"),
        ("x == x", "y == y"),
        ("x | x | x(x)", "y | x | x(y)"),
        ("a is x and x is not x", "a is x and y is not x"),
        ("a, x = x, a", "a, y = y, a"),
        ("a = f('(', x)", "a = f('(', y)"),
        ("x[x]", "y[y]"),
    ],
)
def test_names_that_are_renamed(code: str, want: str) -> None:
    assert renamed(code, {"x": "y"}) == want


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["x", "a.x", "x.a", "'x'", "xs", "x[0]"]), min_size=1))
def test_two_names_may_be_swapped(values: list[str]) -> None:
    code = " ~ ".join(values)
    swap = {"x": "y", "y": "x"}
    assert renamed(renamed(code, swap), swap) == code


def test_the_contents_of_strings_are_blanked() -> None:
    code = """a ~ 'it\\'s | choice' ~ "b" | choice"""
    assert blanked(code) == f"a ~ '{' ' * 14}' ~ ' ' | choice"
    assert len(blanked(code)) == len(code)


def test_a_tree_keeps_the_author_s_text() -> None:
    tree = parse("Q: {{- x|upper -}} \n{# c #}\n\u2028é")
    assert tree == [Text("Q:"), Output("x|upper"), Text("\n\u2028é")]

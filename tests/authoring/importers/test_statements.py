"""Statements that the template language lacks, rewritten: draws, absent columns, lists that grow."""

from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.authoring.importers.jinja_split import Output, SplitError, parse, source
from flancompile.authoring.importers.statements import (
    names_of,
    sometimes_set,
    with_draws,
    with_namespaces,
    with_optional,
)
from flancompile.dsl.jinja.expression import compile_expression, compile_template

ENV = jinja2.Environment(undefined=jinja2.StrictUndefined)
ENV.filters["choice"] = ENV.filters["random"] = lambda items: list(items)[-1]


def drawn(text: str, row: dict[str, Any], reserved: tuple[str, ...] = ()) -> str:
    """A text's rewritten form over a row, where each draw takes the last item."""
    tree = parse(text)
    let = with_draws(tree, reserved)
    names = {**row, "pick": lambda items: list(items)[-1]}
    for name, code in let.items():
        names[name] = compile_expression(code)(names)
    return compile_template(source(tree)).render(names)


DRAWS = [
    "{{ a | choice }}", "{{ (b | choice) ~ '-' }}", "{{ [a[0], b[0]] | random | upper }}",
    "{% set o = a + b %}{{ o | choice }}", "{% set p = b | list %}{{ p | choice }}{{ p[0] }}",
    "{% set r, s = a, b %}{{ r | choice }}", "{% if c %}{{ a | choice }}{% else %}{{ b[0] }}{% endif %}",
    "{{ (b | choice) if c else 'none' }}", "{% for i in a %}{{ i }}{% endfor %}", "{{ '| choice' }}",
    "{% if c %}{% set t = b %}{% else %}{% set t = a %}{% endif %}{{ t | choice }}",
    "{% set u = a | choice %}{{ u }}{{ u }}", "a | choice",
]  # fmt: skip


@settings(max_examples=30)
@given(st.lists(st.sampled_from(DRAWS), min_size=1, max_size=3, unique=True), st.booleans())
def test_rewritten_draws_render_as_in_jinja(parts: list[str], c: bool) -> None:
    text = " ".join(parts)
    # 55,440 draws modulo a count: the last draw takes the last item of any list up to 12
    row = {"a": ["x", "y"], "b": ["p", "q", "r"], "c": c}
    assert drawn(text, row) == ENV.from_string(text).render(**row)


def test_values_that_are_drawn_from_precede_their_draw() -> None:
    tree = parse("{% set o = q.split(',') %}{% set v = o | choice %}{{ v }} {{ w | choice }}")
    let = with_draws(tree, {"drawn_1"})
    assert list(let.items()) == [
        ("o", "q.split(',')"),
        ("drawn_2", "pick(o)"),
        ("drawn_3", "pick(w)"),
    ]
    assert source(tree) == "{%+ set v = drawn_2 +%}{{ v }} {{ drawn_3 }}"


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in x %}{{ i | choice }}{% endfor %}",
        "{% for i in x | random %}{{ i }}{% endfor %}",
        "{% for i in x %}{% if i %}{{ a | random }}{% endif %}{% endfor %}",
    ],
)
def test_a_draw_in_a_loop_is_refused(text: str) -> None:
    with pytest.raises(SplitError, match="inside a loop"):
        with_draws(parse(text))


def test_a_text_about_draws_in_a_loop_is_no_draw() -> None:
    text = "{% for i in x %}{{ i }} | choice {{ '| random' }}{% endfor %}"
    assert drawn(text, {"x": ["a"]}) == "a | choice | random"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("{{ h | default('x') }}", {"h"}),
        ("{{ h | d }}|{{ g|default(h|default('(y')) }}", {"g", "h"}),
        ("{{ h | default('x', true) }}{{ a | default('z') }}", {"a", "h"}),
        ("{% if h is defined %}{{ h }}{% elif g is not undefined %}G{% endif %}", {"g", "h"}),
        ("{{ 'h' if h is undefined else h | upper }}", {"h"}),
        ("{{ 'h is defined' }} {{ 'h | default(1)' }}h is defined", set()),
        ("{{ a | upper | default('x') }}", set()),
        ("{% set h, k = a, a %}{{ h | default('x') }}{{ k is defined }}", set()),
        ("{{ {'h': a}.h is defined }}{{ {'h': a}.h | default('x') }}", set()),
        ("{{ [a][0 if h is defined else 0] ~ (g | default(a ~ ', b')) }}", {"g", "h"}),
    ],
)
def test_columns_that_may_be_absent(text: str, columns: set[str]) -> None:
    tree = parse(text)
    assert with_optional(tree) == columns
    rewritten = compile_template(source(tree))
    for row in ({"a": "A"}, {"a": "A", "h": "H"}, {"a": "A", "g": "", "h": ""}):
        names = {**dict.fromkeys(columns, None), **row}
        assert rewritten.render(names) == ENV.from_string(text).render(**row)


def test_a_default_whose_brackets_do_not_close() -> None:
    with pytest.raises(SplitError, match="unclosed brackets"):
        with_optional([Output("a | default(b")])


@pytest.mark.parametrize(
    "text",
    [
        "{% set x = [] %}{% for i in a %}{{ x.append(i) or '' }}{% endfor %}{{ x | join(',') }}",
        "{% set x = [] %}{% for i in a %}{{ x.append(i | upper) | default('', true) }}{% endfor %}{{ x | join }}",
        "{% set x = ['z'] %}{% for i in a %}{% set _ = x.append((i)) %}{% endfor %}{{ x | length }}{{ x[-1] }}",
        "{% set d = {'j': 1} %}{% set _ = d.update({'k': a[0]}) %}{{ d.j }}{{ d['k'] }}",
        "{% set d = {} %}{{ d.update({\"k\": 1}) | d('', boolean=True) }}{% if d.k %}{{ a[1] }}{% endif %}",
        '{% set n = namespace(v=[]) %}{% for i in a %}{{ n.v.append(i) or "" }}{% endfor %}{{ n.v | join }}',
        "{% set x = [] %}{% set y = x + ['c'] %}{{ x.append('b') or '' }}{{ y | join }}",
        "x.append(1) {{ 'x.pop()' }} {{ a.append | default('') | length if false else '' }}",
    ],
)
def test_values_that_grow_render_as_in_jinja(text: str) -> None:
    tree = parse(text)
    with_namespaces(tree)
    row = {"a": ["p", "q"]}
    assert compile_template(source(tree)).render(row) == ENV.from_string(text).render(
        a=list(row["a"])
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% set x = [] %}{{ x.append(a) }}", "'append' changes a value in place"),
        ("{% set x = [] %}{{ x.append(a) | default('') }}", "'append' changes"),
        ("{% set x = [] %}{{ x.append(a) | default('!', true) }}", "'append' changes"),
        ("{% set x = [a] %}{{ x.pop () }}", "'pop' changes"),
        ("{% set x = [a] %}{% if x.sort() %}{% endif %}", "'sort' changes"),
        ("{% set x = [] %}{% set y = x %}{{ x.append(a) or '' }}{{ y }}", "'y' shares a value"),
        ("{% set d = {} %}{% set e = d %}{% set _ = d.update({'k': a}) %}", "'e' shares a value"),
        ("{% set x, y = [], [] %}{{ x.append(a) or '' }}", "'x, y' shares a value"),
    ],
)
def test_changes_in_place_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(SplitError, match=reason):
        with_namespaces(parse(text))


def test_names_that_a_text_reads() -> None:
    assert names_of("{% set v = a %}{% for i in b %}{{ i.c ~ v ~ loop.index }}{% endfor %}") == {
        "a", "b",
    }  # fmt: skip
    assert names_of("plain") == set()
    assert names_of("{{ a | most_frequent | choice }}") == {"a"}
    with pytest.raises(SplitError, match="no such filter or test"):
        names_of("{{ a | nosuch }}")
    with pytest.raises(SplitError, match="not Jinja"):
        names_of("{{ a b }}")


def test_names_that_only_some_branches_set() -> None:
    assert sometimes_set("{% if c %}{% set v = 'x' %}{% endif %}{{ v }}{{ c }}") == {"v"}
    both = "{% if c %}{% set v = 'x' %}{% else %}{% set v = c %}{% endif %}{{ v }}"
    assert sometimes_set(both) == set()

"""Types under conditions: what a condition guards is no fault, whatever kinds a sample shows."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.dsl.jinja.infer import expression_diagnostics, template_diagnostics
from flancompile.dsl.jinja.types import ANY, Type, common_type, type_of

KINDS: dict[str, Any] = {
    "map": {"q": "why", "n": 1},
    "bare": {"n": 1},
    "text": "why",
    "number": 3,
    "list": ["a", "b"],
    "null": None,
}
# A test of a value, and a use of the value that only such values take.
USES = {
    "{v} is mapping and 'q' in {v}": "{v}.q",
    "{v} is mapping and {v}.q is defined": "{v}['q'] | upper",
    "{v} is string": "{v} | words | length",
    "{v} is number": "{v} + 1",
    "{v} is sequence and {v} is not string and {v} is not mapping": "{v}[0] ~ ''",
    "not ({v} is not string or {v} is mapping)": "{v} | split(' ') | first",
}
SUBJECTS = ("item", "one.item", "one['item']", "many[0]")

guards = st.sampled_from(sorted(USES))
subjects = st.sampled_from(SUBJECTS)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    """An expression in which every use of a value is under its test."""
    if depth == 0:
        return "'none'"
    value, test = draw(subjects), draw(guards)
    condition, use = test.format(v=value), USES[test].format(v=value)
    other = draw(expressions(depth - 1))
    form = draw(
        st.sampled_from(
            ["({u} if {c} else {o})", "({o} if not ({c}) else {u})", "(({c} and {u}) ~ {o})",
             "(({c} and true and {u}) ~ {o})", "((not ({c}) or {u}) ~ {o})"]
        )
    )  # fmt: skip
    return form.format(u=use, c=condition, o=other)


@st.composite
def templates(draw: st.DrawFn) -> str:
    test = draw(guards)
    value = draw(subjects)
    condition, use = test.format(v=value), USES[test].format(v=value)
    looped = test.format(v="x"), USES[test].format(v="x")
    forms = [
        f"{{% if {condition} %}}{{{{ {use} }}}}{{% else %}}-{{% endif %}}",
        f"{{% if not ({condition}) %}}-{{% else %}}{{{{ {use} }}}}{{% endif %}}",
        f"{{% if number == 4 %}}-{{% elif {condition} %}}{{{{ {use} }}}}{{% endif %}}",
        f"{{% set ok = {condition} %}}{{% if ok %}}{{{{ {use} }}}}{{% endif %}}",
        f"{{% for x in many if {looped[0]} %}}{{{{ {looped[1]} }}}}{{% endfor %}}",
        f"{{% for x in many %}}{{% if {looped[0]} %}}{{{{ {looped[1]} }}}}{{% endif %}}{{% endfor %}}",
        "{{ many | select('mapping') | selectattr('q', 'defined') | map(attribute='q') | join(' ') }}",
        "{{ many | select('string') | map('upper') | join(' ') }}",
        f"{{{{ {draw(expressions())} }}}}",
    ]
    return draw(st.sampled_from(forms))


def names(kinds: list[str]) -> dict[str, Any]:
    values = [KINDS[k] for k in kinds]
    return {"item": values[0], "one": {"item": values[0]}, "many": values, "number": 3}


@given(templates(), st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
@example("{{ item.q if item is mapping and 'q' in item else 'none' }}", ["text"])
def test_what_is_guarded_is_no_fault_for_any_sample(text: str, kinds: list[str]) -> None:
    types = {name: type_of(value) for name, value in names(kinds).items()}
    assert [f for f in template_diagnostics(text, types) if f.code != "FC221"] == []
    for kind in KINDS:  # the grammar's guards do guard: no value of any kind fails
        compile_template(text).render(names([kind]))


@given(subjects, guards, st.sampled_from(sorted(KINDS)))
def test_without_its_guard_a_use_that_fails_is_a_fault(value: str, test: str, kind: str) -> None:
    use = USES[test].format(v=value)
    types = {name: type_of(v) for name, v in names([kind]).items()}
    _, diagnostics = expression_diagnostics(use, types)
    try:
        compile_expression(use)(names([kind]))
    except RowError:
        return
    assert diagnostics == []


NAMES = {
    "item": type_of("a"),
    "people": type_of([{"name": "Ada"}, {"name": "Bo", "age": 3}]),
    "map": common_type([type_of({"k": 1, "z": 1}), type_of({"k": 1})]) or ANY,
}


@pytest.mark.parametrize(
    "text",
    [
        "item.q if item is mapping else item",
        "item is mapping and item.q == 'x'",
        "item is not mapping or item.q == 'x'",
        "map.z if 'z' in map else 0",
        "map.z if 'z' in map.keys() else 0",
        "people | selectattr('age') | map(attribute='age') | list",
        "people | selectattr('age', 'defined') | map(attribute='age') | first",
        "people | rejectattr('age', 'undefined') | map(attribute='age') | first",
        "people | selectattr('other', 'eq', 1) | map(attribute='other') | first",
        "(item | default({}) is mapping) and item.q",
    ],
)
def test_conditions_that_guard(text: str) -> None:
    assert expression_diagnostics(text, NAMES)[1] == []


def test_conditions_elsewhere_guard_too() -> None:
    assert expression_diagnostics("item.q", NAMES, ("item is mapping",))[1] == []
    assert [f.code for f in expression_diagnostics("item.q", NAMES, ("item is string",))[1]] == [
        "FC222"
    ]


def test_what_a_condition_said_ends_with_the_name() -> None:
    text = "{% if item is mapping %}{% set item = 'a' %}{{ item.q }}{% endif %}"
    assert [f.code for f in template_diagnostics(text, NAMES)] == ["FC222"]


def test_under_a_condition_a_missing_key_is_a_warning() -> None:
    found = expression_diagnostics("item.q if other == 'map' else item", NAMES)[1]
    assert [(f.code, f.severity) for f in found] == [("FC222", "warning")]
    assert [f.severity for f in expression_diagnostics("item.q", {"item": Type("text")})[1]] == [
        "error"
    ]

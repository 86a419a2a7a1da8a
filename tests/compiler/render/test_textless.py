"""Lists, maps and bytes have no text: neither engine prints them, and the reason names the place."""

import math
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from engines import both_engines
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_template
from flancompile.dsl.jinja.infer import template_diagnostics
from flancompile.dsl.jinja.types import type_of
from flancompile.dsl.models.task import Task
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import render
from flancompile.lowering.lowerable import why_not

CONTAINERS: list[Any] = [
    [], ["a", "b"], [[1]], [[]], [None], (1, "a"), {}, {"k": "v"}, {"k": [1]}, b"", b"ab", [b"ab"], [date(2001, 2, 3)],
]  # fmt: skip
SCALARS: list[Any] = [
    "", "a", "[]", "['a']", True, False, 0, -1, 2**70, 0.5, -0.0, 1e300, Decimal("1.50"), date(2001, 2, 3),
    datetime(2001, 2, 3, 4, 5),
]  # fmt: skip
NULLS: list[Any] = [None, math.nan, math.inf, -math.inf]
PRINTS = [  # each makes a text of the whole value
    "{{ v }}", "A {{ v }}.", "{{ v | string }}", "{{ v | upper }}", "{{ v | trim }}", "{{ 'a' ~ v }}", "{{ v ~ '' }}",
    "{{ [v] | join }}", "{{ ['a', v] | join(', ') }}", "{{ '%s' % (v,) }}", "{{ '{}'.format(v) }}", "{{ '%s' | format(v) }}",
    "{{ 'b' | replace('b', v) }}", "{{ v | squeeze }}", "{% set w = v %}{{ w }}", "{% for w in [v] %}{{ w }}{% endfor %}",
    "{% if v == v or true %}{{ v }}{% endif %}", "{{ v if true else '' }}", "{{ [v][0] }}", "{{ {'k': v}.k }}",
    "{{ v | center(4) }}", "{{ v | capitalize }}", "{{ '%(k)s' % {'k': v} }}", "{{ '{k}'.format(k=v) }}",
]  # fmt: skip


def by_sandbox(text: str, value: Any) -> tuple[str | None, str]:
    """(the text, why there is none) of a value in the sandbox."""
    try:
        return compile_template(text).render({"v": value}), ""
    except RowError as error:
        return None, str(error)


def by_columns(text: str, values: list[Any]) -> Iterator[str | None]:
    """The texts that columns are sure of."""
    assert why_not(text) is None
    column = render(text, Scope(len(values), {"v": Column.of(values)}))
    fallback = column.fallback(len(values))
    for found, asked in zip(column.text(len(values)).to_pylist(), fallback, strict=True):
        yield None if asked else found


@pytest.mark.parametrize("text", PRINTS)
def test_only_scalars_have_a_text(text: str) -> None:
    values = [*CONTAINERS, *NULLS, *SCALARS]
    found = [by_sandbox(text, value) for value in values]
    assert [shown for shown, _ in found] == list(by_columns(text, values))
    textless = len(CONTAINERS) + len(NULLS)
    for value, (shown, why) in zip(values[:textless], found, strict=False):
        assert shown is None and why, value
    for value, (shown, why) in zip(values[textless:], found[textless:], strict=True):
        assert shown is not None, (value, why)


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("{{ v }}", ["a"], "a list would be printed by {{ v }}; write `| join(', ')` or `| tojson`"),
        ("{{ v }}!", {"k": 1}, "a map would be printed by {{ v }}; write one of its keys or `| tojson`"),
        ("{{ v.k | sort }}", {"k": [1]}, "a list would be printed by {{ v.k | sort }}; write `| join(', ')` or `| tojson`"),
        ("{{ v[0] }}", [[1]], "a list would be printed by {{ v[0] }}; write `| join(', ')` or `| tojson`"),
        ("{{ v | upper }}", [], "a list reaches 'upper'; write `| join(', ')` or `| tojson`"),
        ("{{ v }}", b"ab", "bytes would be printed; write `.decode()`"),
    ],
)  # fmt: skip
def test_the_reason_names_the_expression_and_the_remedy(text: str, value: Any, reason: str) -> None:
    assert by_sandbox(text, value) == (None, reason)


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("{{ v | join(', ') }}", ["a", 1], "a, 1"), ("{{ v | tojson }}", ["a", None], '["a", null]'),
        ("{{ v | python_text }}", ["a", 1], "['a', 1]"), ("{{ v | python_text }}", {"k": ["a"]}, "{'k': ['a']}"),
        ("{{ v | python_text }}", "a", "a"), ("{{ v | urlencode }}", {"k": "a b"}, "k=a+b"),
        ("{{ v.decode() }}", b"ab", "ab"), ("{{ '%s %s' % (v[0], v[1]) }}", ["a", 1], "a 1"),
    ],
)  # fmt: skip
def test_what_makes_a_text_of_a_list(text: str, value: Any, shown: str) -> None:
    assert by_sandbox(text, value) == (shown, "")
    assert list(by_columns(text, [value])) == [shown]


@pytest.mark.parametrize("value", [[None], [math.nan], {"k": [math.inf]}])
def test_python_s_text_of_a_null_is_no_text(value: Any) -> None:
    assert by_sandbox("{{ v | python_text }}", value)[0] is None


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2) | st.sampled_from([2**62, -(2**63)]),
    st.floats(), st.sampled_from(["", "a", "[]", "['a']", "Ünï"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("kl"), v, max_size=2),
    max_leaves=4,
)


@pytest.mark.slow
@given(
    input_=st.sampled_from(["Q{{ v }}", "Q {{ w }}", "{% for x in v %}{{ x }}{% endfor %}Q", "Q{{ v | join('/') }}"]),
    target=st.sampled_from(["{{ w }}", "{{ v }}", "{{ v | string }}", "{{ v ~ w }}", "{{ v | first }}"]),
    rows=st.lists(st.fixed_dictionaries({"v": VALUES, "w": VALUES}), min_size=1, max_size=5),
    shots=st.integers(0, 2),
)  # fmt: skip
@example(input_="Q {{ w }}", target="{{ v }}", rows=[{"v": [], "w": "a"}], shots=0)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_examples_hold_no_text_of_python_in_either_engine(
    input_: str, target: str, rows: list[dict[str, Any]], shots: int
) -> None:
    task = Task.model_validate(
        {"signature": "v -> w", "templates": [{"name": "t", "input": input_, "target": target}]}
    )
    found = both_engines(task, {n: [row[n] for row in rows] for n in "vw"}, shots=shots)
    assert len(found) == len(rows)
    for row, one in zip(rows, found, strict=True):
        whole = [n for n in "vw" if f"{{{{ {n} }}}}" in input_ + target]
        if any(isinstance(row[n], list | dict) for n in whole):
            assert isinstance(one, str), one


@given(value=VALUES, text=st.sampled_from(PRINTS))
@settings(max_examples=300, deadline=None)
def test_what_the_checker_reports_is_dropped(value: Any, text: str) -> None:
    diagnostics = [
        f for f in template_diagnostics(text, {"v": type_of(value)}) if f.code == "FC221"
    ]
    if diagnostics:
        assert by_sandbox(text, value)[0] is None
        assert all("tojson" in str(f.hint) for f in diagnostics)
    if text in PRINTS[:7] and isinstance(value, list | dict):
        assert [f.severity for f in diagnostics] == ["error"]

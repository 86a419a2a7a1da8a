"""Names that a task's texts use, in every place that has a text."""

from typing import Any

import pytest

from flancompile.dsl.jinja.names import names_in_order, task_texts, used_names
from flancompile.dsl.models.task import Task


def task() -> Task:
    """A task with a name of its own in each place."""
    choices: dict[str, Any] = {"options": "n1", "labels": "n2", "gold": "n3 | lookup({'a': n4})"}
    return Task.model_validate(
        {
            "signature": "q -> a",
            "let": {"x": "{'k': n5}[n6]"},
            "instruction": "{{ n7 }} n0",
            "choices": {"distractors": 2, "same": "n8", "gold": "n9"},
            "templates": [
                {"name": "t", "input": "{{ n10 }} n0 { n0 }", "target": "{% if n11 %}n0{% endif %}",
                 "let": {"y": "n12"}, "when": "n13 in {n14: 'n0'}", "choices": choices},
                {"name": "u", "turns": {"each": "n15", "role": "n16", "text": "n17", "loss": "n18"}},
            ],
        }
    )  # fmt: skip


def test_every_place_of_a_task_is_read() -> None:
    names = [used_names(*text) for text in task_texts(task())]
    assert None not in names
    found = frozenset[str]().union(*(n for n in names if n is not None))
    assert found == {f"n{n}" for n in range(1, 19)}


@pytest.mark.parametrize(
    ("text", "is_expression", "names"),
    [
        ("label | lookup({'A': other})", True, {"label", "other"}),
        ("label | lookup({'A': other})", False, set()),
        ("{{ a }} b", False, {"a"}),
        ("a b", False, set()),
        ("a b", True, None),
        ("{{ a", False, None),
        ("{% for x in xs %}{{ x.k ~ y }}{% endfor %}", False, {"xs", "y"}),
    ],
)
def test_names_of_a_text(text: str, is_expression: bool, names: set[str] | None) -> None:
    assert used_names(text, is_expression) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ b }} {{ a.b }} {% if c %}{{ b }}{% endif %}", ["b", "a", "c", "b"]),
        ("{% for x in xs %}{{ x }}{{ y }}{% endfor %}", ["xs", "y"]),
        ("{# a #}{% raw %}{{ b }}{% endraw %}{{ 'c' | upper }}", []),
        ("no code", ["no", "code"]),  # without braces it is an expression
    ],
)
def test_names_in_the_order_of_their_occurrence(text: str, names: list[str]) -> None:
    assert names_in_order(text) == names

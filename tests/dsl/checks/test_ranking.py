"""Templates whose targets can be rendered for each option."""

import pytest

from flancompile.dsl.checks.ranking import can_be_ranked, ranking_diagnostics
from flancompile.dsl.models.task import Task

CHOICES = {"options": ["yes", "no"], "gold": "answer"}


def task(target: str, choices: object = CHOICES, metric: str = "accuracy") -> Task:
    template = {"name": "t", "input": "{{ q }}", "target": target}
    given = {"signature": "q -> answer", "templates": [template], "eval": {"metric": metric}}
    return Task.model_validate(given if choices is None else {**given, "choices": choices})


@pytest.mark.parametrize(
    ("target", "choices", "rankable"),
    [
        ("{{ gold }}", CHOICES, True),
        ("It is {{ answer }}.", CHOICES, True),
        ("{{ answer }}", {**CHOICES, "by": "index"}, False),
        ("{{ q }}", CHOICES, False),
        ("{{ answer }}", None, False),
    ],
)
def test_rankable_targets(target: str, choices: object, rankable: bool) -> None:
    one = task(target, choices)
    assert can_be_ranked(one, one.templates[0]) is rankable
    assert (list(ranking_diagnostics(one)) == []) is rankable


def test_other_metrics_rank_nothing() -> None:
    assert list(ranking_diagnostics(task("{{ q }}", metric="exact_match"))) == []


def test_a_template_that_does_not_compile_is_reported_elsewhere() -> None:
    assert list(ranking_diagnostics(task("{{ q"))) == []

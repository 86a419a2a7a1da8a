"""The answer in a target, and the names of its rationale."""

import pytest

from flancompile.dsl.jinja.conclusion import answer_names, literals_around_answer, rationale_fields
from flancompile.dsl.models.task import Task


@pytest.mark.parametrize(
    ("target", "around", "names"),
    [
        ("{{ why }} So it is {{ gold | upper }}.", ("So it is", ".", 2), {"gold"}),
        ("{{ why }}\n{{ a ~ b }}", ("", "", 2), {"a", "b"}),
        ("{{ a }}", ("", "", 1), {"a"}),
        ("Yes.", ("", "", 0), set()),
        ("{% for s in steps %}- {{ s }}{% endfor %} **{{ gold }}**", ("**", "**", 2), {"gold"}),
    ],
)
def test_last_slot(target: str, around: tuple[str, str, int], names: set[str]) -> None:
    assert literals_around_answer(target) == around
    assert answer_names(target) == names


@pytest.mark.parametrize(
    ("targets", "fields"),
    [
        ([("{{ why }} So {{ a }}.", True)], {"why"}),
        ([("{{ why }} So {{ a }}.", False)], set()),
        ([("{{ why }} So {{ a }}.", True), ("{{ why }}", False)], set()),
    ],
)
def test_rationale_fields(targets: list[tuple[str, bool]], fields: set[str]) -> None:
    templates = [{"name": f"t{n}", "input": "{{ q }}", "target": t, "cot": cot}
                 for n, (t, cot) in enumerate(targets)]  # fmt: skip
    task = Task.model_validate({"signature": "q -> why, a", "templates": templates})
    assert rationale_fields(task) == fields

"""Names that a dataset file may not give, since they mean something else."""

from typing import Any

import pytest
from checks import checked, file_of, loaded, marked

from flancompile.dsl.checks.names import TAKEN, TURN_NAMES, name_diagnostics
from flancompile.dsl.jinja.expression import compile_expression, compile_template


def taken(given: dict[str, Any]) -> list[tuple[str, str]]:
    dataset = loaded(given)
    return marked(dataset, name_diagnostics(dataset.model, dataset.document))


def reads_its_value(name: str) -> bool:
    """Whether a template and an expression give the value of a field of this name."""
    try:
        values = (
            compile_expression(name)({name: "v"}),
            compile_template(f"{{{{ {name} }}}}").render({name: "v"}),
        )
    except Exception:
        return False
    return values == ("v", "v")


@pytest.mark.parametrize("name", sorted(TAKEN))
@pytest.mark.parametrize("part", ["fields", "for_each", "let of the task", "let of the template"])
def test_a_taken_name_is_an_error_wherever_it_is_given(name: str, part: str) -> None:
    changes: dict[str, Any] = {
        "fields": {"fields": {"q": "q", "a": "a", name: "x"}},
        "for_each": {"for_each": {name: ["x"]}},
        "let of the task": {"task": {"let": {name: "'x'"}}},
        "let of the template": {"template": {"let": {name: "'x'"}}},
    }
    found = taken(file_of(**changes[part]))
    assert [code for code, _ in found] == ["FC229"]
    assert found[0][1].strip("'") == (name if part != "for_each" else "for_each")


@pytest.mark.parametrize("name", ["none", "None", "true", "True", "false", "False", "not", "self"])
def test_names_that_would_not_give_their_value_are_taken(name: str) -> None:
    assert name in TAKEN and not reads_its_value(name)


@pytest.mark.parametrize("name", ["range", "len", "dict", "import", "_", "for", "l_0_x", "context"])
def test_other_names_give_their_value(name: str) -> None:
    assert name not in TAKEN and reads_its_value(name)
    fields = {"q": "q", "a": "a", name: "q"}
    task = {"signature": f"{name} -> a"}
    assert checked(file_of(task, {"input": f"{{{{ {name} }}}}"}, fields=fields)) == []


def test_a_let_of_the_file_may_have_names_of_templates_alone() -> None:
    assert taken(file_of(let={"gold": "1", "options": "2", "pick": "3"})) == []
    assert taken(file_of(let={"row_number": "1", "if": "2"})) == [
        ("FC229", "row_number"),
        ("FC229", "if"),
    ]


def test_a_variable_hides_no_name() -> None:
    each: dict[str, Any] = {"for_each": {"q": ["x"]}, "let": {"q": "1"}}
    assert taken(file_of(**each)) == [("FC229", "q"), ("FC229", "q")]
    assert taken(file_of(for_each={"lang": ["x"]})) == []


@pytest.mark.parametrize("name", sorted(TURN_NAMES))
@pytest.mark.parametrize("used", [True, False])
def test_names_of_turns_are_taken_where_the_turns_use_them(name: str, used: bool) -> None:
    turns = {
        "each": "q",
        "text": f"{{'k': {name}}}['k']" if used else "'x'",
        "role": "'user'",
        "loss": "true",
    }
    given = file_of(fields={"q": "q", name: "q"}, task={"signature": "-> q"})
    given["tasks"]["qa"]["templates"] = [{"name": "t", "turns": turns, "let": {name: "q"}}]
    assert taken(given) == [("FC229", name)] * (2 if used else 0)

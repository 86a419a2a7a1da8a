"""Called fields, escapes in patterns, and keys of `for_each`."""

import pytest

from flancompile.dsl.checks.calls import field_call_diagnostics, variable_diagnostics, variable_type
from flancompile.dsl.models.task import ForEach

EACH = ForEach.model_validate(
    {"variable": "lang", "values": [{"name": "en"}, {"name": "de", "x": 1}]}
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("question()", [("FC226", 0, "error")]),
        ("{{ a ~ question (1) }}", [("FC226", 7, "error")]),
        ("question.upper()", []),
        ("range(3)", []),
        ("a | replace('(question(', '')", []),
        (r"a | regex_replace('\bthe', '')", [("FC211", 19, "warning")]),
        (r"a | regex_replace('\\bthe', '')", []),
        (r"a | replace('\1', '')", []),
    ],
)
def test_calls_and_escapes(text: str, found: list[tuple[str, int, str]]) -> None:
    diagnostics = field_call_diagnostics(text, frozenset({"question"}))
    assert [(d.code, d.at, d.severity) for d in diagnostics] == found


def test_type_of_the_variable() -> None:
    assert variable_type(None) == {}
    type_ = variable_type(EACH)["lang"]
    assert (set(type_.keys), type_.absent) == ({"name", "x"}, frozenset({"x"}))


@pytest.mark.parametrize("form", ["{}", "Say it in {{{{ {} }}}}."])
@pytest.mark.parametrize(
    ("expression", "severities"),
    [("lang.name", []), ("lang.x", ["warning"]), ("lang.nam", ["error"]), ("other.nam", [])],
)
def test_keys_of_the_variable(form: str, expression: str, severities: list[str]) -> None:
    found = list(variable_diagnostics(form.format(expression), variable_type(EACH)))
    assert [d.severity for d in found] == severities
    assert {d.code for d in found} <= {"FC222"}

"""Type checks of whole templates, and the names that nothing guards."""

from flancompile.dsl.jinja.infer import template_diagnostics, unguarded_names
from flancompile.dsl.jinja.types import ANY, Type, common_type, type_of

NAMES = {
    "text": Type("text"),
    "number": Type("integer"),
    "texts": type_of(["a"]),
    "people": type_of([{"name": "Ada", "age": 36}]),
    "answers": type_of({"text": ["a"], "start": [1]}),
    "m": common_type([type_of({"k": 1, "zz": 1}), type_of({"k": 1})]) or ANY,
    "unknown": ANY,
}


def test_names_that_nothing_guards() -> None:
    assert unguarded_names("zq | default(q)") == {"q"}
    assert unguarded_names("zq if zq is defined else q") == {"q"}
    assert unguarded_names("(zq ~ q) | upper") == {"zq", "q"}


def test_faults_of_templates_have_their_line() -> None:
    text = "{{ text }}\n{% for one in people %}{{ one.nmae }}\n{% endfor %}\n{{ texts }}"
    found = list(template_diagnostics(text, NAMES))
    assert [(f.code, f.line, f.word) for f in found] == [
        ("FC222", 2, "nmae"),
        ("FC221", 4, "texts"),
    ]


def test_what_a_condition_guards_is_no_fault() -> None:
    text = "{% if answers.note is defined %}{{ answers.note }}{% endif %}"
    assert list(template_diagnostics(text, NAMES)) == []

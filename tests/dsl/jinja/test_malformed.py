"""Diagnostics of texts that do not compile, with the words they underline."""

import pytest

from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.errors import TextError

BROKEN = [
    ("a | lowr", "FC104", ["lowr"]),
    ("a is strng", "FC104", ["strng"]),
    ("a | lowr ~ b | lowr", "FC104", ["lowr", "lowr"]),
    ("a | map('lowr')", "FC104", ["lowr"]),
    ("a | trim(1, 2, 3)", "FC226", ["trim"]),
    ("a | matches('(')", "FC110", ["matches"]),
    ("a | special", "FC114", ["special"]),
    ("a | map('special')", "FC114", ["special"]),
]


@pytest.mark.parametrize(("text", "code", "words"), BROKEN)
@pytest.mark.parametrize("form", ["{}", "Say {{{{ {} }}}}."])
def test_calls(form: str, text: str, code: str, words: list[str]) -> None:
    whole = form.format(text)
    compile_ = compile_expression if form == "{}" else compile_template
    with pytest.raises(TextError) as error:
        compile_(whole)
    found = error.value
    assert {d.code for d in found.diagnostics} == {code}
    assert [whole[start : start + length] for start, length in found.places] == words
    assert len({start for start, _ in found.places}) == len(words)


@pytest.mark.parametrize(
    ("text", "word", "hint"),
    [
        ("a\n{% fr x in y %}{% endfor %}", "fr", "for"),
        ("{% for x in y %}{{ x }}", "{% for x in y %}{{ x }}", "endfor"),
        ("{% include 'a' %}", "include", "copy"),
    ],
)
def test_statements(text: str, word: str, hint: str) -> None:
    with pytest.raises(TextError) as error:
        compile_template(text)
    (diagnostic,), ((start, length),) = error.value.diagnostics, error.value.places
    assert (diagnostic.code, text[start : start + length]) == ("FC103", word)
    assert hint in str(diagnostic.hint)

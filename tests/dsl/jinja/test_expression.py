import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import (
    RowError,
    compile_expression,
    compile_template,
    without_slot,
)
from flancompile.errors import FlancompileError, TextError


@pytest.mark.parametrize(
    ("text", "context", "value"),
    [
        ('title | replace("_", " ")', {"title": "a_b"}, "a b"),
        ("answers.text[0]", {"answers": {"text": ["x", "y"]}}, "x"),
        ('row["#1 String"]', {"row": {"#1 String": "s"}}, "s"),
        ("item.count", {"item": {"count": 3}}, 3),
        ("a in b", {"a": "x", "b": "xyz"}, True),
        ("'yes' if label else 'no'", {"label": True}, "yes"),
        ("text | split(':') | first", {"text": "DESC:manner"}, "DESC"),
        ("text | regex_search('^(\\w+):')", {"text": "DESC:manner"}, "DESC"),
        ("zip(a, b) | map('first') | list", {"a": [1, 2], "b": [3, 4]}, [1, 2]),
        ("choices | map(attribute='text') | list", {"choices": [{"text": "p"}]}, ["p"]),
        ("label | lookup({'A': 0})", {"label": "A"}, 0),
        ("n + 1", {"n": 1}, 2),
        ("x is none", {"x": None}, True),
    ],
)
def test_expressions_give_values(text: str, context: dict[str, object], value: object) -> None:
    assert compile_expression(text)(context) == value


@pytest.mark.parametrize(
    ("text", "context", "reason"),
    [
        ("answers.text[0]", {"answers": {"text": []}}, "no item 0"),
        ("answers.text[0]", {"answers": {}}, "no 'text'"),
        ("question", {}, "no 'question'"),
        ("a + b", {"a": 1, "b": "x"}, "is not defined for a whole number and a text"),
        ("text | regex_search('z')", {"text": "a"}, "no match"),
        ("zip(a, b)", {"a": [1], "b": []}, "shorter"),
        ("n // 0", {"n": 1}, "division or modulo by zero"),
    ],
)
def test_what_a_row_lacks_is_a_row_error(
    text: str, context: dict[str, object], reason: str
) -> None:
    with pytest.raises(RowError, match=reason):
        compile_expression(text)(context)


@pytest.mark.parametrize(
    "text",
    ["''.__class__.__mro__", "x.__init__.__globals__", "range(10**9) | list", "(1).__class__"],
)
def test_the_sandbox_holds(text: str) -> None:
    with pytest.raises(RowError):
        compile_expression(text)({"x": object()})


@pytest.mark.parametrize(
    ("text", "code"),
    [("a +", "FC103"), ("a | uper", "FC104"), ("a is oddd", "FC104"), ("x | random", "FC104")],
)
def test_an_author_s_mistake_is_a_diagnostic(text: str, code: str) -> None:
    with pytest.raises(FlancompileError) as caught:
        compile_expression(text)
    assert caught.value.code == code


def test_a_misspelt_filter_names_the_nearest() -> None:
    with pytest.raises(FlancompileError, match="did you mean 'upper'"):
        compile_template("{{ a | uper }}")


@given(st.text())
def test_values_are_never_read_as_templates(value: str) -> None:
    hostile = value + "{{ 7 * 7 }}{% raw %}{# no #}"
    assert compile_template("<{{ a }}>").render({"a": hostile}) == f"<{hostile}>"
    assert compile_template("<{{ a | string }}>").render({"a": hostile}) == f"<{hostile}>"


@given(st.lists(st.sampled_from(["{{ a }}", "{{ b }}", "x\n", "\n", " ", "é"]), max_size=8))
def test_the_plain_path_equals_jinja(parts: list[str]) -> None:
    text = "".join(parts)
    names: dict[str, object] = {"a": "A\n", "b": 3}
    plain = compile_template(text)
    general = compile_template(text + "{{ '' | string }}")
    assert plain.render(names) == general.render(names)


def test_a_null_is_not_printed() -> None:
    for text in ("{{ a }}", "{{ a }}{% if false %}{% endif %}"):
        with pytest.raises(RowError, match="null"):
            compile_template(text).render({"a": None})


def test_trailing_newlines_are_kept() -> None:
    assert compile_template("a\n\n").render({}) == "a\n\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Q\n{{ options }}\nA:", "Q\nA:"),
        ("Q\n\n{{ options }}\n\nA:", "Q\n\nA:"),
        ("Q\n\n{{ options }}", "Q"),
        ("{{ options }}\n\nQ", "Q"),
        ("Q {{ options }} A", "Q {{ options }} A"),
        ("Q\n  {{- options -}}  \nA", "Q\nA"),
        ("{{ options }}", ""),
    ],
)
def test_an_empty_slot_takes_its_line(text: str, left: str) -> None:
    assert without_slot(text, "options") == left


@pytest.mark.parametrize(
    "text", ["{{ t.upper }}", "{{ [t.upper] | python_text }}", "{{ namespace(a=1) }}"]
)
def test_no_address_in_memory_is_printed(text: str) -> None:
    with pytest.raises(RowError, match="; call it, or make a list of it"):
        compile_template(text).render({"t": "a", "xs": ["a"]})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{% for s in a %}\n- {{ s }}\n{% endfor %}\nAnswer:", "- x\n- y\nAnswer:"),
        ("  {% if a %}\nyes{% endif %}\nno", "yesno"),
        ("{% if a %}yes{% endif +%}\nno", "yes\nno"),
        ("{{ a | join('\n') }}\nend", "x\ny\nend"),
    ],
)
def test_a_tag_takes_the_newline_after_it(text: str, found: str) -> None:
    assert compile_template(text).render({"a": ["x", "y"]}) == found


@pytest.mark.parametrize(
    "text", ["'\\ud800'", "t ~ 'a\\udfff'", "['x', '\\ud83d']", "t | replace('a', '\\ud800')"]
)
def test_an_escape_of_half_a_character_is_no_text(text: str) -> None:
    for compiled, whole in ((compile_expression, text), (compile_template, f"{{{{ {text} }}}}")):
        with pytest.raises(TextError, match="half a character"):
            compiled(whole)
    assert compile_expression("'\\U0001f600'")({}) == "\U0001f600"


@pytest.mark.parametrize(
    ("text", "json_"),
    [("j | fromjson", r'["a\ud800"]'), ("j | fromjson", r'{"\udfff": 1}'), ("'%c' % 55296", "")],
)
def test_half_a_character_of_a_row_drops_the_row(text: str, json_: str) -> None:
    with pytest.raises(RowError, match="half a character"):
        compile_expression(text)({"j": json_})
    assert compile_expression("j | fromjson")({"j": r'"\ud83d\ude00"'}) == "\U0001f600"

"""Styles: which of them a pattern draws, and that their defaults render."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flancompile.dsl.checks.style import style_names
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.models.style import ChatStyle, OptionStyle, ShotsStyle, StyleFile, draws

IDS = st.text("ab_*?[", min_size=1, max_size=4)


@settings(max_examples=80)
@given(IDS, IDS)
def test_a_style_by_name_alone_is_drawn_by_its_whole_id(pattern: str, id_: str) -> None:
    assert draws(pattern, id_, OptionStyle(only_where_named=True)) is (pattern == id_)
    assert draws(pattern, id_, ShotsStyle()) is fnmatchcase(id_, pattern)


@pytest.mark.parametrize(
    ("pattern", "id_", "found"),
    [("*", "dash", True), ("d*", "dash", True), ("Dash", "dash", False), ("das", "dash", False),
     ("d?sh", "dash", True), ("", "dash", False)],
)  # fmt: skip
def test_patterns_are_globs_of_whole_ids(pattern: str, id_: str, found: bool) -> None:
    assert draws(pattern, id_, ChatStyle()) is found


@pytest.mark.parametrize(
    ("kind", "style"),
    [("options", OptionStyle()), ("shots", ShotsStyle()), ("chat", ChatStyle())],
)
def test_default_texts_use_names_that_they_have(
    kind: str, style: OptionStyle | ShotsStyle | ChatStyle
) -> None:
    texts = {n: t for n, t in style.model_dump().items() if isinstance(t, str) and "{{" in t}
    assert texts
    for name, text in texts.items():
        names = style_names(kind, name)
        assert compile_template(text).names <= names
        assert compile_template(text).render(dict.fromkeys(names, "x")).strip() != ""


def test_a_style_s_unknown_text_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        StyleFile.model_validate({"chat": {"a": {"usr": "x"}}, "shots": {"b": {"when": "never"}}})
    assert [e["loc"] for e in caught.value.errors()] == [
        ("shots", "b", "when"),
        ("chat", "a", "usr"),
    ]

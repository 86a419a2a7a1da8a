"""Results of an import: YAML in canonical form, names of fields and templates."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.authoring.importers.imported import (
    TAKEN,
    Imported,
    LeftOut,
    dumped,
    first_line,
    renames,
    slug,
    through,
)
from flancompile.authoring.importers.jinja_split import SplitError
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.formatting import formatted
from flancompile.errors import TextError, fail

TEXTS = st.text(st.sampled_from([*"ab: #'\"\\\n-|{", "é", "😀"]), max_size=12)


@settings(max_examples=30)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_dumped_texts_are_in_canonical_form(texts: list[str]) -> None:
    data = {"id": "d", "texts": texts, "more": {"text": texts[0]}}
    text = dumped(data)
    assert parse(text, "a.yaml").data == data
    assert formatted(text) == text


ASCII = re.compile(r"[a-z][a-z0-9_]*")


@settings(max_examples=40)
@given(st.lists(st.one_of(st.text(max_size=6), st.sampled_from(["a b", "A-B", "a_b_2", "a b!"]))))
def test_template_names_are_distinct_identifiers(names: list[str]) -> None:
    taken: set[str] = {"template"}
    found = [slug(name, taken) for name in names]
    assert all(map(ASCII.fullmatch, found))
    assert len({*found, "template"}) == len(names) + 1
    assert taken == {*found, "template"}


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("What is it?", "what_is_it"),
        ("GPT-3 style", "gpt_3_style"),
        ("9 lives", "t_9_lives"),
        ("__x__", "x"),
        ("Été", "t"),
        ("日本", "template"),
        ("", "template"),
    ],
)
def test_names_of_templates(name: str, want: str) -> None:
    assert slug(name, set()) == want
    assert slug(name, {want, f"{want}_2"}) == f"{want}_3"


COLUMNS = st.one_of(
    st.sampled_from(["row", "row_column", "if", "_id", "café", "cafè", "caf__column", "a b", "ok"]),
    st.text(min_size=1, max_size=4),
)


@settings(max_examples=40)
@given(st.sets(COLUMNS, max_size=6), st.sets(COLUMNS, max_size=3))
def test_fields_of_odd_columns_are_new_names(columns: set[str], reserved: set[str]) -> None:
    found = renames(columns, reserved)
    fields = [found.get(name, name) for name in columns]
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", field) for field in fields)
    assert len(set(fields)) == len(columns)
    assert not TAKEN & set(fields)
    assert not reserved & set(found.values())
    assert found == renames(sorted(columns, reverse=True), reserved)


def test_columns_whose_names_fields_may_have_are_kept() -> None:
    assert renames(["question", "Answer", "x1"]) == {}
    assert renames(["instruction", "row"]) == {
        "instruction": "instruction_column",
        "row": "row_column",
    }


def test_names_through_let_entries() -> None:
    let = {"a": "pick(b + c)", "b": "d | upper", "loop1": "loop2 ~ e", "loop2": "loop1"}
    assert through({"a", "x"}, let) == {"a", "b", "c", "d", "x"}
    assert through({"loop1"}, let) == {"loop1", "loop2", "e"}
    assert through(set(), let) == set()


def test_the_reason_of_an_error_is_one_line() -> None:
    assert first_line(SplitError("no\nplace")) == "no"
    with pytest.raises(TextError) as caught:
        compile_template("{{ a b }}")
    assert first_line(caught.value) == caught.value.diagnostics[0].message
    assert first_line(fail("FC301", "there is no file", hint="look")).startswith("error FC301")


def test_a_note_is_kept_once() -> None:
    one = Imported("d", "")
    for reason in ("a", "b", "a"):
        one.note("key", reason)
    assert one.notes == [LeftOut("key", "a"), LeftOut("key", "b")]

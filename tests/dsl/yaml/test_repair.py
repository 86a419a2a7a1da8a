"""Documents without their invalid parts: the rest is unchanged and keeps its places."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.yaml.document import Document, Key, parse
from flancompile.dsl.yaml.repair import Edit, edits_for, real_key, without

DATA = st.recursive(
    st.integers(0, 9) | st.sampled_from(["a", "long text", ""]),
    lambda v: st.lists(v, min_size=1, max_size=3) | st.dictionaries(st.sampled_from("abcd"), v, min_size=1, max_size=3),
    max_leaves=10,
)  # fmt: skip
FILES = st.dictionaries(st.sampled_from(["x", "y", "z"]), DATA, min_size=1, max_size=3)


def keys_of(data: Any, key: Key = ()) -> list[Key]:
    """Keys of all parts."""
    if not isinstance(data, dict | list):
        return []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return [k for name, item in items for k in ((*key, name), *keys_of(item, (*key, name)))]


def read(data: Any) -> Document:
    return parse(yaml.safe_dump(data, sort_keys=False), "f.yaml")


def text_at(document: Document, key: Key) -> str:
    span = document.span(key)
    return f"{span.line}:{span.column}-{span.end_line}:{span.end_column}"


@settings(max_examples=60)
@given(FILES, st.data())
def test_what_is_left_keeps_its_values_and_places(data: Any, draw: st.DataObject) -> None:
    """Brute force: the dropped keys are taken out one by one, from the end."""
    document = read(data)
    every = keys_of(data)
    dropped = draw.draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique=True))
    found = without(document, {key: Edit() for key in dropped}, set())
    assert found is not None
    less, _ = found

    def left(part: Any, key: Key) -> Any:
        if isinstance(part, dict):
            return {n: left(v, (*key, n)) for n, v in part.items() if (*key, n) not in dropped}
        if isinstance(part, list):
            return [left(v, (*key, n)) for n, v in enumerate(part) if (*key, n) not in dropped]
        return part

    assert less.data == left(data, ()) and less.partial and document.data == data
    kept = [k for k in every if not any(k[: len(d)] == d for d in dropped)]
    places = [text_at(document, key) for key in kept]
    assert [text_at(less, key) for key in keys_of(less.data)] == places


def test_keys_are_renamed_and_texts_replaced_at_their_places() -> None:
    document = read({"a": {"nmae": "x", "n": 3}, "b": [1, 2]})
    edits: dict[Key, Edit] = {
        ("a", "nmae"): Edit("name", hurts=False),
        ("a", "n"): Edit(text="3", hurts=False),
    }
    found = without(document, edits, {("b",)})
    assert found is not None
    less, hurt = found
    assert less.data == {"a": {"name": "x", "n": "3"}, "b": [1, 2]} and not less.partial
    assert less.index.keys["a", "name"] == document.index.keys["a", "nmae"]
    assert hurt == {("b",), ("a", "n")}


@pytest.mark.parametrize(
    "edits", [{}, {(): Edit()}, {("for_each", "x"): Edit()}, {("for_each",): Edit()}]
)
def test_where_too_little_would_be_left_there_is_no_document(edits: dict[Key, Edit]) -> None:
    assert without(read({"a": 1, "for_each": {"x": 1}}), edits, set()) is None


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (("a", "str"), ("a",)),
        (("a", "Choices", "gold"), ("a", "gold")),
        (("b", 1, "function-after[x]", "c"), ("b", 1, "c")),
        (("b", 7), ("b",)),
        (("a", "gold", "x"), ("a", "gold")),
        (("z",), ()),
    ],
)
def test_names_of_types_are_no_part_of_a_key(place: Key, key: Key) -> None:
    document = read({"a": {"gold": 1}, "b": [1, {"c": 2}]})
    assert real_key(place, document) == key


def error(type_: str, *loc: str | int, **more: Any) -> dict[str, Any]:
    return {"type": type_, "loc": loc, **more}


@pytest.mark.parametrize(
    ("errors", "meant", "edits"),
    [
        ([error("extra_forbidden", "a", "x")], None, {("a", "x"): Edit(hurts=False)}),
        ([error("extra_forbidden", "a", "x")], "y", {("a", "x"): Edit("y", hurts=False)}),
        ([error("extra_forbidden", "a", "x")], "t", {("a", "x"): Edit(hurts=False)}),  # it is taken
        ([error("missing", "a", "y")], None, {("a",): Edit()}),
        ([error("extra_forbidden", "a", "x"), error("missing", "a", "y")], "y",
         {("a", "x"): Edit("y", hurts=False)}),
        ([error("string_type", "a", "t", input=3)], None, {("a", "t"): Edit(text="3", hurts=False)}),
        ([error("string_type", "a", "t", input=None)], None, {("a", "t"): Edit(text="none")}),
        ([error("too_short", "a", "e")], None, {("a",): Edit()}),
        ([error("too_short", "a", "l"), error("int_type", "a", "l", 0)], None, {("a", "l", 0): Edit()}),
        ([error("value_error", "a", "Task")], None, {("a",): Edit()}),
        ([], None, {}),
    ],
)  # fmt: skip
def test_errors_become_edits(errors: list[Any], meant: str | None, edits: dict[Key, Edit]) -> None:
    document = read({"a": {"x": 1, "t": "u", "e": [], "l": [1]}})
    hint = None if meant is None else f"did you mean {meant!r}?"
    assert edits_for(errors, document, lambda _: hint) == edits

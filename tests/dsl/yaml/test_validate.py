"""Validation of files: pydantic's verdict, with the position of each mistake."""

from typing import Any

import pytest
import yaml
from file_kinds import FILES, ODD, accepts, edited, places
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.library.schema import _MODELS
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import Document, parse
from flancompile.dsl.yaml.validate import validate, validated
from flancompile.errors import FlancompileError


def read(data: Any) -> Document:
    return parse(yaml.safe_dump(data, sort_keys=False, width=200), "f.yaml")


def places_of(text: str, data: Any = None) -> list[tuple[str, str, str | None]]:
    """(code, marked text, hint) of the diagnostics of a dataset file."""
    found = validated(DatasetFile, parse(text, "f.yaml"))[2]
    lines = text.splitlines()
    marks = []
    for one in found:
        assert one.span is not None
        end = one.span.end_column - 1 if one.span.end_line == one.span.line else None
        marks.append((one.code, lines[one.span.line - 1][one.span.column - 1 : end], one.hint))
    return marks


@pytest.mark.parametrize("kind", FILES)
def test_a_verdict_is_pydantic_s_and_the_rest_of_a_file_is_sound(kind: str) -> None:
    keys, model = list(places(FILES[kind])), _MODELS[kind]
    verdicts = set[bool]()

    @settings(max_examples=50)
    @given(st.sampled_from(keys), st.sampled_from(["replace", "drop", "add"]), st.sampled_from(ODD))
    def agree(key: tuple[Any, ...], how: str, odd: Any) -> None:
        data = edited(FILES[kind], key, how, odd)
        document = read(data)
        fine = accepts(model, data)
        verdicts.add(fine)
        found, repaired, diagnostics = validated(model, document)
        assert (diagnostics == []) is fine and (not fine or repaired is document)
        if fine:
            assert found == validate(model, document) == model.model_validate(data)
            return
        with pytest.raises(FlancompileError) as caught:
            validate(model, document)
        assert set(caught.value.diagnostics) <= set(diagnostics)
        assert {d.code for d in diagnostics} <= {"FC105", "FC106", "FC201"}
        lines = len(document.text.splitlines())
        assert all(d.span is not None and 1 <= d.span.line <= lines for d in diagnostics)
        assert found is None or accepts(model, repaired.data)
        assert document.data == data

    agree()
    assert verdicts == {True, False}


@pytest.mark.parametrize("kind", FILES)
def test_an_unknown_key_is_told_of_at_its_place(kind: str) -> None:
    told = 0
    for key in places(FILES[kind]):
        if (
            "for_each" in key
            or not isinstance(key[-1], str)
            or accepts(_MODELS[kind], edited(FILES[kind], key, "add", "x"))
        ):
            continue
        document = read(edited(FILES[kind], key, "add", "x"))
        diagnostics = validated(_MODELS[kind], document)[2]
        unknown = [d for d in diagnostics if d.code == "FC105"]
        if unknown:  # not a name of a signature, say
            assert [d.message for d in unknown] == ["unknown key 'unknown_key'"], key
            span = unknown[0].span
            assert span is not None
            line = document.text.splitlines()[span.line - 1]
            assert line[span.column - 1 :].startswith("unknown_key")
            told += 1
    assert told > 3


HEAD = "source: {files: d.jsonl}\nfields: {q: q, a: a}\n"
TASK = (
    "tasks:\n  qa:\n    signature: q -> a\n    templates:\n      - {name: t, input: x, target: y}\n"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + TASK, []),
        (HEAD, [("FC106", "source: {files: d.jsonl}", "tasks: Category -> task")]),
        (HEAD + TASK.replace("signature", "signatur"), [("FC105", "signatur", "did you mean 'signature'?")]),
        (HEAD + TASK.replace("q -> a", "q a"), [("FC201", "q a", None)]),
        (HEAD + TASK.replace("x", "3"),
         [("FC201", "3", 'text that looks like a number or true needs quotes: "3"')]),
        (HEAD + TASK.replace("{name: t, input: x, target: y}", "name: t\n        input: #x\n        target: y"),
         [("FC201", "", "text after # is a comment; put the text in quotes")]),
        (HEAD + TASK.replace("t,", "a b,"),
         [("FC201", "a b", "a name begins with a letter and has only letters, digits, _ and -")]),
        (HEAD + TASK.replace("q -> a\n", "q -> a\n    tags: x\n"), [("FC201", "x", "[x]")]),
        (HEAD + "license: mit\n" + TASK, [("FC105", "license", "'license' is a key of source")]),
        (HEAD + TASK.replace("    templates", "  templates"),
         [("FC105", "templates", "indent it more, as a key of 'qa'")]),
        (HEAD + TASK.replace("{name: t, input: x, target: y}", "t"),
         [("FC201", "t", "its keys: choices, cot, input, let, name, options, tags, target, turns, when")]),
        (HEAD.replace("d.jsonl", "{train: {files: a.csv}}") + TASK,
         [("FC201", "{files: a.csv}", "a split is a path, or a list of paths: write a.csv, without `files:`")]),
    ],
)  # fmt: skip
def test_mistakes_with_their_hints(text: str, found: list[Any]) -> None:
    assert places_of(text) == found


@pytest.mark.parametrize(
    ("change", "marks"),
    [
        ("choices: {options: [u, [v]], gold: q}", ["[v]"]),
        ("choices: {options: {A: [v], B: w}, gold: q}", ["[v]"]),
        ("choices: {options: 3, gold: q}", ["3"]),
        ("exemplars: {from: file, file: [x]}", ["[x]"]),
        ("tags: [u, {v: w}, [x]]", ["{v: w}", "[x]"]),
    ],
)
def test_a_part_of_a_value_of_several_types_is_one_mistake(change: str, marks: list[str]) -> None:
    text = HEAD + TASK.replace("    templates", f"    {change}\n    templates")
    assert [(code, mark) for code, mark, _ in places_of(text)] == [("FC201", m) for m in marks]


def test_several_mistakes_are_each_told_of_once() -> None:
    text = (
        (HEAD + TASK).replace("signature", "signatur").replace("target: y", "targt: y, cot: maybe")
    )
    text = text.replace("d.jsonl}", "d.jsonl, licence: x}")
    assert sorted((code, mark) for code, mark, _ in places_of(text)) == [
        ("FC105", "licence"), ("FC105", "signatur"), ("FC105", "targt"), ("FC201", "maybe")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [(-1, "must be at least 0"), (0.5, "a whole number is expected here, but this is 0.5"),
     (None, "a whole number is expected here, but this is empty"), ([1], "but this is a list"),
     (True, None), ("x" * 99, "…")],
)  # fmt: skip
def test_messages_show_the_value_as_it_is_written(value: Any, message: str | None) -> None:
    data = {
        "source": {"files": "d.txt", "read": {"skip": value}},
        "fields": {"q": "q"},
        "tasks": FILES["dataset"]["tasks"],
    }
    data["fields"]["a"] = "a"
    found = validated(DatasetFile, read(data))[2]
    if message is None:
        assert found == []
    else:
        (one,) = found
        assert one.code == "FC201" and one.message.startswith("source.read.skip: ")
        assert message in one.message or (message == "…" and len(one.message) < 120)

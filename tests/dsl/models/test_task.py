"""Tasks: signatures, choices, exemplars, templates and the values of `for_each`."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from flancompile.dsl.models.task import (
    Choices,
    DatasetFile,
    Exemplars,
    ForEach,
    Signature,
    Task,
    Template,
    Turns,
    Variable,
)

NAMES = st.lists(
    st.from_regex(r"[A-Za-z_]\w{0,3}", fullmatch=True), min_size=1, max_size=5, unique=True
)


@settings(max_examples=60)
@given(NAMES, st.integers(0, 4), st.sampled_from([",", ", ", " ,\n"]))
def test_a_signature_is_read_back(names: list[str], cut: int, comma: str) -> None:
    inputs, outputs = names[: min(cut, len(names) - 1)], names[min(cut, len(names) - 1) :]
    text = f" {comma.join(inputs)} ->{comma.join(outputs)}"
    found = Signature.parse(text)
    assert (found.inputs, found.outputs) == (tuple(inputs), tuple(outputs))
    assert Signature.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "a signature reads"), ("a, b", "a signature reads"), ("a ->", "a signature reads"),
     ("a -> b -> c", "a signature reads"), ("a b -> c", "a signature reads"), ("1a -> c", "a signature reads"),
     ("a => b", "a signature reads"), ("a, b -> a", "names 'a' twice"), ("a, a -> b", "names 'a' twice")],
)  # fmt: skip
def test_a_text_that_is_no_signature(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Signature.parse(text)


def refused(model: type[BaseModel], value: Any) -> str:
    """Message of the first error of a value, or an empty text."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return error.errors()[0]["msg"]
    return ""


MAP = {"A": "x", "B": "y"}


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"options": "o"}, ""),
        ({"options": ["a", "b"]}, ""),
        ({"distractors": 3, "same": "s"}, ""),
        ({"options": "o", "labels": ["A"], "by": "label"}, ""),
        ({}, "exactly one of `options` and `distractors`"),
        ({"options": "o", "distractors": 3}, "exactly one of"),
        ({"options": "o", "same": "s"}, "`same` needs `distractors`"),
        ({"options": MAP, "labels": ["A"]}, "has its labels already"),
        ({"options": "o", "by": "label"}, "`by: label` needs `labels`"),
        ({"options": ["a", "b", "a"]}, "`options` lists 'a' twice"),
        ({"options": {"A": "x", "B": "x"}}, "`options` lists 'x' twice"),
        ({"options": "o", "labels": ["A", "A"]}, "`labels` lists 'A' twice"),
        ({"distractors": 0}, "greater than or equal to 1"),
        ({"distractors": 26}, "less than or equal to 25"),
    ],
)
def test_choices(given_: Any, message: str) -> None:
    assert message in refused(Choices, {"gold": "g", **given_})
    assert bool(message) == bool(refused(Choices, {"gold": "g", **given_}))


@pytest.mark.parametrize(
    ("given_", "by"),
    [({"options": "o"}, "text"), ({"options": MAP}, "label"), ({"options": "o", "labels": "l"}, "label"),
     ({"options": MAP, "by": "index"}, "index"), ({"distractors": 2}, "text")],
)  # fmt: skip
def test_the_form_of_the_gold_follows_from_the_options(given_: Any, by: str) -> None:
    assert Choices.model_validate({"gold": "g", **given_}).gold_by == by


OWN = {
    "reserved": ("count", 3),
    "split": ("split", "dev"),
    "column": ("rows", "r"),
    "file": ("file", "e.yaml"),
}


@pytest.mark.parametrize("source", ["drawn", *OWN])
def test_exemplars_take_the_key_of_their_source_alone(source: str) -> None:
    keys = dict(OWN.values())
    tried = 0
    for count in range(3):
        for names in combinations(keys, count):
            given_ = {"from": source, **{name: keys[name] for name in names}}
            needed = [OWN[source][0]] if source in OWN else []
            assert (refused(Exemplars, given_) == "") is (list(names) == needed), given_
            tried += 1
    assert tried == 11


@pytest.mark.parametrize(
    ("given_", "fixed"),
    [({}, False), ({"from": "reserved", "count": 2}, False), ({"from": "file", "file": "e.yaml"}, True),
     ({"from": "split", "split": "dev"}, False), ({"from": "split", "split": "dev", "order": "file"}, True),
     ({"from": "column", "rows": "r", "order": "file"}, True)],
)  # fmt: skip
def test_exemplars_in_the_order_of_a_file_are_fixed(given_: Any, fixed: bool) -> None:
    assert Exemplars.model_validate(given_).is_fixed is fixed


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"format": "csv"}, "`format` needs exemplars `from: file`"),
        ({"from": "split", "split": "dev", "read": {}}, "`read` needs exemplars"),
        (
            {"from": "file", "file": "e.csv", "read": {"rows": "x"}},
            "'rows' is not an option of csv",
        ),
        ({"from": "file", "file": "e.csv", "read": {"delimiter": ";"}}, ""),
        ({"from": "file", "file": "e.data", "format": "json", "read": {"rows": "x"}}, ""),
        ({"from": "reserved", "count": 0}, "greater than or equal to 1"),
    ],
)
def test_reading_options_of_exemplars(given_: Any, message: str) -> None:
    found = refused(Exemplars, given_)
    assert message in found and bool(message) == bool(found)


def test_turns_stand_in_place_of_texts() -> None:
    made = Template.model_validate({"name": "t", "turns": {"each": "m"}})
    assert (made.input, made.target, made.turns) == ("", "", Turns(each="m"))
    both = {"name": "t", "turns": {"each": "m"}, "input": "x", "target": "y"}
    assert "`turns` and `input` exclude each other" in refused(Template, both)
    assert "Field required" in refused(Template, {"name": "t", "input": "x"})
    assert refused(Template, {"name": "t", "input": "x", "target": "y", "turns": None}) == ""


def test_choices_without_keys_are_told_their_form() -> None:
    task = {"signature": "q -> a", "templates": [{"name": "t", "input": "x", "target": "y"}]}
    assert refused(Task, task) == ""
    assert "choices are a mapping" in refused(Task, {**task, "choices": ["a", "b"]})
    assert "at least 1 item" in refused(Task, {**task, "templates": []})
    assert "at least 1 character" in refused(Task, {**task, "allow": {"FC213": ""}})


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"values": ["a", {"name": "b", "x": 1}, {"name": 3}]}, ""),
        ({"files": "rows/**/*.json"}, ""),
        ({"files": "../*.json"}, ""),
        ({}, "exactly one of values and `files`"),
        ({"values": ["a"], "files": "*.json"}, "exactly one of values and `files`"),
        ({"values": []}, "there is no value"),
        ({"values": [{"x": 1}]}, "each value needs a `name`"),
        ({"values": [""]}, "each value needs a `name`"),
        ({"values": [{"name": None}]}, "each value needs a `name`"),
        ({"values": [{"name": ["a"]}]}, "each value needs a `name`"),
        ({"values": ["a", "b", {"name": "a"}]}, "named twice: a"),
        ({"values": [{"name": 1}, "1"]}, "named twice: 1"),
        ({"files": ""}, "is no glob"),
        ({"files": "/data/*.json"}, "is no glob"),
        ({"files": "a**.json"}, "is no glob"),
    ],
)
def test_values_of_for_each(given_: Any, message: str) -> None:
    found = refused(ForEach, {"variable": "v", **given_})
    assert message in found and bool(message) == bool(found)


FILE: dict[str, Any] = {
    "source": {"files": "a.csv"}, "fields": {"q": "q"},
    "tasks": {"qa": {"signature": "-> q", "templates": [{"name": "t", "input": "x", "target": "{{ q }}"}]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"lang": ["en"]}, {"variable": "lang", "values": ["en"]}),
        ({"file": {"files": "*.x"}}, {"variable": "file", "files": "*.x"}),
        ({"variable": ["en"]}, None),
        ({"lang": "en"}, None),
        ({"lang": {"files": "*.x", "name": "y"}}, None),
        ({"l-1": ["en"]}, {"variable": "l-1", "values": ["en"]}),
        ({"1": ["en"]}, None),
        ({"lang": ["en"], "task": ["x"]}, None),
        ({}, None),
    ],
)
def test_short_forms_of_for_each(short: Any, long: Any) -> None:
    if long is None:
        assert refused(DatasetFile, {**FILE, "for_each": short})
    else:
        made = [DatasetFile.model_validate({**FILE, "for_each": each}) for each in (short, long)]
        assert made[0] == made[1] and made[0].for_each is not None


def test_a_variable_prints_as_its_name() -> None:
    assert f"{Variable(name=3, x=1)}" == "3"
    assert refused(DatasetFile, {**FILE, "fields": {}}) and refused(
        DatasetFile, {**FILE, "tasks": {}}
    )

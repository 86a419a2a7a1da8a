"""Hints for values of the wrong type: the right form, with the author's own value in it."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flancompile.dsl.models.mixture import Mixture, Recipe
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.advice import described
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.validate import validated

RECIPE: dict[str, Any] = {
    "recipe": "r", "mixture": "m", "size": {"examples": 3}, "tokenizer": {"bytes": True},
    "layout": "decoder", "lengths": {"pack": 64},
}  # fmt: skip
MIXTURE: dict[str, Any] = {"mixture": "m", "members": [{"select": "all"}]}


def hint(model: type[BaseModel], given: dict[str, Any]) -> str | None:
    """The hint of the one diagnostic of a file."""
    document = parse(yaml.safe_dump(given), "f.yaml")
    (found,) = validated(model, document)[2]
    assert found.code == "FC201"
    return found.hint


UNITS = {"k": 10**3, "M": 10**6, " b": 10**9}


@settings(max_examples=40)
@given(
    st.decimals(Decimal("0.5"), Decimal(10**7), places=3),
    st.sampled_from(sorted(UNITS)),
    st.sampled_from(",_'"),
)
def test_a_number_with_a_unit_is_written_in_digits(number: Decimal, unit: str, comma: str) -> None:
    text = f"{number:,}".replace(",", comma) + unit
    value = number * UNITS[unit]
    advice = hint(Recipe, {**RECIPE, "size": {"examples": text}})
    if value == int(value):
        assert advice == f"write it as plain digits: {int(value)}"
        assert Recipe.model_validate({**RECIPE, "size": {"examples": int(str(advice).split()[-1])}})
    else:
        assert "digits" not in str(advice)


@pytest.mark.parametrize(
    ("given_", "advice"),
    [("5%", "0.05"), ("0.1 %", "0.001"), ("2.5k", "2500"), ("-3k", "-3000"), (".5b", "500000000"),
     ("99999999999999999999k", "99999999999999999999000")],
)  # fmt: skip
def test_a_rate_is_written_in_digits(given_: str, advice: str) -> None:
    member = {"select": "all", "rate": given_}
    assert hint(Mixture, {**MIXTURE, "members": [member]}) == f"write it as plain digits: {advice}"


@pytest.mark.parametrize(
    "given_", ["1,5", "1,00", "k", "%", "", "-", ".", "3 million", "0x10", "1.2.3", "٣k"]
)
def test_a_text_that_is_no_number_is_not_turned_into_one(given_: str) -> None:
    member = {"select": "all", "rate": given_}
    assert "digits" not in str(hint(Mixture, {**MIXTURE, "members": [member]}))


DATASET: dict[str, Any] = {
    "source": {"files": "d.jsonl"}, "fields": {"q": "q"},
    "tasks": {"qa": {"signature": "-> q", "templates": [{"name": "t", "input": "x", "target": "{{ q }}"}]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "change", "advice"),
    [
        (Mixture, {"members": "all"}, '[{select: "all"}]'),
        (Mixture, {"members": {"select": "all"}}, "begin each item with a dash: `- select: …`"),
        (
            Mixture,
            {"members": {"-select": "all"}},
            "a dash that begins an item has a space after it",
        ),
        (Mixture, {"shots": 5}, "write a number and its weight: {5: 1}"),
        (Mixture, {"shots": True}, "write a number and its weight: {0: 1}"),
        (Mixture, {"shots": {"five": 1}}, "these keys are numbers: {0: 1, 5: 1}"),
        (Mixture, {"hold_out": "nli"}, '[{select: "nli"}]'),
        (Recipe, {"size": 500}, "write {examples: 500}; its keys: examples, over, passes"),
        (Recipe, {"lengths": 64}, "write {pack: 64}; its keys: example"),
        (Recipe, {"tokenizer": "t.json"}, 'write {file: "t.json"}; its keys: bos, bytes'),
        (Recipe, {"evaluate": {"select": "all"}}, "begin each item with a dash: `- select: …`"),
        (DatasetFile, {"source": "d.jsonl"}, 'write {files: "d.jsonl"}; its keys: citation'),
    ],
)
def test_the_form_of_a_value_is_shown(model: type[BaseModel], change: Any, advice: str) -> None:
    base = {Mixture: MIXTURE, Recipe: RECIPE, DatasetFile: DATASET}[model]
    assert str(hint(model, {**base, **change})).startswith(advice)


@pytest.mark.parametrize(
    ("model", "key", "begins"),
    [
        (Recipe, ("size", "examples"), "Number of examples"),
        (Mixture, ("members", 0, "rate"), "Relative to its siblings"),
        (Mixture, ("options", "with"), "Weight of the arm"),
        (DatasetFile, ("tasks", "qa", "templates", 0, "cot"), "The target gives"),
        (Recipe, ("no_such",), None),
        (Recipe, (), None),
    ],
)
def test_descriptions_of_keys(model: type[BaseModel], key: Any, begins: str | None) -> None:
    found = described(model, key)
    assert found is None if begins is None else str(found).startswith(begins)

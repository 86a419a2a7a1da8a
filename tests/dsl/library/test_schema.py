"""JSON Schemas of the file kinds, against the models that they are made of."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema import violations
from pydantic import BaseModel, ValidationError

from flancompile.dsl.library.schema import _MODELS, schemas, write_schemas
from flancompile.runfile import MODELS

ROOT = Path(__file__).parents[3]
ODD: list[Any] = [
    None,
    [],
    {},
    "",
    "a b",
    "é",
    -1,
    1,
    2.5,
    [None],
    ["a"],
    {"a": 1},
    {"1": "x"},
    300,
]
FILES: dict[str, dict[str, Any]] = {
    "dataset": {
        "source": {"files": {"train": ["a.csv", "b.csv"]}, "id": "id", "read": {"skip": 1},
                   "join": {"files": "c.csv", "by": "key", "key": "k"}, "explode": {"x": "xs"}},
        "for_each": {"lang": ["en", {"name": "de"}]},
        "let": {"z": "1"}, "fields": {"q": "q", "a": "a"}, "where": "q", "allow": {"FC213": "so"},
        "tasks": {"qa": {
            "signature": "q -> a", "tags": ["x"], "cluster": "c", "truncate": ["q"],
            "choices": {"options": {"A": "x", "B": "y"}, "gold": "a", "shuffle": False},
            "exemplars": {"from": "file", "file": "e.yaml", "fields": {"q": "item.q"}},
            "eval": {"metric": "exact_match", "filters": [{"regex": "(a)"}], "random_baseline": 0.5},
            "templates": [
                {"name": "t", "input": "{{ q }}", "target": "{{ a }}", "options": "optional"},
                {"name": "u", "turns": {"each": "q"}, "cot": False, "when": "q"},
            ]}}},
    "mixture": {
        "mixture": "m", "rate_in": "examples", "cap_rows": 7, "hold_out": {"select": "all"},
        "shots": {0: 1, 5: 0.5}, "options": {"with": 1, "without": 0},
        "members": [{"select": "all", "rate": 2, "within": "equal"}, {"mixture": "n", "overlap": "keep"}]},
    "recipe": {
        "recipe": "r", "mixture": "m", "layout": "decoder", "lengths": {"pack": 64, "target": 9},
        "tokenizer": {"train": "bpe", "vocab_size": 300}, "size": {"passes": 1.5, "over": "m"},
        "frame": {"join": " "}, "packing": {"window": 3, "enabled": False}, "seed": 3,
        "styles": {"options": ["a"], "wrap": True}, "missing": "leave_out",
        "evaluate": [{"select": "all", "name": "n", "shots": 5}]},
    "styles": {
        "options": {"a": {"label": "x", "only_where_named": True}}, "shots": {"b": {"when": "few"}},
        "chat": {"c": {"system": "{{ text }}", "tags": ["x"]}}, "overrides": ["d"]},
    "overlay": {
        "overlay": "o", "root": "..", "sources": {
            "a": {"place": "disk"}, "b": {"hub": "x/y", "splits": {"train": "t"}},
            "c": {"files": "*.csv", "format": "csv", "columns": {"q": "x"}, "id": "q"}}},
}  # fmt: skip
MADE = {name.removesuffix(".schema.json"): schema for name, schema in schemas(MODELS).items()}


def test_schemas_are_current(tmp_path: Path) -> None:
    """`make generated` writes them anew."""
    paths = write_schemas(tmp_path, MODELS)
    assert {p.name for p in paths} == {p.name for p in (ROOT / "schemas").iterdir()}
    for path in paths:
        kept = ROOT / "schemas" / path.name
        assert kept.read_text() == path.read_text(), f"{kept.name}: run `make generated`"


def places(value: Any, key: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys of all parts of a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        yield (*key, name)
        if isinstance(item, dict | list):
            yield from places(item, (*key, name))


def edited(value: Any, key: tuple[Any, ...], how: str, odd: Any) -> Any:
    """A copy in which one part is replaced, dropped, or joined by an unknown key."""
    made = copy.deepcopy(value)
    owner = made
    for name in key[:-1]:
        owner = owner[name]
    if how == "drop":
        del owner[key[-1]]
    elif how == "add" and isinstance(owner, dict):
        owner["unknown_key"] = odd
    else:
        owner[key[-1]] = odd
    return made


def accepts(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


def in_json(value: Any) -> Any:
    """A value with the keys that JSON has: texts."""
    if isinstance(value, dict):
        return {str(name): in_json(item) for name, item in value.items()}
    return [in_json(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", FILES)
def test_what_a_model_accepts_its_schema_accepts(kind: str) -> None:
    """No editor reports a file that the compiler takes; and both refuse unknown keys."""
    keys, model = list(places(FILES[kind])), _MODELS[kind]
    assert accepts(model, FILES[kind])
    verdicts = set[bool]()

    @settings(max_examples=60)
    @given(st.sampled_from(keys), st.sampled_from(["replace", "drop", "add"]), st.sampled_from(ODD))
    def agree(key: tuple[Any, ...], how: str, odd: Any) -> None:
        value = edited(FILES[kind], key, how, odd)
        wrong = list(violations(MADE[kind], in_json(value)))
        verdicts.add(accepts(model, value))
        assert not wrong or not accepts(model, value), (key, how, odd, wrong)

    agree()
    assert verdicts == {True, False}


@pytest.mark.parametrize("kind", FILES)
def test_wrong_keys_and_types_are_refused_by_both(kind: str) -> None:
    unknown = {**FILES[kind], "unknown_key": 1}
    assert not accepts(_MODELS[kind], unknown) and list(violations(MADE[kind], in_json(unknown)))
    for name, value in FILES[kind].items():
        wrong = {**FILES[kind], name: 3 if isinstance(value, dict | list | str) else {"a": [1]}}
        assert not accepts(_MODELS[kind], wrong), name
        assert list(violations(MADE[kind], in_json(wrong))), name
    assert list(violations(MADE[kind], in_json(FILES[kind]))) == []

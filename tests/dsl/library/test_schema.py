"""JSON Schemas of the file kinds, against the models that they are made of."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from file_kinds import FILES, ODD, accepts, edited, places
from json_schema import violations

from flancompile.dsl.library.schema import _MODELS, schemas, write_schemas
from flancompile.runfile import MODELS

ROOT = Path(__file__).parents[3]
MADE = {name.removesuffix(".schema.json"): schema for name, schema in schemas(MODELS).items()}


def test_schemas_are_current(tmp_path: Path) -> None:
    """`make generated` writes them anew."""
    paths = write_schemas(tmp_path, MODELS)
    assert {p.name for p in paths} == {p.name for p in (ROOT / "schemas").iterdir()}
    for path in paths:
        kept = ROOT / "schemas" / path.name
        assert kept.read_text() == path.read_text(), f"{kept.name}: run `make generated`"


def in_json(value: Any) -> Any:
    """A value with the keys that JSON has: texts."""
    if isinstance(value, dict):
        return {str(name): in_json(item) for name, item in value.items()}
    return [in_json(item) for item in value] if isinstance(value, list) else value


def value_at(value: Any, key: tuple[Any, ...]) -> Any:
    """The value at a place of a file; None if there is none."""
    for step in key:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


@pytest.mark.parametrize("kind", FILES)
def test_what_a_model_accepts_its_schema_accepts(kind: str) -> None:
    """No editor reports a file that the compiler takes; and both refuse unknown keys."""
    model = _MODELS[kind]
    # The codes of `allow` are in the schema, and checked after the model (`checks/allowed.py`).
    keys = [key for key in places(FILES[kind]) if "allow" not in key]
    assert accepts(model, FILES[kind])
    verdicts = set[bool]()
    for key, how, odd in product(keys, ("replace", "drop", "add"), ODD):
        value = edited(FILES[kind], key, how, odd)
        accepted = accepts(model, value)
        verdicts.add(accepted)
        if accepted and not isinstance(value_at(value, key), int):  # 1 is taken for true
            wrong = list(violations(MADE[kind], in_json(value)))
            assert wrong == [], (key, how, odd)
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

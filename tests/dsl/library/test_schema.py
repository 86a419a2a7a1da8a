"""JSON Schemas of the file kinds, against the models that they are made of."""

from pathlib import Path
from typing import Any

import pytest
from file_kinds import FILES, ODD, accepts, edited, places
from hypothesis import given, settings
from hypothesis import strategies as st
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


@pytest.mark.parametrize("kind", FILES)
def test_what_a_model_accepts_its_schema_accepts(kind: str) -> None:
    """No editor reports a file that the compiler takes; and both refuse unknown keys."""
    model = _MODELS[kind]
    # The codes of `allow` are in the schema, and checked after the model (`checks/allowed.py`).
    keys = [key for key in places(FILES[kind]) if "allow" not in key]
    assert accepts(model, FILES[kind])
    verdicts = set[bool]()

    @settings(max_examples=60, deadline=None)
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

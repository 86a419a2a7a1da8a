"""Rules of all models: unknown keys, frozen values, finite numbers, names."""

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from flancompile.dsl.library.schema import _MODELS
from flancompile.dsl.models.base import Identifier, Strict
from flancompile.runfile import MODELS


class Inner(Strict):
    """A model with a renamed key."""

    with_: float = Field(1.0, alias="with")


class Outer(Strict):
    """A model with a model in it."""

    inner: Inner = Inner()
    number: float | None = None


@pytest.mark.parametrize(
    ("given_", "kind"),
    [
        ({"numbr": 1}, "extra_forbidden"),
        ({"inner": {"without": 1}}, "extra_forbidden"),
        ({"number": math.inf}, "finite_number"),
        ({"number": math.nan}, "finite_number"),
        ({"inner": {"with": -math.inf}}, "finite_number"),
    ],
)
def test_unknown_keys_and_infinite_numbers_are_refused(given_: Any, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(given_)
    assert [e["type"] for e in caught.value.errors()] == [kind]


def test_a_renamed_key_has_both_names_and_is_dumped_by_one() -> None:
    for key in ("with", "with_"):
        assert Inner.model_validate({key: 2}).with_ == 2
    assert Inner.model_validate(Inner(with_=3).model_dump()) == Inner(with_=3)


def test_a_model_cannot_be_changed() -> None:
    outer = Outer()
    with pytest.raises(ValidationError, match="frozen"):
        outer.number = 2  # type: ignore[misc]
    assert len({outer, Outer(), Outer(number=1)}) == 2


NAME = TypeAdapter(Identifier)
FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")


@settings(max_examples=60)
@given(st.text("aZ_0-9 .é\n", max_size=5))
def test_names_are_letters_digits_and_dashes(text: str) -> None:
    if FORM.fullmatch(text):
        assert NAME.validate_python(text) == text
    else:
        with pytest.raises(ValidationError):
            NAME.validate_python(text)


def every_model(model: type[BaseModel], found: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """A model and all models in its fields."""
    if model not in found:
        found.add(model)
        waiting: list[Any] = [field.annotation for field in model.model_fields.values()]
        while waiting:
            kind = waiting.pop()
            waiting += getattr(kind, "__args__", ())
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                every_model(kind, found)
    return found


def test_every_model_of_a_file_is_strict() -> None:
    found = set[type[BaseModel]]()
    models: list[type[BaseModel]] = [*_MODELS.values(), *MODELS.values()]
    for model in models:
        every_model(model, found)
    assert len(found) > 30
    loose = [m.__name__ for m in found if m.model_config.get("extra") != "forbid"]
    assert loose == []
    assert [m.__name__ for m in found if not m.model_config.get("frozen")] == []

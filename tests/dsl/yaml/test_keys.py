"""The key that an author means: by spelling, by another word, or by its place."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flancompile.dsl.library.schema import _MODELS
from flancompile.dsl.models.mixture import Member, Recipe
from flancompile.dsl.models.task import DatasetFile, Task, Template
from flancompile.dsl.yaml.keys import home_of, likely_key, meant_key
from flancompile.dsl.yaml.model_members import keys_at

TEMPLATE, TASK = list(Template.model_fields), list(Task.model_fields)
MEMBER = [f.alias or n for n, f in Member.model_fields.items()]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("prompt", TEMPLATE, "input"),
        ("Answer-Choices", TASK, "choices"),
        ("evaluation", TASK, "eval"),
        ("weight", MEMBER, "rate"),
        ("targt", TEMPLATE, "target"),
        ("templats", TASK, "templates"),
        ("exemplars_from", TASK, "exemplars"),
        ("temp", MEMBER, "temperature"),
        ("xyz", TASK, None),
        ("x", [], None),
        ("prompt", ["output"], None),
        ("in", TEMPLATE, None),
    ],
)
def test_the_key_that_is_meant(name: str, known: list[str], meant: str | None) -> None:
    assert meant_key(name, known) == (None if meant is None else f"did you mean {meant!r}?")


@settings(max_examples=60)
@given(st.sampled_from([k for k in TASK if len(k) > 4]), st.integers(0, 3), st.sampled_from("xz_"))
def test_a_key_with_one_wrong_letter_is_found(key: str, place: int, letter: str) -> None:
    wrong = key[:place] + letter + key[place + 1 :]
    assert meant_key(wrong, TASK) == f"did you mean {key!r}?"


def models(model: type[BaseModel], key: tuple[Any, ...], depth: int) -> set[str]:
    """Keys of a file kind at any depth, by walking `keys_at`."""
    own = keys_at(model, key)
    found = set(own)
    for name in own if depth < 4 else ():
        for inner in ((*key, name), (*key, name, 0), (*key, name, "NAME")):
            if keys_at(model, inner) not in (own, []):
                found |= models(model, inner, depth + 1)
    return found


@pytest.mark.parametrize("kind", sorted(_MODELS))
def test_the_home_of_a_key_has_it(kind: str) -> None:
    model = _MODELS[kind]
    names = models(model, (), 0)
    assert len(names) > 3
    for name in names:
        home = home_of(name, model)
        assert home is not None and home.startswith(f"{name!r} is a key of ")
        place = home.removeprefix(f"{name!r} is a key of ")
        keys: list[tuple[Any, ...]] = [()]
        for part in () if place == "the file" else place.split("."):
            keys = [(*key, *one) for key in keys for one in ((part,), (part, 0))]
        assert any(name in keys_at(model, key) for key in keys), home
    assert home_of("no_such_key", model) is None


@pytest.mark.parametrize(
    ("model", "name", "place", "hint"),
    [
        (DatasetFile, "templates", (), "'templates' is a key of tasks.NAME"),
        (DatasetFile, "metric", ("tasks", "qa"), "'metric' is a key of tasks.NAME.eval"),
        (DatasetFile, "license", (), "'license' is a key of source"),
        (DatasetFile, "prompt", ("tasks", "qa", "templates", 0), "did you mean 'input'?"),
        (Recipe, "pack", (), "'pack' is a key of lengths"),
        (Recipe, "seed", ("size",), "'seed' is a key of the file"),
        (Recipe, "seeed", (), "did you mean 'seed'?"),
    ],
)
def test_a_key_of_another_place_is_sent_home(
    model: type[BaseModel], name: str, place: Any, hint: str
) -> None:
    assert likely_key(name, keys_at(model, place), model) == hint

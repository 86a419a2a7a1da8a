"""Keys and types that models allow at a place, against the files that they accept."""

from typing import Any

import pytest
from file_kinds import FILES, accepts, edited, places
from pydantic import BaseModel

from flancompile.dsl.library.schema import _MODELS
from flancompile.dsl.models.base import Strict
from flancompile.dsl.yaml.model_members import inside, keys_at, kinds_at, models_in


@pytest.mark.parametrize("kind", FILES)
def test_keys_of_a_valid_file_are_allowed_where_they_are(kind: str) -> None:
    """Short forms are left out: a map in place of a list of one, and names of `for_each`."""
    checked = 0
    for key in places(FILES[kind]):
        owner: Any = FILES[kind]
        for part in key[:-1]:
            owner = owner[part]
        known = keys_at(_MODELS[kind], key[:-1])
        if isinstance(owner, dict) and known and not {"join", "for_each", "hold_out"} & set(key):
            assert key[-1] in known, key
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("kind", FILES)
def test_a_place_without_keys_takes_free_names_alone(kind: str) -> None:
    refused = 0
    for key in places(FILES[kind]):
        if isinstance(key[-1], str) and "for_each" not in key and keys_at(_MODELS[kind], key[:-1]):
            assert not accepts(_MODELS[kind], edited(FILES[kind], key, "add", 7)), key
            refused += 1
    assert refused > 3


class Leaf(Strict):
    """A model with a renamed key."""

    from_: str = ""


STRINGS_OR_LEAF: list[Any] = [tuple[str, ...], Leaf]


class Tree(Strict):
    """A model with a nested model in each form of annotation."""

    plain: Leaf
    maybe: Leaf | None = None
    many: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = {}
    either: Leaf | str | list[Leaf] = ""
    nested: dict[str, tuple[str, ...] | Leaf] = {}
    number: int = 0


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ((), [Tree]),
        (("plain",), [Leaf]),
        (("maybe",), [Leaf]),
        (("many", 3), [Leaf]),
        (("named", "x"), [Leaf]),
        (("named", "x", "from_"), [str]),
        (("either",), [Leaf, str, list[Leaf]]),
        (("nested", "x"), STRINGS_OR_LEAF),
        (("number",), [int]),
    ],
)
def test_types_at_a_place(key: tuple[str | int, ...], kinds: list[Any]) -> None:
    assert kinds_at(Tree, key) == kinds
    assert keys_at(Tree, ()) == list(Tree.model_fields)


@pytest.mark.parametrize(
    ("name", "found"),
    [("plain", [(Leaf, False)]), ("many", [(Leaf, False)]), ("named", [(Leaf, True)]), ("number", []),
     ("either", [(Leaf, False), (Leaf, False)]), ("nested", [(Leaf, True)])],
)  # fmt: skip
def test_models_in_a_place_and_whether_they_have_names(
    name: str, found: list[tuple[type[BaseModel], bool]]
) -> None:
    assert list(models_in(inside(Tree, name))) == found
    assert inside(Tree, "no_such") == [] and inside(int, "x") == []

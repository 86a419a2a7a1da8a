"""Mixtures and recipes: keys that exclude or need one another, and their limits."""

from itertools import combinations
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from flancompile.dsl.models.mixture import (
    MAX_SHOTS,
    Arms,
    ArmWeights,
    EvalChoice,
    Frame,
    Member,
    Mixture,
    Recipe,
    Size,
    TokenizerSpec,
)


def accepts(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("shots", "fine"),
    [({0: 1}, True), ({0: 0, 5: 0.5}, True), ({MAX_SHOTS: 1}, True), ({MAX_SHOTS + 1: 1}, False),
     ({}, False), ({0: 0}, False), ({-1: 1}, False), ({0: 2, 1: -1}, False), (None, True)],
)  # fmt: skip
def test_weights_of_shots(shots: Any, fine: bool) -> None:
    assert accepts(Arms, {"shots": shots}) is fine


@pytest.mark.parametrize(
    ("given", "fine"),
    [({}, True), ({"with": 0}, True), ({"without": 0}, True), ({"with": 0, "without": 0}, False),
     ({"with": -1}, False), ({"with": float("inf")}, False)],
)  # fmt: skip
def test_one_weight_of_an_arm_is_above_zero(given: Any, fine: bool) -> None:
    assert accepts(ArmWeights, given) is fine


def exactly_one(model: type[BaseModel], values: dict[str, Any], more: dict[str, Any]) -> None:
    """Assert that a model takes one of some keys, and neither none nor several of them."""
    for count in range(len(values) + 1):
        for names in combinations(values, count):
            given = {name: values[name] for name in names}
            given |= {k: v for n in names for k, v in more.get(n, {}).items()}
            assert accepts(model, given) is (count == 1), given


def test_keys_of_which_exactly_one_is_given() -> None:
    exactly_one(Member, {"select": "all", "mixture": "m"}, {})
    sizes = {"examples": 1, "tokens": 1, "target_tokens": 1, "passes": 0.5}
    exactly_one(Size, sizes, {})
    tokenizers = {"file": "t.json", "hub": "x/y", "train": "bpe", "bytes": True}
    exactly_one(TokenizerSpec, tokenizers, {"train": {"vocab_size": 300}})


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (TokenizerSpec, {"train": "bpe"}),
        (TokenizerSpec, {"bytes": True, "vocab_size": 300}),
        (TokenizerSpec, {"train": "bpe", "vocab_size": 299}),
        (TokenizerSpec, {"bytes": False}),
        (Size, {"examples": 3, "over": "m"}),
        (Size, {"examples": 0}),
        (Size, {"passes": 0}),
        (Mixture, {"mixture": "m", "members": []}),
        (Member, {"select": "all", "rate": 0}),
        (Member, {"select": "all", "cap_rows": 0}),
        (EvalChoice, {"select": "all", "shots": MAX_SHOTS + 1}),
        (EvalChoice, {"select": "all", "name": "5 shot"}),
    ],
)
def test_values_out_of_range_are_refused(model: type[BaseModel], given: Any) -> None:
    assert not accepts(model, given)


def test_one_hold_out_may_stand_without_a_list() -> None:
    one = {"select": "cluster:nli", "scope": "cluster"}
    made = [
        Mixture.model_validate({"mixture": "m", "members": [{"select": "all"}], "hold_out": h})
        for h in (one, [one])
    ]
    assert made[0] == made[1] and len(made[0].hold_out) == 1


@pytest.mark.parametrize(
    ("join", "text"),
    [(None, ""), ("eos", ""), ("none", ""), (" ", " "), ("\n\n", "\n\n"), ("", None), ("a", None),
     (" a", None)],
)  # fmt: skip
def test_a_join_is_a_token_or_white_space(join: str | None, text: str | None) -> None:
    if text is None:
        assert not accepts(Frame, {"join": join})
    else:
        assert Frame(join=join).text == text


LENGTHS = {
    "pack": 64,
    "example": 32,
    "input": 64,
    "target": 32,
    "example_input": 32,
    "example_target": 16,
}
NEEDED = {"decoder": {"pack"}, "encoder_decoder": {"input", "target"}}
TAKEN = {"decoder": {"pack", "example", "target"}, "encoder_decoder": {*LENGTHS} - {"pack", "example"}}  # fmt: skip


def recipe(layout: str, lengths: dict[str, int], **more: Any) -> dict[str, Any]:
    made = {"recipe": "r", "mixture": "m", "size": {"examples": 1}, "tokenizer": {"bytes": True}}
    return {**made, "layout": layout, "lengths": lengths, **more}


@pytest.mark.parametrize("layout", NEEDED)
def test_each_layout_takes_its_lengths(layout: str) -> None:
    tried = 0
    for count in range(len(LENGTHS) + 1):
        for names in combinations(LENGTHS, count):
            fine = NEEDED[layout] <= {*names} <= TAKEN[layout]
            lengths = {name: LENGTHS[name] for name in names}
            assert accepts(Recipe, recipe(layout, lengths)) is fine, names
            tried += fine
    assert tried == 4


@pytest.mark.parametrize(
    ("layout", "most", "whole"),
    [("decoder", "example", "pack"), ("encoder_decoder", "example_input", "input"),
     ("encoder_decoder", "example_target", "target")],
)  # fmt: skip
def test_an_example_is_no_longer_than_its_pack(layout: str, most: str, whole: str) -> None:
    lengths = {name: LENGTHS[name] for name in NEEDED[layout]}
    assert accepts(Recipe, recipe(layout, {**lengths, most: lengths[whole]}))
    with pytest.raises(ValidationError, match=f"{most} may be at most {whole}, which is "):
        Recipe.model_validate(recipe(layout, {**lengths, most: lengths[whole] + 1}))


@pytest.mark.parametrize(
    ("join", "fine"), [(None, True), ("none", True), ("eos", False), (" ", False)]
)
def test_two_sides_apart_have_no_join(join: str | None, fine: bool) -> None:
    lengths = {"input": 8, "target": 8}
    assert accepts(Recipe, recipe("encoder_decoder", lengths, frame={"join": join})) is fine
    assert accepts(Recipe, recipe("decoder", {"pack": 8}, frame={"join": join}))

"""The keys under `eval`: steps that reduce an answer, differences that a comparison ignores."""

from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from flancompile.dsl.models.scoring import Eval, EvalFilter

STEPS: dict[str, Any] = {"regex": "a+", "strip": True, "case": "lower", "map": {"a": "b"}}


def test_a_filter_is_one_step() -> None:
    for flags in product([False, True], repeat=len(STEPS)):
        given = {name: STEPS[name] for name, flag in zip(STEPS, flags, strict=True) if flag}
        if sum(flags) == 1:
            assert EvalFilter.model_validate(given).model_dump(exclude_unset=True) == given
        else:
            with pytest.raises(ValidationError, match="exactly one of"):
                EvalFilter.model_validate(given)


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<1>a)"])
@pytest.mark.parametrize("key", ["extract", "regexes_to_ignore", "filters"])
def test_a_pattern_that_does_not_compile_is_refused(pattern: str, key: str) -> None:
    given = {
        "extract": pattern,
        "regexes_to_ignore": ["a", pattern],
        "filters": [{"regex": pattern}],
    }
    with pytest.raises(ValidationError, match="no regular expression") as caught:
        Eval.model_validate({key: given[key]})
    assert caught.value.errors()[0]["loc"][0] == key


@pytest.mark.parametrize(
    ("given", "ignored"),
    [
        ({}, None),
        ({"regexes_to_ignore": []}, None),
        ({"ignore_case": False}, {"ignore_case": False}),
        ({"ignore_numbers": True}, {"ignore_numbers": True}),
        ({"regexes_to_ignore": ["a"]}, {"regexes_to_ignore": ["a"]}),
    ],
)
def test_parts_that_a_comparison_ignores(given: Any, ignored: Any) -> None:
    found = Eval.model_validate(given).ignored
    if ignored is None:
        assert found is None
    else:
        rest = {"ignore_case": None, "ignore_punctuation": None, "ignore_numbers": None}
        assert found == {**rest, "regexes_to_ignore": [], **ignored}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"extract": "a", "filters": [{"strip": True}]}, "`filters` replace `extract`"),
        ({"metric": "squad_f1", "ignore_case": False}, "for `exact_match`, not for squad_f1"),
        ({"metric": "bleu", "regexes_to_ignore": ["a"]}, "for `exact_match`, not for bleu"),
        ({"metric": "f1"}, "Input should be"),
        ({"random_baseline": 1.5}, "less than or equal to 1"),
    ],
)
def test_settings_that_do_not_go_together(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Eval.model_validate(given)
    assert Eval.model_validate({"metric": "squad_f1", "extract": "a"}).ignored is None

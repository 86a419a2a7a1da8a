"""Filters and comparisons of answers, beside lm-evaluation-harness's own."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flancompile.dsl.models.task import Eval
from flancompile.evaluate.filters import apply_filters, strip_ignored
from flancompile.evaluate.metrics import METRICS
from flancompile.evaluate.task import _score_row

TEXT = st.text("aB1 2.,(\n)é", max_size=20)
PATTERNS = [r"(\d+)", r"\((\w)\)|(\d)", r"\w", r"#### (\-?[0-9\.\,]+)", r"(?i)b(.*)"]


def judged(output: str, accepted: list[str], **keys: Any) -> float:
    settings_ = Eval.model_validate({"metric": "exact_match", **keys})
    about = {
        "stop": [],
        "extract": settings_.extract,
        "filters": [f.model_dump() for f in settings_.filters],
        "ignore": settings_.ignored,
    }
    line = {"output": output, "accepted": accepted, "template": "t"}
    _score_row(line, METRICS["exact_match"], about)
    score: float = line["score"]  # type: ignore[assignment]
    return score


def test_steps_follow_one_another() -> None:
    steps: list[dict[str, Any]] = [
        {"regex": r"(\d+),"},
        {"map": {"2": "Two"}, "default": "?"},
        {"case": "lower"},
    ]
    assert judged("1, 2, 3", ["two"], filters=[{**steps[0], "select": -1}, *steps[1:]]) == 1.0
    assert judged("1, 2, 3", ["?"], filters=steps) == 1.0
    assert judged("none", ["[invalid]"], filters=steps[:1]) == 1.0


def test_what_is_ignored() -> None:
    assert judged("Yes", ["yes"]) == 1.0  # the metric's own way
    assert judged("Yes", ["yes"], ignore_case=False) == 0.0
    assert judged("Yes", ["yes"], ignore_case=True) == 1.0
    assert judged("$1,250", ["1250"], regexes_to_ignore=[",", r"\$"]) == 1.0
    assert judged("A.", ["A"], ignore_punctuation=True) == 1.0
    assert judged("a", ["A"], ignore_punctuation=True) == 0.0


@pytest.mark.parametrize(
    "keys",
    [
        {"filters": [{"regex": "a", "strip": True}]},
        {"filters": [{}]},
        {"filters": [{"regex": "("}]},
        {"regexes_to_ignore": ["["]},
        {"filters": [{"strip": True}], "extract": "a"},
        {"metric": "squad_f1", "ignore_case": True},
    ],
)
def test_settings_that_cannot_be(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Eval.model_validate(keys)


def test_each_right_option_counts() -> None:
    line: dict[str, Any] = {"output": "blue", "chosen": 1, "gold": 0, "accepted": ["red", "blue"]}
    _score_row(line, METRICS["accuracy"], {})
    assert line["score"] == 1.0
    line = {"output": "grey", "chosen": 2, "gold": 0, "accepted": ["red", "blue"]}
    _score_row(line, METRICS["accuracy"], {})
    assert line["score"] == 0.0


@settings(max_examples=300, deadline=None)
@given(TEXT, st.sampled_from(PATTERNS), st.sampled_from([0, -1, 1]))
def test_filters_are_the_harness_s(text: str, pattern: str, select: int) -> None:
    extraction = pytest.importorskip("lm_eval.filters.extraction")
    change = pytest.importorskip("lm_eval.filters.transformation")
    if len(re.findall(pattern, text)) <= 1 == select:
        return  # the harness raises where there is no second match
    first = extraction.RegexFilter(pattern, select, "none").apply([[text]], [{}])
    want = next(iter(change.LowercaseFilter().apply(first, [{}])))[0]
    steps: list[dict[str, Any]] = [
        {"regex": pattern, "select": select, "fallback": "none"},
        {"case": "lower"},
    ]
    assert apply_filters(text, steps) == want


@settings(max_examples=300, deadline=None)
@given(
    TEXT,
    TEXT,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([[], [","], ["a.", r"\d"]]),
)
def test_comparisons_are_the_harness_s(
    answer: str, accepted: str, case: bool, marks: bool, numbers: bool, patterns: list[str]
) -> None:
    metrics = pytest.importorskip("lm_eval.api.metrics")
    answer, accepted = answer.strip(), accepted.strip()
    ignore = {"ignore_case": case, "ignore_punctuation": marks, "ignore_numbers": numbers}
    want = metrics.exact_match_hf_evaluate(
        predictions=[answer], references=[accepted], regexes_to_ignore=patterns or None, **ignore
    )["exact_match"]
    ours = {**ignore, "regexes_to_ignore": patterns}
    assert float(strip_ignored(answer, ours) == strip_ignored(accepted, ours)) == want

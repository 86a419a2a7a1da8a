"""Metrics: their names, scores and errors."""

from typing import get_args

import pytest

from flancompile.dsl.models.task import MetricName
from flancompile.errors import FlancompileError
from flancompile.evaluate.metrics import METRICS, metric


def test_the_language_knows_exactly_these_metrics() -> None:
    assert set(get_args(MetricName)) == set(METRICS)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(FlancompileError, match=r"FC609[\s\S]*did you mean 'rouge_l'"):
        metric("rougel")


@pytest.mark.parametrize(
    ("name", "answer", "accepted", "score"),
    [
        ("exact_match", "Paris\n", ["paris"], 1),
        ("exact_match", "Paris!", ["paris"], 0),
        ("exact_match", "", ["paris"], 0),
        ("squad_em", "the  Eiffel-Tower.", ["Eiffel Tower", "eiffeltower"], 1),
        ("squad_em", "a tower", ["tower of Babel"], 0),
        ("squad_f1", "in the red house", ["red house"], 0.8),
        ("squad_f1", "x x y", ["y x"], 0.8),
        ("squad_f1", "", ["the"], 1),
        ("squad_f1", "x", [], 0),
        ("exact_match_number", "1,000", ["1000.00"], 1),
        ("exact_match_number", "-3", ["3"], 0),
        ("exact_match_number", "12 apples.", ["12"], 1),
        ("exact_match_number", "between 3 and 1.5e3", ["1500"], 1),
        ("exact_match_number", "none", ["none"], 0),
        ("exact_match_number", "1e99999999999999999999", ["1"], 0),
        ("rouge_l", "a b c d", ["a c d e"], 0.75),
        ("rouge_l", "", ["a"], 0),
        ("rouge_l", "The END", ["the end"], 1),
    ],
)
def test_scores(name: str, answer: str, accepted: list[str], score: float) -> None:
    assert METRICS[name].score(answer, accepted) == pytest.approx(score)

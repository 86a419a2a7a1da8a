"""How a task's answers are scored: the keys under `eval`."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from flancompile.dsl.models.base import Expression, Strict

__all__ = ["Eval", "EvalFilter", "MetricName"]

MetricName = Literal[
    "accuracy",
    "bleu",
    "chrf",
    "exact_match",
    "exact_match_number",
    "rouge_l",
    "squad_em",
    "squad_f1",
]


def _is_pattern(value: str | None) -> str | None:
    try:
        re.compile(value or "")
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return value


class EvalFilter(Strict):
    """One step that reduces a generated answer: exactly one of regex, strip, case and map."""

    regex: str | None = Field(
        None, description="Regular expression; the first group of the match that is not empty."
    )
    select: int = Field(0, description="regex: which match, from 0; -1 is the last.")
    fallback: str = Field("[invalid]", description="regex: the answer where nothing matches.")
    strip: bool = Field(False, description="Take white space off both ends.")
    case: Literal["lower", "upper"] | None = Field(None, description="Change the case.")
    map: dict[str, str] | None = Field(None, description="A table of answers and their new texts.")
    default: str | None = Field(
        None, description="map: for an answer that is not in it. Default: it stays."
    )

    @model_validator(mode="after")
    def _one_step(self) -> EvalFilter:
        steps = [self.regex is not None, self.strip, self.case is not None, self.map is not None]
        if sum(steps) != 1:
            raise ValueError("a filter is exactly one of `regex`, `strip`, `case` and `map`")
        return self

    _pattern = field_validator("regex")(_is_pattern)


class Eval(Strict):
    """How a task is evaluated."""

    metric: MetricName = Field("exact_match", description="Name of the metric.")
    answers: Expression | None = Field(
        None, description="Expression: the accepted answers, a list."
    )
    extract: str | None = Field(
        None,
        description="Regular expression; the last match's group 1, or the match, is the answer.",
    )
    filters: tuple[EvalFilter, ...] = Field(
        (), description="Steps that reduce a generated answer, in order, in place of `extract`."
    )
    ignore_case: bool | None = Field(
        None,
        description="exact_match: whether to ignore case. If this or one of the next three keys is "
        "set, texts are compared exactly except for the ignored parts.",
    )
    ignore_punctuation: bool | None = Field(None, description="exact_match: without punctuation.")
    ignore_numbers: bool | None = Field(None, description="exact_match: without digits.")
    regexes_to_ignore: tuple[str, ...] = Field(
        (), description="exact_match: regular expressions; their matches are removed first."
    )
    stop: tuple[str, ...] = Field((), description="Texts at which generation stops.")
    random_baseline: float | None = Field(None, ge=0, le=1, description="Score of a random guess.")
    split: str | None = Field(None, description="The split to evaluate on. Default: the recipe's.")
    group: str | None = Field(None, description="Scores are averaged within a group first.")
    templates: tuple[str, ...] = Field(
        (), description="Names of templates to use. Default: all, drawn."
    )

    @model_validator(mode="after")
    def _sound(self) -> Eval:
        if self.filters and self.extract is not None:
            raise ValueError("`filters` replace `extract`; set only one of them")
        if self.metric != "exact_match" and self.ignored is not None:
            raise ValueError(
                f"`ignore_case` and the like are for `exact_match`, not for {self.metric}"
            )
        return self

    @property
    def ignored(self) -> dict[str, Any] | None:
        """Parts that a comparison ignores; None for the metric's default."""
        names = ("ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore")
        found = {name: getattr(self, name) for name in names}
        given = any(v is not None and v != () for v in found.values())
        return {**found, "regexes_to_ignore": list(self.regexes_to_ignore)} if given else None

    _pattern = field_validator("extract")(_is_pattern)

    @field_validator("regexes_to_ignore")
    @classmethod
    def _are_patterns(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            _is_pattern(value)
        return values

"""Score one evaluation task: prompts in; answers and scores out, as an Arrow table.

Rank classification chooses the option whose whole target is most likely given the prompt (Brown et
al. 2020, section 2.4; Wei et al. 2021, section 2.3, without options suffix). Other metrics score
greedy answers, cut at the task's stop texts and reduced by its `filters`, its `extract`, or the
position of the answer in the template's target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.errors import fail
from flancompile.evaluate.filters import apply_filters, strip_ignored
from flancompile.evaluate.interval import interval
from flancompile.evaluate.metrics import Metric, metric

__all__ = ["ANSWERS", "Answerer", "PromptFrame", "Score", "answers", "conclusion", "score_of"]

Progress = Callable[[int], None]
Ids = npt.NDArray[Any]

ANSWERS = pa.schema(
    [
        ("example", pa.uint64()),
        ("row_id", pa.string()),
        ("template", pa.string()),
        ("shots", pa.uint8()),
        ("prompt", pa.string()),
        ("accepted", pa.list_(pa.string())),
        ("options", pa.list_(pa.string())),
        ("gold", pa.int32()),
        ("option_scores", pa.list_(pa.float64())),
        ("output", pa.string()),
        ("answer", pa.string()),
        ("score", pa.float64()),
    ]
)


class Answerer(Protocol):
    """Interface of a model under evaluation."""

    def generate(
        self, prompts: Sequence[npt.ArrayLike], max_new_tokens: int, progress: Progress = ...
    ) -> list[Any]:
        """Generate an answer to each framed prompt. -> ids of each answer

        progress: called with the number of prompts answered.
        """

    def score(
        self,
        prompts: Sequence[npt.ArrayLike],
        targets: Sequence[npt.ArrayLike],
        progress: Progress = ...,
    ) -> npt.NDArray[np.float64]:
        """Log-probability of each framed target given its prompt, in nats. -> float64[pairs]

        progress: called with the number of pairs scored.
        """


@dataclass(frozen=True)
class PromptFrame:
    """A build's frame: special tokens before a prompt, after it, and after a target."""

    before: int | None
    after_prompt: int | None
    after_target: int | None

    def prompt(self, ids: Sequence[int]) -> list[int]:
        """Ids of a prompt with its special tokens. Raises FC610 if there are none at all."""
        framed = [i for i in (self.before, *ids, self.after_prompt) if i is not None]
        if not framed:
            hint = "set `bos` or `join` in the recipe's frame"
            raise fail("FC610", "a prompt is empty, and the frame adds no token to it", hint=hint)
        return framed

    def target(self, ids: Sequence[int]) -> list[int]:
        """Ids of a target with its special tokens."""
        return [i for i in (*ids, self.after_target) if i is not None]


@dataclass(frozen=True)
class Score:
    """Mean score of some rows with its 95% interval. mean, low, high: 0 to 1."""

    mean: float
    low: float
    high: float
    rows: int

    def as_dict(self) -> dict[str, float]:
        """The score as JSON-ready data."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "rows": self.rows}


def answers(
    rows: pa.Table,
    metadata: dict[str, Any],
    model: Answerer,
    frame: PromptFrame,
    decode: Callable[[Sequence[int]], str],
    max_new_tokens: int,
    progress: Progress = lambda _: None,
) -> pa.Table:
    """Answer a task's rows with a model and score each row. -> a table of ANSWERS

    rows: the build's evaluation rows; metadata: their metric, stop, extract, filters, ignore and
    between; decode: ids -> text; progress: called with the number of rows answered. Raises FC609
    for an unknown metric, FC610 for an empty prompt, FC613 for a row without options to rank.
    """
    scoring = metric(metadata["metric"])
    lines = rows.to_pylist()
    if scoring.kind == "rank":
        _rank(lines, model, frame, progress)
    else:
        _generate(lines, model, frame, decode, max_new_tokens, progress)
    for line in lines:
        _score_row(line, scoring, metadata)
    return pa.Table.from_pylist([{n: x[n] for n in ANSWERS.names} for x in lines], schema=ANSWERS)


def score_of(answered: pa.Table) -> Score:
    """Mean score of a table of ANSWERS."""
    mean, low, high = interval(answered["score"].to_pylist())
    return Score(mean, low, high, len(answered))


def _rank(
    lines: list[dict[str, Any]], model: Answerer, frame: PromptFrame, progress: Progress
) -> None:
    prompts: list[list[int]] = []
    targets: list[list[int]] = []
    for line in lines:
        if not line["options"]:
            hint = "compile the recipe again: templates that cannot be ranked are now left out"
            message = f"row {line['row_id']} has no options to rank, under {line['template']!r}"
            raise fail("FC613", message, hint=hint)
        framed = frame.prompt(line["prompt_ids"])
        for ids in line["option_ids"]:
            prompts.append(framed)
            targets.append(frame.target(ids))
    if not lines:
        return
    each = len(prompts) / len(lines)
    scores = model.score(prompts, targets, lambda done: progress(int(done / each)))
    place = 0
    for line in lines:
        count = len(line["options"])
        own = [float(s) for s in scores[place : place + count]]
        place += count
        best = int(np.argmax(own))
        line |= {"option_scores": own, "output": line["options"][best], "chosen": best}


def _generate(
    lines: list[dict[str, Any]],
    model: Answerer,
    frame: PromptFrame,
    decode: Callable[[Sequence[int]], str],
    most: int,
    progress: Progress,
) -> None:
    prompts = [frame.prompt(line["prompt_ids"]) for line in lines]
    outputs = model.generate(prompts, most, progress) if prompts else []
    for line, ids in zip(lines, outputs, strict=True):
        line |= {"option_scores": None, "output": decode(np.asarray(ids).tolist())}


def _score_row(line: dict[str, Any], scoring: Metric, metadata: dict[str, Any]) -> None:
    """Reduce a row's output to its answer, and add `answer` and `score` to the row."""
    output = line["output"]
    if "chosen" in line:
        correct = line["chosen"] == line["gold"] or output in line["accepted"]
        line |= {"answer": output, "score": float(correct)}
        return
    for stop in metadata["stop"]:
        output = output.split(stop, 1)[0]
    pattern, accepted = metadata["extract"], line["accepted"]
    between = (metadata.get("between") or {}).get(line["template"])
    if metadata.get("filters"):
        answer = apply_filters(output, metadata["filters"])
    elif between is not None:
        answer = conclusion(output, *between)
        accepted = [conclusion(a, *between) for a in accepted]
    elif pattern is not None:
        answer = _last(pattern, output) or ""
        accepted = [_last(pattern, a) or a for a in accepted]
    else:
        answer = output.strip()
    if (ignore := metadata.get("ignore")) is not None:
        score = float(
            strip_ignored(answer, ignore) in {strip_ignored(a.strip(), ignore) for a in accepted}
        )
    else:
        score = scoring.score(answer, accepted)
    line |= {"answer": answer, "score": score}


def conclusion(text: str, before: str, after: str) -> str:
    r"""Extract the answer after a rationale: the text between the last `before` and `after`.

    Without `before` in the text, the answer is the last line. `after` may be missing.

    >>> conclusion("It is raw. So the answer is no. So the answer is yes.", "So the answer is", ".")
    'yes'
    >>> conclusion("He ate.\nB", "", "")
    'B'
    >>> conclusion("- He ate.\n**B**", "**", "**")
    'B'
    """
    text = text.strip().removesuffix(after)
    place = text.rfind(before) if before else -1
    rest = text[place + len(before) :] if place >= 0 else text[text.rfind("\n") + 1 :]
    rest = rest.strip().split("\n", 1)[0].strip()
    if len(after) > 1 and after in rest:
        rest = rest[: rest.index(after)]
    return rest.removesuffix(after).strip()


def _last(pattern: str, text: str) -> str | None:
    """Group 1 of the last match, or the whole match; a rationale may contain earlier matches."""
    matches = list(re.finditer(pattern, text, re.DOTALL))
    if not matches:
        return None
    last = matches[-1]
    return (last.group(1 if last.re.groups else 0) or "").strip()

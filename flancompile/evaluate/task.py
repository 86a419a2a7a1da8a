"""One evaluation task: prompts in, answers and scores out, kept as an Arrow table.

Rank classification takes the option whose whole target is most likely given the prompt (Brown et
al. 2020, section 2.4; Wei et al. 2021, section 2.3, without options suffix); other metrics look at
greedy answers, cut at the task's stop texts and reduced by its `extract`.
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
from flancompile.evaluate.filters import filtered, plainer
from flancompile.evaluate.interval import interval
from flancompile.evaluate.metrics import Metric, metric

__all__ = ["ANSWERS", "Answerer", "Frame", "Score", "answers", "concluded", "score_of"]

Tell = Callable[[int], None]
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
    """A model, as an evaluation sees it."""

    def generate(
        self, prompts: Sequence[npt.ArrayLike], max_new_tokens: int, tell: Tell = ...
    ) -> list[Any]:
        """Ids of an answer to each framed prompt."""

    def score(
        self, prompts: Sequence[npt.ArrayLike], targets: Sequence[npt.ArrayLike], tell: Tell = ...
    ) -> npt.NDArray[np.float64]:
        """Log-probability of each framed target after its prompt."""


@dataclass(frozen=True)
class Frame:
    """The build's frame: ids put before a prompt, after it, and after a target."""

    before: int | None
    after_prompt: int | None
    after_target: int | None

    def prompt(self, ids: Sequence[int]) -> list[int]:
        """A prompt's ids in their frame. Raises FC610 where nothing is left to begin with."""
        found = [i for i in (self.before, *ids, self.after_prompt) if i is not None]
        if not found:
            hint = "give the recipe's frame a `bos` or a `join`"
            raise fail("FC610", "a prompt is empty, and the frame adds nothing to it", hint=hint)
        return found

    def target(self, ids: Sequence[int]) -> list[int]:
        """A target's ids in their frame."""
        return [i for i in (*ids, self.after_target) if i is not None]


@dataclass(frozen=True)
class Score:
    """A mean score with its 95% interval, and what a guess would get."""

    mean: float
    low: float
    high: float
    rows: int

    def as_dict(self) -> dict[str, float]:
        """JSON-ready."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "rows": self.rows}


def answers(
    rows: pa.Table,
    about: dict[str, Any],
    model: Answerer,
    frame: Frame,
    decode: Callable[[Sequence[int]], str],
    max_new_tokens: int,
    tell: Tell = lambda _: None,
) -> pa.Table:
    """What a model answers to a task's rows, with each row's score. -> a table of ANSWERS.

    rows: the build's evaluation rows; about: their metric, extract and stop; decode: ids -> text.
    Raises FC609 for a metric that is not known, FC610 for an empty prompt, FC613 for a row that is
    to be ranked and has no options.
    """
    how = metric(about["metric"])
    lines = rows.to_pylist()
    if how.kind == "rank":
        _rank(lines, model, frame, tell)
    else:
        _generate(lines, model, frame, decode, max_new_tokens, tell)
    for line in lines:
        _judge(line, how, about)
    return pa.Table.from_pylist([{n: x[n] for n in ANSWERS.names} for x in lines], schema=ANSWERS)


def score_of(answered: pa.Table) -> Score:
    """The mean over a task's rows."""
    mean, low, high = interval(answered["score"].to_pylist())
    return Score(mean, low, high, len(answered))


def _rank(lines: list[dict[str, Any]], model: Answerer, frame: Frame, tell: Tell) -> None:
    prompts: list[list[int]] = []
    targets: list[list[int]] = []
    for line in lines:
        if not line["options"]:
            hint = "compile the recipe again: templates that cannot be ranked are left out now"
            message = f"row {line['row_id']} has no options to rank, under {line['template']!r}"
            raise fail("FC613", message, hint=hint)
        framed = frame.prompt(line["prompt_ids"])
        for ids in line["option_ids"]:
            prompts.append(framed)
            targets.append(frame.target(ids))
    if not lines:
        return
    each = len(prompts) / len(lines)
    scores = model.score(prompts, targets, lambda done: tell(int(done / each)))
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
    frame: Frame,
    decode: Callable[[Sequence[int]], str],
    most: int,
    tell: Tell,
) -> None:
    prompts = [frame.prompt(line["prompt_ids"]) for line in lines]
    made = model.generate(prompts, most, tell) if prompts else []
    for line, ids in zip(lines, made, strict=True):
        line |= {"option_scores": None, "output": decode(np.asarray(ids).tolist())}


def _judge(line: dict[str, Any], how: Metric, about: dict[str, Any]) -> None:
    """Put a row's answer and score into it."""
    output = line["output"]
    if "chosen" in line:
        right = line["chosen"] == line["gold"] or output in line["accepted"]  # several may be
        line |= {"answer": output, "score": float(right)}
        return
    for stop in about["stop"]:
        output = output.split(stop, 1)[0]
    pattern, accepted = about["extract"], line["accepted"]
    between = (about.get("between") or {}).get(line["template"])
    if about.get("filters"):
        answer = filtered(output, about["filters"])
    elif between is not None:
        answer = concluded(output, *between)
        accepted = [concluded(a, *between) for a in accepted]
    elif pattern is not None:
        answer = _last(pattern, output) or ""
        accepted = [_last(pattern, a) or a for a in accepted]
    else:
        answer = output.strip()
    if (ignore := about.get("ignore")) is not None:
        score = float(plainer(answer, ignore) in {plainer(a.strip(), ignore) for a in accepted})
    else:
        score = how.score(answer, accepted)
    line |= {"answer": answer, "score": score}


def concluded(text: str, before: str, after: str) -> str:
    r"""What stands last between two texts: the answer after a chain of thought.

    Where `before` is empty or not there, the last line counts. The second text may end the answer.

    >>> concluded("It is raw. So the answer is no. So the answer is yes.", "So the answer is", ".")
    'yes'
    >>> concluded("He ate.\nB", "", "")
    'B'
    >>> concluded("- He ate.\n**B**", "**", "**")
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
    """The last match's group 1, or the whole match; an answer comes at the end."""
    matches = list(re.finditer(pattern, text, re.DOTALL))
    if not matches:
        return None
    last = matches[-1]
    return (last.group(1 if last.re.groups else 0) or "").strip()

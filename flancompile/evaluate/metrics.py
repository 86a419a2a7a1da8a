"""Metrics of answers against accepted answers: exact match, SQuAD F1, ROUGE-L, BLEU, chrF.

The answer is the most likely option for metrics of kind `rank`, the generated text for metrics of
kind `generate`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from flancompile.errors import fail, nearest

__all__ = [
    "METRICS", "Metric", "bleu", "chrf", "exact_match", "exact_match_number", "metric", "rouge_l",
    "squad_em", "squad_f1",
]  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """score: (answer, accepted answers) -> 0 to 1; both kinds compare texts."""

    kind: Literal["generate", "rank"]
    score: Callable[[str, Sequence[str]], float]


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """1 if the answer is an accepted one; ignores case and runs of white space.

    >>> exact_match(" New  York", ["new york", "NYC"])
    1.0
    """
    return float(_plain(answer) in {_plain(a) for a in accepted})


def squad_em(answer: str, accepted: Sequence[str]) -> float:
    """SQuAD's exact match; ignores case, punctuation, articles and white space.

    Source: Rajpurkar et al. 2016, section 6.

    >>> squad_em("The Nile.", ["nile"])
    1.0
    """
    return float(_bare(answer) in {_bare(a) for a in accepted})


def squad_f1(answer: str, accepted: Sequence[str]) -> float:
    """SQuAD's F1 over words, for the accepted answer with the highest F1.

    >>> round(squad_f1("the river Nile", ["Nile"]), 3)
    0.667
    """
    return max((_f1(_bare(answer).split(), _bare(a).split()) for a in accepted), default=0.0)


def exact_match_number(answer: str, accepted: Sequence[str]) -> float:
    """1 if the answer's last number equals the last number of an accepted answer.

    >>> exact_match_number("$1,250.0", ["1250"])
    1.0
    """
    number = _number(answer)
    return float(number is not None and number in {_number(a) for a in accepted})


def rouge_l(answer: str, accepted: Sequence[str]) -> float:
    """ROUGE-L: F-measure of the longest common subsequence of words, best accepted answer.

    Words are runs of letters and digits, in lower case. Source: Lin 2004, section 3.

    >>> round(rouge_l("the cat sat", ["the cat was sitting", "a dog"]), 3)
    0.571
    """
    return max((_lcs_f(_words(answer), _words(a)) for a in accepted), default=0.0)


def bleu(answer: str, accepted: Sequence[str]) -> float:
    """Smoothed sentence BLEU against all accepted answers, by sacrebleu (13a tokeniser).

    Source: Post 2018.

    >>> bleu("the cat sat on the mat", ["the cat sat on the mat"])
    1.0
    """
    from sacrebleu.metrics.bleu import BLEU

    scored = BLEU(effective_order=True).sentence_score(answer, list(accepted))
    return min(1.0, float(scored.score) / 100)


def chrf(answer: str, accepted: Sequence[str]) -> float:
    """chrF2: F-score of character n-grams (n up to 6) with beta 2, by sacrebleu.

    Source: Popovic 2015.

    >>> chrf("der Hund", ["der Hund"])
    1.0
    """
    from sacrebleu.metrics.chrf import CHRF

    return min(1.0, float(CHRF().sentence_score(answer, list(accepted)).score) / 100)


METRICS = {
    "accuracy": Metric("rank", exact_match),
    "bleu": Metric("generate", bleu),
    "chrf": Metric("generate", chrf),
    "exact_match": Metric("generate", exact_match),
    "exact_match_number": Metric("generate", exact_match_number),
    "rouge_l": Metric("generate", rouge_l),
    "squad_em": Metric("generate", squad_em),
    "squad_f1": Metric("generate", squad_f1),
}


def metric(name: str) -> Metric:
    """Look up a metric by name. Raises FC609 with the nearest name."""
    if name not in METRICS:
        hint = nearest(name, METRICS) or f"known: {', '.join(sorted(METRICS))}"
        raise fail("FC609", f"there is no metric {name!r}", hint=hint)
    return METRICS[name]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _bare(text: str) -> str:
    unpunctuated = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", unpunctuated).split())


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


_NUMBER = re.compile(
    r"(?:(?<![\w.,])[-+])?(?:(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?<!\d)(?=\.\d))(?:\.\d+)?(?:[eE][-+]?\d+)?"
)


def _number(text: str) -> Decimal | None:
    found = _NUMBER.findall(text)
    try:
        return Decimal(found[-1].replace(",", "")) if found else None
    except InvalidOperation:  # the exponent exceeds Decimal's range
        return None


def _lcs_f(answer: list[str], accepted: list[str]) -> float:
    row = [0] * (len(accepted) + 1)
    for word in answer:
        before = 0
        for place, other in enumerate(accepted, 1):
            now = row[place]
            row[place] = before + 1 if word == other else max(now, row[place - 1])
            before = now
    return 2 * row[-1] / (len(answer) + len(accepted)) if answer and accepted else 0.0


def _f1(answer: list[str], accepted: list[str]) -> float:
    if not answer or not accepted:
        return float(answer == accepted)
    same = sum((Counter(answer) & Counter(accepted)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(answer), same / len(accepted)
    return 2 * precision * recall / (precision + recall)

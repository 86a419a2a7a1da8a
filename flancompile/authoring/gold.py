"""Infer from rows how a column identifies the right option: by text, label, letter, index from 0 or
from 1, or a word that ends in its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flancompile.dsl.jinja.expression import RowError, compile_expression

__all__ = ["Gold", "gold_of"]

MOST = 0.9  # of the rows must agree
_LETTERS = '"ABCDEFGHIJKLMNOPQRSTUVWXYZ" | list | index'


@dataclass(frozen=True)
class Gold:
    """Expressions over fields: the options, and the correct option's text, label or index."""

    options: str
    gold: str
    by: str
    labels: str | None = None

    def lines(self) -> list[str]:
        """YAML lines under `choices`."""
        labels = [f"labels: {self.labels}"] if self.labels else []
        gold = f"'{self.gold}'" if self.gold.startswith('"') else self.gold
        return [f"options: {self.options}", *labels, f"gold: {gold}", f"by: {self.by}"]


def gold_of(rows: Sequence[Mapping[str, Any]], options: str, answer: str) -> Gold | None:
    """Infer how field `answer` names one of the options in field `options`; None if it does not.

    rows: their fields by name.
    """
    best: tuple[float, Gold] | None = None
    for guess in _guesses(options, answer):
        share = sum(_holds(guess, row) for row in rows) / max(1, len(rows))
        if share >= MOST and (best is None or share > best[0]):
            best = share, guess
    return best[1] if best else None


def _guesses(options: str, answer: str) -> Iterator[Gold]:
    """Candidates in order of likelihood; the first of those that fit most rows is used."""
    texts = (
        (options, None),
        (f"{options} | map(attribute='text') | list", f"{options} | map(attribute='label') | list"),
        (f"{options}.text", f"{options}.label"),
    )
    for listed, labels in texts:
        yield Gold(listed, answer, "text")
        if labels is not None:
            yield Gold(listed, answer, "label", labels)
        yield Gold(listed, f"{answer} | int", "index")
        yield Gold(listed, f"{answer} | int - 1", "index")
        yield Gold(listed, f"{_LETTERS}({answer} | trim | upper)", "index")
        number = f"{answer} | regex_search('[0-9]+$') | int"
        yield Gold(listed, number, "index")
        yield Gold(listed, f"{number} - 1", "index")


def _holds(guess: Gold, row: Mapping[str, Any]) -> bool:
    """Whether a row's gold answer is one of its options."""
    try:
        options = _listed(guess.options, row)
        gold = compile_expression(guess.gold)(row)
        labels = _listed(guess.labels, row) if guess.labels else None
    except RowError:
        return False
    if options is None or not all(isinstance(o, str | int | float) for o in options):
        return False
    if guess.by == "index":
        return _is_number(row, guess) and isinstance(gold, int) and 0 <= gold < len(options)
    return str(gold) in [str(one) for one in (options if labels is None else labels)]


def _is_number(row: Mapping[str, Any], guess: Gold) -> bool:
    """Whether a value is a number (Jinja's `int` turns other values into 0)."""
    if not guess.gold.endswith((" | int", " | int - 1")) or "regex" in guess.gold:
        return True
    value = row[guess.gold.split(" ")[0]]
    return str(value).strip().lstrip("+-").isdecimal()


def _listed(text: str, row: Mapping[str, Any]) -> list[Any] | None:
    value = compile_expression(text)(row)
    return list(value) if isinstance(value, list | tuple) and len(value) > 1 else None

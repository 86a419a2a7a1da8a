"""Answer options of all rows of a set: what `RowSet.options` and `RowSet.gold` give, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flancompile.compiler.column import Column, Frame
from flancompile.compiler.lower import evaluate
from flancompile.compiler.lowerable import why_not
from flancompile.compiler.rows import MAX_OPTIONS, RowSet, gold_index
from flancompile.dsl.expression import RowError
from flancompile.dsl.task import Choices

__all__ = ["Listing", "OptionTable", "gold_texts", "listing", "option_table"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NONE = -1


@dataclass(frozen=True)
class OptionTable:
    """Every row's options in their drawn order, None where it has none; gold: the right one's."""

    texts: Sequence[tuple[str, ...] | None]
    gold: Ints
    given: Flags


@dataclass(frozen=True)
class Listing:
    """Options as the author lists them. texts: None where there is no list; places: int64[rows],
    where the right one stands, -1 for nowhere; asked: rows that the row set itself is asked for.
    """

    texts: Sequence[Sequence[str] | None]
    places: Ints
    asked: Flags


def listing(rows: RowSet, shared: Frame, doubt: Flags, choices: Choices) -> Listing:
    """The rows' options by columns, as far as they are sure. doubt: where the names are not."""
    count = len(rows)
    found = [t for t in (choices.gold, choices.options, choices.labels) if isinstance(t, str)]
    if choices.distractors is not None or any(why_not(t, expression=True) for t in found):
        return Listing([None] * count, np.full(count, NONE), np.ones(count, np.bool_))
    gold = evaluate(choices.gold, shared)
    asked = doubt | gold.unsure(count)
    given = choices.options
    if isinstance(given, str):
        column = evaluate(given, shared)
        asked |= column.unsure(count)
        texts = [_texts(v) for v in column.values(count)]
    else:
        same = [str(t) for t in (given.values() if isinstance(given, dict) else given or ())]
        texts = [same] * count
    keys = _keys(choices, shared, count)
    asked |= keys.unsure(count)
    places = _places(texts, keys.values(count), gold.values(count), choices.gold_by)
    return Listing(texts, places, asked)


def _keys(choices: Choices, shared: Frame, count: int) -> Column:
    """Labels of the options, a list a row; None where there are none."""
    if isinstance(choices.options, dict):
        return Column.constant(list(choices.options))
    if not isinstance(choices.labels, str):
        return Column.constant(None if choices.labels is None else list(choices.labels))
    found = evaluate(choices.labels, shared)
    values = found.values(count)
    return found.doubting(np.flatnonzero([_texts(v) is None for v in values]), count)


def _texts(value: object) -> list[str] | None:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return None
    return [str(v) for v in value]


def _places(
    texts: Sequence[list[str] | None], keys: Sequence[object], golds: Sequence[object], by: str
) -> Ints:
    known: dict[tuple[int, int, type, object], int] = {}

    def place(options: list[str] | None, labels: object, gold: object) -> int:
        if options is None or gold is None:
            return NONE
        try:
            return gold_index(gold, options, labels if isinstance(labels, list) else None, by)
        except RowError:
            return NONE

    out = np.empty(len(texts), np.int64)
    for row, (options, labels, gold) in enumerate(zip(texts, keys, golds, strict=True)):
        if isinstance(gold, list | dict):
            out[row] = place(options, labels, gold)
            continue
        key = id(options), id(labels), type(gold), gold
        if key not in known:
            known[key] = place(options, labels, gold)
        out[row] = known[key]
    return out


def option_table(rows: RowSet, found: Listing, choices: Choices) -> OptionTable:
    """The options in their drawn order."""
    counts = np.array([0 if t is None else len(t) for t in found.texts], dtype=np.int64)
    texts: list[tuple[str, ...] | None] = [None] * len(rows)
    gold = np.full(len(rows), NONE, np.int64)
    held = ~found.asked & (found.places >= 0)
    for count in np.unique(counts[held]).tolist():
        if 2 <= count <= MAX_OPTIONS:
            at = np.flatnonzero(held & (counts == count))
            order = np.tile(np.arange(count), (len(at), 1))
            if choices.shuffle:
                keys = [rows.bits("option order", n)[at] for n in range(count)]
                order = np.argsort(np.stack(keys, axis=1), axis=1, kind="stable")
            gold[at] = np.argmax(order == found.places[at, None], axis=1)
            for row, line in zip(at.tolist(), order.tolist(), strict=True):
                listed = found.texts[row]
                assert listed is not None
                texts[row] = tuple([listed[i] for i in line])
    for row in np.flatnonzero(found.asked | (held & (counts > MAX_OPTIONS))).tolist():
        try:
            one = rows.options(row, choices)
        except RowError:
            continue
        texts[row], gold[row] = one.texts, one.gold
    return OptionTable(texts, gold, gold >= 0)


def gold_texts(rows: RowSet, found: Listing, choices: Choices) -> list[str | None]:
    """The right options' texts, None where there is none."""
    out: list[str | None] = []
    pairs = zip(found.texts, found.places.tolist(), found.asked.tolist(), strict=True)
    for row, (texts, place, asked) in enumerate(pairs):
        if not asked:
            out.append(None if place < 0 or texts is None else texts[place])
            continue
        try:
            out.append(rows.gold(row, choices))
        except RowError:
            out.append(None)
    return out

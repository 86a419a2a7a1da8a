"""Answer options of all rows of a set; equal to `RowSet.options` and `RowSet.gold` by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.compiler.render.choices import (
    Given,
    gold_index,
    label_texts,
    option_texts,
    written,
)
from flancompile.compiler.render.option_lists import OptionLists
from flancompile.compiler.render.row_set import MAX_OPTIONS, RowSet
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.task import Choices
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import evaluate
from flancompile.lowering.lowerable import why_not

__all__ = ["OptionTable", "gold_texts", "option_lists", "option_table"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NONE = -1


@dataclass(frozen=True)
class OptionTable:
    """Options of every row in drawn order.

    flat: texts, those of `lists` first; places: int64[rows, most], indexes into `flat`; counts:
    int64[rows], 0 for a row without options; gold: int64[rows], position of the right option.
    """

    lists: OptionLists
    flat: pa.Array
    places: Ints
    counts: Ints
    gold: Ints

    @property
    def given(self) -> Flags:
        """Whether each row has options. -> bool[rows]"""
        return self.counts > 0

    @property
    def right(self) -> Ints:
        """Index of each row's right option in `flat`. -> int64[rows]"""
        found: Ints = self.places[np.arange(len(self.gold)), self.gold]
        return found


def option_lists(
    rows: RowSet, shared: Scope, shared_fallback: Flags, choices: Choices
) -> OptionLists:
    """Evaluate the rows' options. shared_fallback: rows where names of `let` fall back."""
    count = len(rows)
    found = [t for t in (choices.gold, choices.options, choices.labels) if isinstance(t, str)]
    none = np.zeros(count, np.int64)
    if choices.distractors is not None or any(why_not(t, expression=True) for t in found):
        nothing = pa.array([], pa.string())
        return OptionLists(nothing, none, none, none + NONE, np.ones(count, np.bool_))
    gold = evaluate(choices.gold, shared)
    fallback = shared_fallback | gold.fallback(count)
    options, labels = written(choices)
    hidden = {*rows.task.let, *(rows.variable or ())[:1]}
    fields = {n: a for n, a in rows.arrays.items() if n not in hidden}
    lists, gold_field = fields.get(str(options)), fields.get(choices.gold)
    if choices.gold_by == "text" and _is_plain(lists) and _is_text(gold_field):
        return _plain(lists, gold_field, fallback)
    texts = _read(options, option_texts, shared, fallback)
    keys = _read(labels, label_texts, shared, fallback)
    right = _places(texts, keys, gold.values(count), choices.gold_by)
    if not isinstance(options, str):
        same = option_texts(options)
        return OptionLists(pa.array(same, pa.string()), none, none + len(same), right, fallback)
    try:
        flat = pa.array([t for row in texts for t in row or ()], pa.string())
    except UnicodeEncodeError:  # a lone surrogate, which Arrow rejects
        return OptionLists(pa.array([], pa.string()), none, none, right, np.ones(count, np.bool_))
    counts = np.array([len(t or ()) for t in texts], dtype=np.int64)
    return OptionLists(flat, np.cumsum(counts) - counts, counts, right, fallback)


def _read(
    given: Given, read: Callable[[object], list[str]], shared: Scope, fallback: Flags
) -> Sequence[list[str] | None]:
    """Texts of options or labels in each row; marks rows without any in `fallback`."""
    if not isinstance(given, str):
        return [None if given is None else read(given)] * len(fallback)
    column, found = evaluate(given, shared), list[list[str] | None]()
    cached: dict[int, list[str] | None] = {}  # by `id`: rows may share one value
    for value in column.values(len(fallback)):
        if id(value) not in cached:
            try:
                cached[id(value)] = read(value)
            except RowError:
                cached[id(value)] = None
        found.append(cached[id(value)])
    fallback |= column.fallback(len(fallback)) | np.array(
        [texts is None for texts in found], np.bool_
    )
    return found


def _is_text(column: pa.Array | None) -> bool:
    """Whether a field exists and is text without nulls."""
    return column is not None and pa.types.is_string(column.type) and column.null_count == 0


def _is_plain(lists: pa.Array | None) -> bool:
    """Whether a field exists and holds lists of text without nulls."""
    if lists is None or not pa.types.is_list(lists.type):
        return False
    return lists.null_count == 0 and _is_text(lists.flatten())


def _plain(lists: pa.Array, gold: pa.Array, fallback: Flags) -> OptionLists:
    """Options that a field lists; the right one is the first that equals the gold."""
    flat, counts = lists.flatten(), np.asarray(pc.list_value_length(lists), dtype=np.int64)
    starts = np.cumsum(counts) - counts
    owners = np.repeat(np.arange(len(lists)), counts)
    same = np.flatnonzero(
        pc.equal(flat, gold.take(pa.array(owners))).to_numpy(zero_copy_only=False)
    )
    right = np.full(len(lists), NONE, np.int64)
    right[owners[same[::-1]]] = (same - starts[owners[same]])[::-1]
    return OptionLists(flat, starts, counts, right, fallback)


def _places(
    texts: Sequence[list[str] | None],
    labels: Sequence[list[str] | None],
    gold_values: Sequence[object],
    by: str,
) -> Ints:
    cached: dict[tuple[int, int, type, str], int] = {}

    def place(options: list[str] | None, names: list[str] | None, gold: object) -> int:
        if options is None:
            return NONE
        try:
            return gold_index(gold, options, names, by)
        except RowError:
            return NONE

    out = np.empty(len(texts), np.int64)
    for row, (options, names, gold) in enumerate(zip(texts, labels, gold_values, strict=True)):
        if isinstance(gold, list | tuple | dict):
            out[row] = place(options, names, gold)
            continue
        key = id(options), id(names), type(gold), repr(gold)  # -0.0 is written otherwise than 0.0
        if key not in cached:
            cached[key] = place(options, names, gold)
        out[row] = cached[key]
    return out


def option_table(rows: RowSet, found: OptionLists, choices: Choices) -> OptionTable:
    """Draw the order of each row's options."""
    resolved = ~found.fallback & (found.right >= 0) & (found.counts >= 2)
    duplicates = resolved & found.has_duplicates
    resolved &= ~duplicates
    fallback = found.fallback | duplicates | (resolved & (found.counts > MAX_OPTIONS))
    resolved &= found.counts <= MAX_OPTIONS
    texts, own = [found.flat], len(found.flat)
    counts, gold = np.where(resolved, found.counts, 0), np.full(len(rows), NONE, np.int64)
    most = MAX_OPTIONS if fallback.any() else int(counts.max(initial=1))
    places = np.zeros((len(rows), most), np.int64)
    for count in np.unique(counts[resolved]).tolist():
        at = np.flatnonzero(resolved & (counts == count))
        order = np.tile(np.arange(count), (len(at), 1))
        if choices.shuffle:
            keys = [rows.bits("option order", n)[at] for n in range(count)]
            order = np.argsort(np.stack(keys, axis=1), axis=1, kind="stable")
        gold[at] = np.argmax(order == found.right[at, None], axis=1)
        places[at, :count] = found.starts[at, None] + order
    for row in np.flatnonzero(fallback).tolist():
        try:
            one = rows.options(row, choices)
            texts.append(pa.array(one.texts, pa.string()))
        except (RowError, UnicodeEncodeError):
            continue
        counts[row], gold[row] = len(one.texts), one.gold
        places[row, : counts[row]] = own + np.arange(counts[row])
        own += len(one.texts)
    return OptionTable(found, pa.concat_arrays(texts), places, counts, gold)


def gold_texts(rows: RowSet, found: OptionLists, choices: Choices) -> Column:
    """Text of each row's right option; a row without one falls back."""
    resolved = ~found.fallback & (found.right >= 0)
    texts, places = [found.flat], np.where(resolved, found.starts + found.right, 0)
    own = len(found.flat)
    for row in np.flatnonzero(found.fallback).tolist():
        try:
            texts.append(pa.array([rows.gold(row, choices)], pa.string()))
        except (RowError, UnicodeEncodeError):
            continue
        resolved[row], places[row], own = True, own, own + 1
    texts.append(pa.array([""], pa.string()))
    places[~resolved] = own
    return Column.of_text(pa.concat_arrays(texts).take(pa.array(places)), ~resolved)

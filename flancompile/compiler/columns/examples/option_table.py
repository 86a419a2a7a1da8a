"""Answer options of all rows of a set; equal to `RowSet.options` and `RowSet.gold` by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.compiler.columns.jinja.column import Column, Frame
from flancompile.compiler.columns.jinja.lower import evaluate
from flancompile.compiler.columns.jinja.lowerable import why_not
from flancompile.compiler.render.choices import (
    Given,
    gold_index,
    label_texts,
    option_texts,
    written,
)
from flancompile.compiler.render.duplicates import read_form
from flancompile.compiler.render.row_set import MAX_OPTIONS, RowSet
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.task import Choices

__all__ = ["Listing", "OptionTable", "gold_texts", "listing", "option_table"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NONE = -1


@dataclass(frozen=True)
class OptionTable:
    """Options of every row in drawn order.

    flat: texts, those of `listing` first; places: int64[rows, most], indexes into `flat`; counts:
    int64[rows], 0 for a row without options; gold: int64[rows], position of the right option.
    """

    listing: Listing
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


@dataclass(frozen=True)
class Listing:
    """Options in the author's order: each row has `counts` of them in `flat`, from `starts` on.

    right: int64[rows], position of the right option, -1 for none; asked: rows that fall back to
    `RowSet.options`.
    """

    flat: pa.Array
    starts: Ints
    counts: Ints
    right: Ints
    asked: Flags

    @cached_property
    def doubled(self) -> Flags:
        """Rows with duplicate options, one of which `RowSet.options` removes. -> bool[rows]"""
        distinct, forms = self.flat.dictionary_encode(), dict[str, int]()
        texts = distinct.dictionary.to_pylist()
        numbers = np.array([forms.setdefault(read_form(t), len(forms)) for t in texts], np.int64)
        of = numbers[distinct.indices.to_numpy(zero_copy_only=False)]
        found = np.zeros(len(self.counts), np.bool_)
        for size in np.unique(self.counts[self.counts > 1]).tolist():
            some = np.flatnonzero(self.counts == size)
            held = np.sort(of[self.starts[some][:, None] + np.arange(size)], axis=1)
            found[some] = (held[:, 1:] == held[:, :-1]).any(axis=1)
        return found


def listing(rows: RowSet, shared: Frame, doubt: Flags, choices: Choices) -> Listing:
    """Evaluate the rows' options. doubt: rows where names of `let` fall back."""
    count = len(rows)
    found = [t for t in (choices.gold, choices.options, choices.labels) if isinstance(t, str)]
    none = np.zeros(count, np.int64)
    if choices.distractors is not None or any(why_not(t, expression=True) for t in found):
        nothing = pa.array([], pa.string())
        return Listing(nothing, none, none, none + NONE, np.ones(count, np.bool_))
    gold = evaluate(choices.gold, shared)
    asked = doubt | gold.unsure(count)
    options, labels = written(choices)
    hidden = {*rows.task.let, *(rows.variable or ())[:1]}
    fields = {n: a for n, a in rows.arrays.items() if n not in hidden}
    lists, said = fields.get(str(options)), fields.get(choices.gold)
    if choices.gold_by == "text" and _is_plain(lists) and _is_text(said):
        return _plain(lists, said, asked)
    texts = _read(options, option_texts, shared, asked)
    keys = _read(labels, label_texts, shared, asked)
    right = _places(texts, keys, gold.values(count), choices.gold_by)
    if not isinstance(options, str):
        same = option_texts(options)
        return Listing(pa.array(same, pa.string()), none, none + len(same), right, asked)
    try:
        flat = pa.array([t for listed in texts for t in listed or ()], pa.string())
    except UnicodeEncodeError:  # a lone surrogate, which Arrow rejects
        return Listing(pa.array([], pa.string()), none, none, right, np.ones(count, np.bool_))
    counts = np.array([len(t or ()) for t in texts], dtype=np.int64)
    return Listing(flat, np.cumsum(counts) - counts, counts, right, asked)


def _read(
    given: Given, read: Callable[[object], list[str]], shared: Frame, asked: Flags
) -> Sequence[list[str] | None]:
    """Texts of options or labels in each row; marks rows without any in `asked`."""
    if not isinstance(given, str):
        return [None if given is None else read(given)] * len(asked)
    column, found = evaluate(given, shared), list[list[str] | None]()
    known: dict[int, list[str] | None] = {}  # by `id`: rows may share one value
    for value in column.values(len(asked)):
        if id(value) not in known:
            try:
                known[id(value)] = read(value)
            except RowError:
                known[id(value)] = None
        found.append(known[id(value)])
    asked |= column.unsure(len(asked)) | np.array([texts is None for texts in found], np.bool_)
    return found


def _is_text(column: pa.Array | None) -> bool:
    """Whether a field exists and is text without nulls."""
    return column is not None and pa.types.is_string(column.type) and column.null_count == 0


def _is_plain(lists: pa.Array | None) -> bool:
    """Whether a field exists and holds lists of text without nulls."""
    if lists is None or not pa.types.is_list(lists.type):
        return False
    return lists.null_count == 0 and _is_text(lists.flatten())


def _plain(lists: pa.Array, golds: pa.Array, asked: Flags) -> Listing:
    """Options that a field lists; the right one is the first that equals the gold."""
    flat, counts = lists.flatten(), np.asarray(pc.list_value_length(lists), dtype=np.int64)
    starts = np.cumsum(counts) - counts
    owners = np.repeat(np.arange(len(lists)), counts)
    same = np.flatnonzero(
        pc.equal(flat, golds.take(pa.array(owners))).to_numpy(zero_copy_only=False)
    )
    right = np.full(len(lists), NONE, np.int64)
    right[owners[same[::-1]]] = (same - starts[owners[same]])[::-1]
    return Listing(flat, starts, counts, right, asked)


def _places(
    texts: Sequence[list[str] | None],
    labels: Sequence[list[str] | None],
    golds: Sequence[object],
    by: str,
) -> Ints:
    known: dict[tuple[int, int, type, object], int] = {}

    def place(options: list[str] | None, names: list[str] | None, gold: object) -> int:
        if options is None:
            return NONE
        try:
            return gold_index(gold, options, names, by)
        except RowError:
            return NONE

    out = np.empty(len(texts), np.int64)
    for row, (options, names, gold) in enumerate(zip(texts, labels, golds, strict=True)):
        if isinstance(gold, list | tuple | dict):
            out[row] = place(options, names, gold)
            continue
        key = id(options), id(names), type(gold), gold
        if key not in known:
            known[key] = place(options, names, gold)
        out[row] = known[key]
    return out


def option_table(rows: RowSet, found: Listing, choices: Choices) -> OptionTable:
    """Draw the order of each row's options."""
    held = ~found.asked & (found.right >= 0) & (found.counts >= 2)
    doubled = held & found.doubled
    held &= ~doubled
    asked = found.asked | doubled | (held & (found.counts > MAX_OPTIONS))
    held &= found.counts <= MAX_OPTIONS
    texts, own = [found.flat], len(found.flat)
    counts, gold = np.where(held, found.counts, 0), np.full(len(rows), NONE, np.int64)
    most = MAX_OPTIONS if asked.any() else int(counts.max(initial=1))
    places = np.zeros((len(rows), most), np.int64)
    for count in np.unique(counts[held]).tolist():
        at = np.flatnonzero(held & (counts == count))
        order = np.tile(np.arange(count), (len(at), 1))
        if choices.shuffle:
            keys = [rows.bits("option order", n)[at] for n in range(count)]
            order = np.argsort(np.stack(keys, axis=1), axis=1, kind="stable")
        gold[at] = np.argmax(order == found.right[at, None], axis=1)
        places[at, :count] = found.starts[at, None] + order
    for row in np.flatnonzero(asked).tolist():
        try:
            one = rows.options(row, choices)
            texts.append(pa.array(one.texts, pa.string()))
        except (RowError, UnicodeEncodeError):
            continue
        counts[row], gold[row] = len(one.texts), one.gold
        places[row, : counts[row]] = own + np.arange(counts[row])
        own += len(one.texts)
    return OptionTable(found, pa.concat_arrays(texts), places, counts, gold)


def gold_texts(rows: RowSet, found: Listing, choices: Choices) -> Column:
    """Text of each row's right option; a row without one falls back."""
    sure = ~found.asked & (found.right >= 0)
    texts, places = [found.flat], np.where(sure, found.starts + found.right, 0)
    own = len(found.flat)
    for row in np.flatnonzero(found.asked).tolist():
        try:
            texts.append(pa.array([rows.gold(row, choices)], pa.string()))
        except (RowError, UnicodeEncodeError):
            continue
        sure[row], places[row], own = True, own, own + 1
    texts.append(pa.array([""], pa.string()))
    places[~sure] = own
    return Column.of_text(pa.concat_arrays(texts).take(pa.array(places)), ~sure)

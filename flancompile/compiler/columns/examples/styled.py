"""Styles by columns, for the few that have no program: option blocks and prompts of like rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.option_table import OptionTable
from flancompile.compiler.columns.jinja.column import Column, Frame, Rows
from flancompile.compiler.columns.jinja.lower import render
from flancompile.compiler.render.layout import Numbered, slotted
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

__all__ = ["prompts", "styled_options"]

Ints = npt.NDArray[np.int64]


def styled_options(
    style: OptionStyle, table: OptionTable, rows: Ints, count: int
) -> tuple[Column, Column]:
    """Option blocks and golds of rows that have so many options each."""
    number = {"count": Column.constant(count)}
    parts = [_text(style.opening, number, len(rows))]
    numbers = [Numbered(n).names() for n in range(count)]
    places = table.places[rows]
    for n in range(count):
        names = {k: Column.constant(v) for k, v in numbers[n].items()}
        text = Column.of_text(table.flat.take(pa.array(places[:, n])))
        parts += [Column.constant(style.separator)] if n else []
        parts.append(_labelled(style, style.item, names, text, len(rows)))
    parts.append(_text(style.ending, number, len(rows)))
    golds = table.gold[rows]
    told = compile_template(style.gold).names | compile_template(style.label).names
    names = {k: _numbered([about[k] for about in numbers], golds) for k in numbers[0] if k in told}
    right = table.flat.take(pa.array(places[np.arange(len(rows)), golds]))
    gold = _labelled(style, style.gold, names, Column.of_text(right), len(rows))
    return Column.joined(parts, len(rows)), gold


def _numbered(values: Sequence[object], places: Ints) -> Column:
    """A number's name in each row."""
    if all(isinstance(v, str) for v in values):
        return Column.of_text(pa.array(values, pa.string()).take(pa.array(places)))
    return Column.of([values[i] for i in places.tolist()])


def _labelled(
    style: OptionStyle, text: str, names: Mapping[str, Column], option: Column, rows: int
) -> Column:
    label = _text(style.label, names, rows)
    return _text(text, {**names, "label": label, "text": option}, rows)


def _text(text: str, names: Mapping[str, Column], rows: int) -> Column:
    """A style's text, which knows no row that it cannot be rendered on."""
    return render(text, Frame(rows, names)).printed(rows)


def prompts(
    style: ShotsStyle,
    query: Column,
    shots: Sequence[tuple[Column, Column, Column | None]],
    instruction: Column | None,
    rows: int,
) -> Column:
    """The prompts of rows under one layout, all with the same number of exemplars.

    shots: input, target and explanation of the n-th exemplar of each row.
    """
    shown = instruction is not None
    names = {
        "instruction": instruction or Column.constant(""),
        "count": Column.constant(len(shots)),
    }
    if not shots:
        return _text(slotted(style.zero, shown), {**names, "input": query}, rows)
    parts = [_text(slotted(style.opening, shown), names, rows)]
    for n, (text, target, explanation) in enumerate(shots, 1):
        given = {**names, "n": Column.constant(n), "input": text, "target": target}
        parts += [
            _exemplar(style, given, explanation, shown, rows),
            Column.constant(style.separator),
        ]
    last = {**names, "n": Column.constant(len(shots) + 1), "input": query}
    parts.append(_text(slotted(style.query, shown), last, rows))
    return Column.joined(parts, rows)


def _exemplar(
    style: ShotsStyle,
    names: Mapping[str, Column],
    explanation: Column | None,
    shown: bool,
    rows: int,
) -> Column:
    """An exemplar's text; the slot of an explanation that a row lacks is left out."""
    bare = slotted(style.exemplar, shown, False)
    absent = {"explanation": Column.constant("")}
    if explanation is None:
        return _text(bare, {**names, **absent}, rows)
    values = explanation.values(rows)
    has = np.array([v is not None for v in values], dtype=np.bool_)
    frame = Frame(rows, {**names, "explanation": explanation})
    told, silent = np.flatnonzero(has), np.flatnonzero(~has)
    other = Frame(rows, {**names, **absent}).sub(silent)
    full = render(slotted(style.exemplar, shown, True), frame.sub(told)).printed(len(told))
    plain = render(bare, other).printed(len(silent))
    return _together([(told, full), (silent, plain)], rows)


def _together(parts: Sequence[tuple[Rows, Column]], rows: int) -> Column:
    """Texts of groups in the rows' order; empty where there is none."""
    arrays = [column.text(len(at)) for at, column in parts]
    texts = pa.concat_arrays([*arrays, pa.array([""], pa.string())])
    places = np.full(rows, len(texts) - 1, dtype=np.int64)
    unsure = np.zeros(rows, np.bool_)
    start = 0
    for at, column in parts:
        places[at] = np.arange(start, start + len(at))
        unsure[at] = column.unsure(len(at))
        start += len(at)
    return Column.of_text(texts.take(pa.array(places)), unsure if unsure.any() else None)

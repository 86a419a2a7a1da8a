"""Inputs, targets, option blocks and prompts of many rows at once, in columns of text.

An instance is a row under a template and an option style: a query, or an exemplar of one. What a
style or layout is drawn for is rendered together, however few the rows, so the work grows with the
styles and templates in use and hardly with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.compiler.column import Column, Frame, Rows
from flancompile.compiler.layout import Numbered, slotted
from flancompile.compiler.listed import OptionTable
from flancompile.compiler.lower import render
from flancompile.compiler.lowerable import why_not
from flancompile.compiler.programs import block_program, gold_program, making
from flancompile.compiler.render import RenderSpec, hidden
from flancompile.compiler.tabled import Tabled
from flancompile.compiler.weave import woven
from flancompile.dsl.expression import compile_template
from flancompile.dsl.style import OptionStyle, ShotsStyle
from flancompile.dsl.task import Template

__all__ = ["Instances", "groups", "instances", "prompts"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NO_STYLE = -1


@dataclass(frozen=True)
class Instances:
    """Texts of instances. sure: false where only the renderer that goes by row knows."""

    input: pa.Array
    target: pa.Array
    sure: Flags


def groups(keys: Ints) -> Iterator[tuple[int, Rows]]:
    """Each value with the places where it stands, ascending."""
    if len(keys) == 0:
        return
    order = np.argsort(keys, kind="stable")
    values, starts = np.unique(keys[order], return_index=True)
    yield from zip(values.tolist(), np.split(order, starts[1:]), strict=True)


def instances(
    spec: RenderSpec, tabled: Tabled, rows: Ints, templates: Ints, styles: Ints
) -> Instances:
    """Input and target of each instance.

    rows, templates: int64[instances]; styles: places in the sorted option styles, or -1 for none.
    """
    ids = sorted(spec.option_styles)
    found: list[tuple[Rows, Instances]] = []
    keys = templates * 2 + (styles != NO_STYLE)
    for key, at in groups(keys):
        template = spec.task.templates[key // 2]
        chosen = [spec.option_styles[i] for i in ids] if key % 2 else []
        found.append((at, _group(spec, tabled, template, rows[at], styles[at], chosen)))
    if not found:
        none = pa.array([], pa.string())
        return Instances(none, none, np.zeros(0, np.bool_))
    back = pa.array(np.argsort(np.concatenate([at for at, _ in found])))
    return Instances(
        pa.concat_arrays([i.input for _, i in found]).take(back),
        pa.concat_arrays([i.target for _, i in found]).take(back),
        np.concatenate([i.sure for _, i in found])[back.to_numpy()],
    )


def _group(
    spec: RenderSpec,
    tabled: Tabled,
    template: Template,
    rows: Ints,
    styles: Ints,
    chosen: Sequence[OptionStyle],
) -> Instances:
    """Instances of one template, all with option styles or all without."""
    source = template.input if chosen else hidden(template.input)
    texts = (source, template.target)
    if template.turns is not None or any(why_not(text) is not None for text in texts):
        empty = pa.repeat(pa.scalar("", pa.string()), len(rows))
        return Instances(empty, empty, np.zeros(len(rows), np.bool_))
    frame, doubt = tabled.frame(template, rows)
    choices = template.choices or spec.task.choices
    frame.set("options", Column.constant(""))
    if chosen and choices is not None:
        table = tabled.options(choices)
        block, gold, given = _option_texts(table, chosen, rows, styles)
        frame.set("options", block)
        frame.set("gold", gold)
        doubt = doubt | ~given | block.unsure(len(rows)) | gold.unsure(len(rows))
    elif choices is not None and "gold" in compile_template(template.target).names:
        frame.set("gold", tabled.gold(choices).take(rows))
    count = len(rows)
    input_, target = (render(text, frame).printed(count) for text in texts)
    doubt = doubt | input_.unsure(count) | target.unsure(count)
    shown, learnt = input_.text(count), target.text(count)
    return Instances(shown, learnt, ~doubt & _marked(shown) & _marked(learnt))


def _marked(text: pa.Array) -> Flags:
    """Whether a text surely holds more than white space."""
    found = pc.match_substring_regex(text, "[!-~]").to_numpy(zero_copy_only=False)
    return np.asarray(found, dtype=np.bool_)


def _option_texts(
    table: OptionTable, styles: Sequence[OptionStyle], rows: Ints, chosen: Ints
) -> tuple[Column, Column, Flags]:
    """(option blocks, what `gold` says, where there are options) of some rows."""
    counts = table.counts[rows]
    given = np.flatnonzero(counts > 0)
    blocks, golds = (
        [(given[at], Column.of_text(texts))]
        for at, texts in _woven_options(table, styles, rows[given], chosen[given])
    )
    left = np.setdiff1d(given, np.intersect1d(blocks[0][0], golds[0][0]))
    for key, among in groups(chosen[left] * 32 + counts[left]):
        at = left[among]
        block, gold = _styled(styles[key // 32], table, rows[at], key % 32)
        blocks.append((at, block))
        golds.append((at, gold))
    return _together(blocks, len(rows)), _together(golds, len(rows)), counts > 0


def _woven_options(
    table: OptionTable, styles: Sequence[OptionStyle], rows: Ints, chosen: Ints
) -> Iterator[tuple[Rows, pa.Array]]:
    """Option blocks, then golds, of the rows whose styles have programs: (places, texts)."""
    places, golds = table.places[rows], table.gold[rows]
    right = places[np.arange(len(rows)), golds]
    for program, number, slots in (
        (block_program, table.counts[rows], places),
        (gold_program, golds, right[:, None]),
    ):
        keys, of = np.unique(chosen * 32 + number, return_inverse=True)
        programs = [program(styles[key // 32], key % 32) for key in keys.tolist()]
        yield woven(programs, of, slots, table.pool, making)


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


def _styled(
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

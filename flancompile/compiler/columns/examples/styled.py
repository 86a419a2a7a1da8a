"""Render texts of styles over many rows, by program, or by columns if there is no program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.jinja.column import Column, Frame
from flancompile.compiler.columns.jinja.grouping import groups
from flancompile.compiler.columns.jinja.lower import render
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import Grammar, making, program_of
from flancompile.compiler.columns.ropes.ropes import Strings
from flancompile.compiler.render.layout import Part
from flancompile.dsl.jinja.expression import RowError

__all__ = ["styled"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def styled(
    fragments: Fragments,
    grammar: Grammar,
    arguments: Sequence[tuple[Any, ...]],
    of: Ints,
    slots: Ints,
    pieces: Strings | None = None,
) -> tuple[Strings, Flags]:
    """Render a grammar's text for each row. -> (texts, rows that fall back)

    arguments: of the grammar, for each distinct form of the text; of: int64[rows], indexes into
    `arguments`; slots: int64[rows, slots], coded as in `Fragments.spell`.
    """
    programs = [program_of(grammar, *given) for given in arguments]
    at, texts = fragments.spelled(programs, of, slots, pieces, making)
    unsure = np.zeros(len(of), np.bool_)
    if len(at) == len(of):
        return texts, unsure
    found, order = [texts], [at]
    left = np.setdiff1d(np.arange(len(of)), at)
    for form, among in groups(of[left]):
        rows = left[among]
        try:
            parts = grammar(*arguments[form])
        except RowError:  # an unusable label: the row engine gives the drop reason
            column = Column(constant=("",), unsure=np.ones(len(rows), np.bool_))
        else:
            column = _rendered(parts, fragments, slots[rows], pieces)
        unsure[rows] = column.unsure(len(rows))
        found.append(Strings.single(fragments.of(column.text(len(rows)))))
        order.append(rows)
    return Strings.joined(found).take(np.argsort(np.concatenate(order))), unsure


def _rendered(
    parts: Sequence[Part], fragments: Fragments, slots: Ints, pieces: Strings | None
) -> Column:
    """Render rows of the same parts by columns."""
    rows = len(slots)
    used = {slot for part in parts for _, slot in part.slots}
    texts = {i: Column.of_text(fragments.texts_of(slots[:, i], pieces)) for i in used}
    columns = []
    for part in parts:
        if part.is_literal:
            columns.append(Column.constant(part.text))
            continue
        names = {name: Column.constant(value) for name, value in part.constants}
        names |= {name: texts[slot] for name, slot in part.slots}
        columns.append(render(part.text, Frame(rows, names)).printed(rows))
    return Column.joined(columns, rows)

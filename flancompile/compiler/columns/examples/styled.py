"""Render texts of styles over many rows, by program, or by columns if there is no program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.grouping import groups
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import Grammar, apply_filters, program_of
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.render.layout import Part
from flancompile.dsl.jinja.expression import RowError
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import render

__all__ = ["styled"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def styled(
    fragments: Fragments,
    grammar: Grammar,
    arguments: Sequence[tuple[Any, ...]],
    of: Ints,
    slots: Ints,
    pieces: Ropes | None = None,
) -> tuple[Ropes, Flags]:
    """Render a grammar's text for each row. -> (texts, rows that fall back)

    arguments: of the grammar, for each distinct form of the text; of: int64[rows], indexes into
    `arguments`; slots: int64[rows, slots], coded as in `Fragments.concatenate`.
    """
    programs = [program_of(grammar, *given) for given in arguments]
    at, texts = fragments.concatenate_resolved(programs, of, slots, pieces, apply_filters)
    fallback = np.zeros(len(of), np.bool_)
    if len(at) == len(of):
        return texts, fallback
    found, order = [texts], [at]
    remaining = np.setdiff1d(np.arange(len(of)), at)
    for form, among in groups(of[remaining]):
        rows = remaining[among]
        try:
            parts = grammar(*arguments[form])
        except RowError:  # an unusable label: the row engine gives the drop reason
            column = Column(constant=("",), fallback=np.ones(len(rows), np.bool_))
        else:
            column = _rendered(parts, fragments, slots[rows], pieces)
        fallback[rows] = column.fallback(len(rows))
        found.append(Ropes.single(fragments.intern(column.text(len(rows)))))
        order.append(rows)
    return Ropes.joined(found).take(np.argsort(np.concatenate(order))), fallback


def _rendered(
    parts: Sequence[Part], fragments: Fragments, slots: Ints, pieces: Ropes | None
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
        columns.append(render(part.text, Scope(rows, names)).printed(rows))
    return Column.joined(columns, rows)

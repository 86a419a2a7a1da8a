"""Render option blocks, and values of `gold`, of many rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.examples.option_table import OptionTable
from flancompile.compiler.columns.examples.styled import styled
from flancompile.compiler.columns.grouping import unique_combinations
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.render.layout import block_parts, gold_parts
from flancompile.dsl.models.style import OptionStyle

__all__ = ["option_blocks"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def option_blocks(
    fragments: Fragments,
    table: OptionTable,
    numbers: Ints,
    rows: Ints,
    style: Ints,
    styles: Sequence[OptionStyle],
) -> tuple[Ropes, Ropes, Flags]:
    """Render each row's option block and `gold`. -> (blocks, gold texts, rows that fall back)

    numbers: fragments of the table's options; rows: int64[n], rows of the table that have options;
    style: int64[n], indexes into `styles`.
    """
    texts, fallback = [], np.zeros(len(rows), np.bool_)
    for grammar, number, slots in (
        (block_parts, table.counts[rows], numbers[table.places[rows]]),
        (gold_parts, table.gold[rows], numbers[table.right[rows]][:, None]),
    ):
        first, of = unique_combinations([style, number])
        arguments = [(styles[style[i]], int(number[i])) for i in first]
        found, more = styled(fragments, grammar, arguments, of, slots)
        texts.append(found)
        fallback |= more
    return texts[0], texts[1], fallback

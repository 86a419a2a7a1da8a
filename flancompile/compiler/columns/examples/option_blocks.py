"""Option blocks of many rows at once, and what `gold` says under the same styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.examples.option_table import OptionTable
from flancompile.compiler.columns.examples.styled import styled_options
from flancompile.compiler.columns.jinja.column import Rows
from flancompile.compiler.columns.jinja.grouping import groups, valued
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import block_program, gold_program, making
from flancompile.compiler.columns.ropes.ropes import Strings
from flancompile.dsl.models.style import OptionStyle

__all__ = ["OptionBlocks"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class OptionBlocks:
    """Option blocks of some rows, what `gold` says there, and where that is not sure.

    numbers: the fragments of the table's options; chosen: each row's style.
    """

    def __init__(
        self,
        fragments: Fragments,
        table: OptionTable,
        numbers: Ints,
        rows: Ints,
        chosen: Ints,
        styles: Sequence[OptionStyle],
    ) -> None:
        self.fragments, self.table, self.numbers, self.styles = fragments, table, numbers, styles
        counts = table.counts[rows]
        self.doubt = counts == 0
        given = np.flatnonzero(counts > 0)
        parts = list(self._woven(rows[given], chosen[given]))
        left = np.flatnonzero(_missing(parts[0][0], len(given)) | _missing(parts[1][0], len(given)))
        both = [[(given[at], texts)] for at, texts in parts]
        for key, among in groups(chosen[given[left]] * 32 + counts[given[left]]):
            at = given[left[among]]
            found = styled_options(styles[key // 32], table, rows[at], key % 32)
            for one, column in zip(both, found, strict=True):
                self.doubt[at] |= column.unsure(len(at))
                one.append((at, Strings.single(fragments.of(column.text(len(at))))))
        self.blocks, self.golds = (_placed(one, len(rows)) for one in both)

    def _woven(self, rows: Ints, chosen: Ints) -> Iterator[tuple[Rows, Strings]]:
        """Blocks, then golds, of the rows whose styles have programs: (places, texts)."""
        table = self.table
        golds, right = table.gold[rows], table.right[rows]
        for program, number, slots in (
            (block_program, table.counts[rows], self.numbers[table.places[rows]]),
            (gold_program, golds, self.numbers[right][:, None]),
        ):
            keys, of = valued(chosen * 32 + number)
            programs = [program(self.styles[key // 32], key % 32) for key in keys.tolist()]
            yield self.fragments.spelled(programs, of, slots, None, making)


def _missing(places: Ints, count: int) -> Flags:
    """Which of so many are not among `places`."""
    found = np.ones(count, np.bool_)
    found[places] = False
    return found


def _placed(parts: Sequence[tuple[Rows, Strings]], rows: int) -> Strings:
    """Texts of groups in the rows' order, the last group's where several have one; empty where
    there is none."""
    whole = Strings.joined([*(texts for _, texts in parts), _EMPTY])
    places = np.full(rows, len(whole) - 1, dtype=np.int64)
    start = 0
    for at, _ in parts:
        places[at] = np.arange(start, start + len(at))
        start += len(at)
    return whole.take(places)


_EMPTY = Strings(np.zeros(0, np.int32), np.zeros(2, np.int64))

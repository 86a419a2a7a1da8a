"""What prompts are made of, and the prompts of any rows under any layouts.

Rows under layouts that have programs are woven at once; the others go layout by layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.column import Column
from flancompile.compiler.columnar import Instances, groups, prompts
from flancompile.compiler.programs import (
    EACH,
    INSTRUCTION,
    QUERY,
    SHOTS,
    making,
    prompt_program,
)
from flancompile.compiler.render import RenderSpec
from flancompile.compiler.weave import TextPool, woven

__all__ = ["Layer"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
MOST_TOLD = 24  # exemplars, each with a bit for its explanation


@dataclass(frozen=True)
class Layer:
    """What prompts are made of, whatever the number of their exemplars.

    queries: inputs of the block's rows `at`; shown: instances of exemplars; place: int64[at, most],
    which of them is the n-th exemplar of a row; line: int64[rows of the block], places in `at`.
    """

    spec: RenderSpec
    line: Ints
    queries: pa.Array
    shown: Instances
    place: Ints
    zero: Ints
    few: Ints
    instruction: Column | None
    told: Column | None

    def layout(self, rows: Ints, shots: Ints) -> Ints:
        """The layouts of rows with so many exemplars."""
        return np.where(shots > 0, self.few[rows], self.zero[rows])

    def prompts(self, rows: Ints, layout: Ints, shots: Ints) -> tuple[pa.Array, Flags]:
        """(prompts of the block's rows, where they are not sure), by layout and exemplars."""
        ids = sorted(self.spec.shots_styles)
        unsure = np.zeros(len(rows), np.bool_)
        arrays: list[pa.Array] = [pa.array([], pa.string())]
        order: list[Ints] = [np.zeros(0, np.int64)]
        for n in range(self.place.shape[1]):
            at = np.flatnonzero(shots > n)
            unsure[at] |= self.doubted[self.place[self.line[rows[at]], n]]
        if self.instruction is not None:
            unsure |= self.instruction.unsure(len(self.queries))[self.line[rows]]
        at, texts = self._woven(ids, self.line[rows], layout, shots)
        arrays.append(texts)
        order.append(at)
        left = np.setdiff1d(np.arange(len(rows)), at)
        for key, among in groups(layout[left] * 256 + shots[left]):
            at = left[among]
            style, lines = self.spec.shots_styles[ids[key // 256]], self.line[rows[at]]
            exemplars = []
            for n in range(key % 256):
                these = self.place[lines, n]
                told = None if self.told is None else self.told.take(these)
                text = Column.of_text(self.shown.input.take(pa.array(these)))
                target = Column.of_text(self.shown.target.take(pa.array(these)))
                exemplars.append((text, target, told))
            said = None if self.instruction is None else self.instruction.take(lines)
            query = Column.of_text(self.queries.take(pa.array(lines)))
            column = prompts(style, query, exemplars, said, len(at))
            unsure[at] |= column.unsure(len(at))
            arrays.append(column.text(len(at)))
            order.append(at)
        back = np.argsort(np.concatenate(order))
        return pa.concat_arrays(arrays).take(pa.array(back)), unsure

    def _woven(
        self, ids: Sequence[str], lines: Ints, layout: Ints, shots: Ints
    ) -> tuple[Ints, pa.Array]:
        """Rows whose layouts have programs, and their prompts. lines: the rows' places in `at`."""
        most = int(shots.max(initial=0))
        if self.pool is None or most > MOST_TOLD:
            return np.zeros(0, np.int64), pa.array([], pa.string())
        first, has = self.pool.first, self.has
        slots = np.zeros((len(lines), SHOTS + len(EACH) * most), np.int64)
        slots[:, QUERY] = first[0] + lines
        slots[:, INSTRUCTION] = first[4]
        if self.instruction is not None and not self.instruction.is_constant:
            slots[:, INSTRUCTION] += lines
        told = np.zeros(len(lines), np.int64)
        for n in range(most):
            at = np.flatnonzero(shots > n)
            these, to = self.place[lines[at], n], SHOTS + len(EACH) * n
            slots[at, to : to + len(EACH)] = these[:, None] + first[1:4]
            told[at] |= has[these].astype(np.int64) << n
        keys, of = np.unique((layout * 256 + shots) << MOST_TOLD | told, return_inverse=True)
        shown = self.instruction is not None
        programs = []
        for key in keys.tolist():
            kind, bits = divmod(key, 1 << MOST_TOLD)
            style = self.spec.shots_styles[ids[kind // 256]]
            programs.append(prompt_program(style, kind % 256, shown, bits))
        return woven(programs, of, slots, self.pool, making)

    @cached_property
    def has(self) -> Flags:
        """Whether an exemplar has an explanation."""
        count = len(self.shown.input)
        if self.told is None:
            return np.zeros(count, np.bool_)
        return np.array([v is not None for v in self.told.values(count)], dtype=np.bool_)

    @cached_property
    def doubted(self) -> Flags:
        """Whether an exemplar's explanation is not sure."""
        count = len(self.shown.input)
        return np.zeros(count, np.bool_) if self.told is None else self.told.unsure(count)

    @cached_property
    def pool(self) -> TextPool | None:
        """Queries, what exemplars show, the instruction; None where Arrow cannot hold them."""
        count = len(self.shown.input)
        why, said = pa.repeat(pa.scalar("", pa.string()), count), pa.array([""], pa.string())
        if self.told is not None:
            try:
                why = pa.array([v or "" for v in self.told.values(count)], pa.string())
            except UnicodeEncodeError:  # half a character: the sandbox keeps it
                return None
        if self.instruction is not None:
            said = self.instruction.text(1 if self.instruction.is_constant else len(self.queries))
        return TextPool([self.queries, self.shown.input, self.shown.target, why, said])

"""What prompts are made of, and the prompts of any rows under any layouts.

Rows under layouts that have programs are spelt at once; the others go layout by layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.instances import Instances
from flancompile.compiler.columns.examples.styled import prompts
from flancompile.compiler.columns.jinja.column import Column
from flancompile.compiler.columns.jinja.grouping import groups, valued
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import (
    EACH,
    INSTRUCTION,
    QUERY,
    SHOTS,
    making,
    prompt_program,
)
from flancompile.compiler.columns.ropes.ropes import Strings
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.models.style import ShotsStyle

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
    fragments: Fragments
    line: Ints
    queries: Strings
    shown: Instances
    place: Ints
    zero: Ints
    few: Ints
    instruction: Column | None
    told: Column | None

    def layout(self, rows: Ints, shots: Ints) -> Ints:
        """The layouts of rows with so many exemplars."""
        return np.where(shots > 0, self.few[rows], self.zero[rows])

    def prompts(self, rows: Ints, layout: Ints, shots: Ints) -> tuple[Strings, Flags]:
        """(prompts of the block's rows, where they are not sure), by layout and exemplars."""
        ids = sorted(self.spec.shots_styles)
        unsure = np.zeros(len(rows), np.bool_)
        for n in range(self.place.shape[1]):
            at = np.flatnonzero(shots > n)
            unsure[at] |= self.doubted[self.place[self.line[rows[at]], n]]
        if self.instruction is not None:
            unsure |= self.instruction.unsure(len(self.queries))[self.line[rows]]
        at, texts = self._spelled(ids, self.line[rows], layout, shots)
        if len(at) == len(rows):
            return texts, unsure
        parts, order = [texts], [at]
        left = np.setdiff1d(np.arange(len(rows)), at)
        for key, among in groups(layout[left] * 256 + shots[left]):
            at = left[among]
            style = self.spec.shots_styles[ids[key // 256]]
            column = self._rendered(style, self.line[rows[at]], key % 256)
            unsure[at] |= column.unsure(len(at))
            parts.append(Strings.single(self.fragments.of(column.text(len(at)))))
            order.append(at)
        back = np.argsort(np.concatenate(order))
        return Strings.joined(parts).take(back), unsure

    def _rendered(self, style: ShotsStyle, lines: Ints, shots: int) -> Column:
        """Prompts of some lines of `at` under one layout, by columns."""

        def texts(strings: Strings, places: Ints) -> Column:
            return Column.of_text(self.fragments.texts(strings.take(places)))

        exemplars = []
        for n in range(shots):
            these = self.place[lines, n]
            told = None if self.told is None else self.told.take(these)
            exemplars.append(
                (texts(self.shown.input, these), texts(self.shown.target, these), told)
            )
        said = None if self.instruction is None else self.instruction.take(lines)
        return prompts(style, texts(self.queries, lines), exemplars, said, len(lines))

    def _spelled(
        self, ids: Sequence[str], lines: Ints, layout: Ints, shots: Ints
    ) -> tuple[Ints, Strings]:
        """Rows whose layouts have programs, and their prompts. lines: the rows' places in `at`."""
        most = int(shots.max(initial=0))
        if self.pieces is None or most > MOST_TOLD:
            return np.zeros(0, np.int64), Strings.joined([])
        pieces, first = self.pieces
        slots = np.zeros((len(lines), SHOTS + len(EACH) * most), np.int64)
        slots[:, QUERY] = -1 - lines
        slots[:, INSTRUCTION] = -1 - first[4]
        if self.instruction is not None and not self.instruction.is_constant:
            slots[:, INSTRUCTION] -= lines
        told = np.zeros(len(lines), np.int64)
        for n in range(most):
            at = np.flatnonzero(shots > n)
            these, to = self.place[lines[at], n], SHOTS + len(EACH) * n
            slots[at, to : to + len(EACH)] = -1 - these[:, None] - first[1:4]
            told[at] |= self.has[these].astype(np.int64) << n
        bits = MOST_TOLD if told.any() else 0
        keys, of = valued((layout * 256 + shots) << bits | told)
        shown = self.instruction is not None
        programs = []
        for key in keys.tolist():
            kind, which = divmod(key, 1 << bits)
            style = self.spec.shots_styles[ids[kind // 256]]
            programs.append(prompt_program(style, kind % 256, shown, which))
        return self.fragments.spelled(programs, of, slots, pieces, making)

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
    def pieces(self) -> tuple[Strings, Ints] | None:
        """(queries, what exemplars show, the instruction; where each kind begins); None where Arrow
        cannot hold them."""
        count = len(self.shown.input)
        why = Strings(np.zeros(0, np.int32), np.zeros(count + 1, np.int64))
        said = pa.array([""], pa.string())
        if self.told is not None:
            try:
                texts = pa.array([v or "" for v in self.told.values(count)], pa.string())
            except UnicodeEncodeError:  # half a character: the sandbox keeps it
                return None
            why = Strings.single(self.fragments.of(texts))
        if self.instruction is not None:
            said = self.instruction.text(1 if self.instruction.is_constant else len(self.queries))
        told = Strings.single(self.fragments.of(said))
        parts = [self.queries, self.shown.input, self.shown.target, why, told]
        return Strings.joined(parts), np.cumsum([0, *(len(p) for p in parts)])

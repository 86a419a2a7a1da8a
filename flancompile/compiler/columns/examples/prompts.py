"""Render prompts of rows under given layouts and counts of exemplars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.instances import Instances
from flancompile.compiler.columns.examples.styled import styled
from flancompile.compiler.columns.grouping import unique_combinations
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.render.layout import (
    INSTRUCTION,
    QUERY,
    prompt_parts,
)
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.lowering.column import Column

__all__ = ["PromptBuilder"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PromptBuilder:
    """Texts and layouts from which the prompts of a block are built.

    line: int64[rows of the block], each row's index into `queries`; place: int64[queries, most],
    index of a query's n-th exemplar in `exemplars`; zero, few: int64[rows of the block], indexes
    into the sorted layouts; rationales: text of each exemplar, null for none;
    rationale_fallback: exemplars whose rationale falls back.
    """

    spec: RenderSpec
    fragments: Fragments
    line: Ints
    queries: Ropes
    exemplars: Instances
    place: Ints
    zero: Ints
    few: Ints
    instruction: Column | None
    rationales: pa.Array
    rationale_fallback: Flags

    def layout(self, rows: Ints, shots: Ints) -> Ints:
        """Layouts of rows with `shots` exemplars. -> int64[rows], indexes into the sorted ids"""
        return np.where(shots > 0, self.few[rows], self.zero[rows])

    def prompts(self, rows: Ints, layout: Ints, shots: Ints) -> tuple[Ropes, Flags]:
        """Render prompts of rows. -> (prompts, rows that fall back)"""
        lines, most = self.line[rows], int(shots.max(initial=0))
        exemplars, shown = self.place[lines, :most], np.arange(most) < shots[:, None]
        fallback = (shown & self.rationale_fallback[exemplars]).any(axis=1)
        if self.instruction is not None:
            fallback |= self.instruction.fallback(len(self.queries))[lines]
        bits = np.packbits(shown & self._has_rationale[exemplars], axis=1, bitorder="little")
        distinct, of = unique_combinations([layout, shots, *bits.T.astype(np.int64)])
        styles = [self.spec.shots_styles[id_] for id_ in sorted(self.spec.shots_styles)]
        given, masks = self.instruction is not None, [bits[i].tobytes() for i in distinct]
        arguments = [
            (styles[layout[i]], int(shots[i]), given, int.from_bytes(mask, "little"))
            for i, mask in zip(distinct, masks, strict=True)
        ]
        texts, slots = self._texts[0], self._slots(lines, exemplars, shown)
        found, more = styled(self.fragments, prompt_parts, arguments, of, slots, texts)
        return found, fallback | more

    def _slots(self, lines: Ints, exemplars: Ints, shown: Flags) -> Ints:
        """Slots of `prompt_parts` in each row, coded as in `Fragments.concatenate`."""
        first = self._texts[1]
        places = [first[QUERY] + lines, first[-2] + np.zeros_like(lines)]
        if self.instruction is not None and not self.instruction.is_constant:
            places[INSTRUCTION] += lines
        own = np.where(shown[:, :, None], exemplars[:, :, None] + first[1:-2], 0)
        return -1 - np.column_stack([*places, own.reshape(len(lines), own.shape[1] * own.shape[2])])

    @cached_property
    def _has_rationale(self) -> Flags:
        """Whether each exemplar has a rationale."""
        found: Flags = self.rationales.is_valid().to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def _texts(self) -> tuple[Ropes, Ints]:
        """Queries, texts of exemplars and the instruction as one sequence, and their offsets."""
        rationales = Ropes.single(self.fragments.intern(self.rationales.fill_null("")))
        instruction = pa.array([""], pa.string())
        if self.instruction is not None:
            instruction = self.instruction.text(
                1 if self.instruction.is_constant else len(self.queries)
            )
        instructions = Ropes.single(self.fragments.intern(instruction))
        parts = [
            self.queries, self.exemplars.input, self.exemplars.target, rationales, instructions,
        ]  # fmt: skip
        return Ropes.joined(parts), np.cumsum([0, *(len(p) for p in parts)])

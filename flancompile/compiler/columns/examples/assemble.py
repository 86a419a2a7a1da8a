"""Render a block's examples in the column engine, and list the rows left to the row engine.

Draws and texts equal those of `Renderer`. Rows with values of unsupported types, texts that are not
lowered, small pools, or dialogues fall back to `Renderer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.arm_draws import ArmDraws, arm_draws
from flancompile.compiler.columns.examples.exemplar_draws import draw_shots
from flancompile.compiler.columns.examples.instances import NO_STYLE, Instances, instances
from flancompile.compiler.columns.examples.prompts import PromptBuilder
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.columns.unlowered import styles_why_not
from flancompile.compiler.render.exemplars import (
    RATIONALE,
    ColumnPools,
    Pool,
    Pools,
    rationale_text,
)
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.drop_reasons import DropReason, FewerShots
from flancompile.dsl.jinja.expression import RowError
from flancompile.lowering.column import Column
from flancompile.lowering.lower import evaluate, render
from flancompile.lowering.lowerable import why_not

__all__ = ["Assembly", "assemble"]

Ints = npt.NDArray[np.int64]
NONE = -1
Flags = npt.NDArray[np.bool_]
_FEWER = {reason: place for place, reason in enumerate(FewerShots)}


@dataclass
class Assembly:
    """Examples of the column engine. rows: int64[examples], ascending.

    drawn, option_style, layout, exemplars, first_prompts, targets: one item an example.
    option_style, layout: indexes into the sorted style ids, -1 for none; exemplars:
    int64[examples, most], rows of the pool, -1 for none; first_prompts: with all exemplars;
    fewer_shots: places in `FewerShots`, -1 where no exemplar is lacking; fallback_rows:
    rows left to the row engine; reasons: drop reasons by row.
    """

    rows: Ints
    drawn: ArmDraws
    option_style: Ints
    layout: Ints
    exemplars: Ints
    first_prompts: Ropes
    targets: Ropes
    fallback_rows: Ints
    reasons: dict[int, str]
    pool: RowSet
    builder: PromptBuilder
    fewer_shots: Ints

    @property
    def shots(self) -> Ints:
        """Count of exemplars of each example. -> int64[examples]"""
        return np.asarray((self.exemplars >= 0).sum(axis=1), dtype=np.int64)

    def drop_shot(self, places: Ints) -> Ropes:
        """Remove the last exemplar of some examples, each with one or more. -> their prompts"""
        shots = self.shots[places] - 1
        self.exemplars[places, shots] = NONE
        self.fewer_shots[places] = _FEWER[FewerShots.OVER_LONG]
        self.layout[places] = self.builder.layout(self.rows[places], shots)
        return self.prompts(places)

    def prompts(self, places: Ints) -> Ropes:
        """Prompts of some examples with their current exemplars."""
        return self.builder.prompts(self.rows[places], self.layout[places], self.shots[places])[0]


def assemble(
    spec: RenderSpec,
    rows: RowSet,
    pools: Pools,
    dropped: Mapping[int, str],
    segment_cache: SegmentCache,
) -> Assembly | None:
    """Build the examples that the column engine resolves; None if the task needs the row engine.

    dropped: reasons of rows to leave out.
    """
    if spec.wrap or len(rows) == 0 or styles_why_not(spec) is not None:
        return None
    assembly = _Assembler(spec, rows, pools, dropped, segment_cache).run()
    if spec.join:
        (separator,) = segment_cache.fragments.intern(pa.array([spec.join], pa.string())).tolist()
        assembly = replace(assembly, targets=assembly.targets.after(separator))
    return assembly


class _Assembler:
    def __init__(
        self,
        spec: RenderSpec,
        rows: RowSet,
        pools: Pools,
        dropped: Mapping[int, str],
        segment_cache: SegmentCache,
    ) -> None:
        self.spec, self.rows, self.pools, self.dropped = spec, rows, pools, dropped
        self.fragments = segment_cache.fragments
        self.columns = RowSetColumns(rows, self.fragments, segment_cache.fragment_cache)
        own = pools.shared is rows
        self.pool = self.columns if own else RowSetColumns(pools.shared, self.fragments)
        self.column_pools: ColumnPools | None = None
        styles = spec.shots_styles
        self.layouts = sorted(styles)
        whens = [styles[s].when for s in self.layouts]
        self.zero = np.array([i for i, w in enumerate(whens) if w != "few"], dtype=np.int64)
        self.few = np.array([i for i, w in enumerate(whens) if w != "zero"], dtype=np.int64)

    def run(self) -> Assembly:
        spec, count = self.spec, len(self.rows)
        drawn = arm_draws(self.columns, spec.shares, spec.templates)
        holds, resolved = self.columns.holds(spec.task.where)
        live = np.ones(count, np.bool_)
        live[list(self.dropped)] = False
        resolved = resolved & drawn.resolved
        excluded = np.flatnonzero(live & resolved & ~holds).tolist()
        reasons: dict[int, str] = dict.fromkeys(excluded, DropReason.WHERE)
        fallback_mask = live & ~(resolved & ~holds)
        at = np.flatnonzero(live & resolved & holds)
        styles = np.full(count, NO_STYLE, np.int64)
        if spec.option_styles:
            every = self._drawn("option style", len(spec.option_styles))
            styles = np.where(drawn.options, every, NO_STYLE)
        shots = np.where(drawn.shots > 0, drawn.shots, 0) if len(self.few) else np.zeros(count, int)
        if self.pools.settings.source == "column":
            at = self._read_column_pools(at, shots)
        if not self._pool_is_resolved():
            at, self.column_pools = at[shots[at] == 0], None
        taken = self._shots(drawn, at, shots[at], styles)
        return self._assembly(drawn, at, taken, styles, fallback_mask, reasons)

    def _read_column_pools(self, at: Ints, shots: Ints) -> Ints:
        """Concatenate the pools that fields of rows list. -> the rows whose pools were read"""
        task = self.spec.task
        choices = [task.choices, *(t.choices for t in task.templates)]
        drawn = any(c is not None and c.distractors is not None for c in choices)
        if drawn or self.pools.settings.same is not None:  # they read other rows
            at = at[shots[at] == 0]
        few = shots[at] > 0
        found = self.pools.column_pools(self.rows, at[few].tolist())
        starts, counts = np.zeros((2, len(at)), np.int64)
        starts[few], counts[few] = found.starts, found.counts
        read = counts >= 0
        self.column_pools = ColumnPools(found.pool, starts[read], counts[read])
        self.pool = RowSetColumns(found.pool, self.fragments)
        return at[read]

    def _drawn(self, purpose: str, of: int) -> Ints:
        return (self.rows.bits(purpose) % np.uint64(of)).astype(np.int64)

    def _pool_is_resolved(self) -> bool:
        """Whether all conditions are resolved for all rows of the pool."""
        task = self.spec.task
        conditions = [task.where, *(task.templates[t].when for t in self.spec.templates)]
        return all(bool(self.pool.holds(c)[1].all()) for c in conditions)

    def _shots(self, drawn: ArmDraws, at: Ints, shots: Ints, styles: Ints) -> Ints:
        """Draw exemplars that meet the conditions and have the options that they need."""
        if not shots.any():
            return np.zeros((len(at), 0), np.int64)
        task = self.spec.task
        where, _ = self.pool.holds(task.where)
        fits = np.zeros((2 * len(task.templates), self.pool.count), np.bool_)
        for index in self.spec.templates:
            template = task.templates[index]
            holds, _ = self.pool.holds(template.when)
            fits[2 * index] = where & holds & self.pool.has_targets(template)
            choices = template.choices or task.choices
            if template.options != "none" and choices is not None:
                fits[2 * index + 1] = fits[2 * index] & self.pool.options(choices).given
        pool = Pool(self.pool.rows, self.pools.settings)
        kinds = drawn.template[at] * 2 + (styles[at] != NO_STYLE)
        return draw_shots(pool, self.rows, at, shots, fits, kinds, self.column_pools)

    def _assembly(
        self,
        drawn: ArmDraws,
        at: Ints,
        taken: Ints,
        styles: Ints,
        fallback_mask: Flags,
        reasons: dict[int, str],
    ) -> Assembly:
        """Build the examples of the rows `at` with the exemplars `taken` from the pool."""
        line, slot = np.nonzero(taken >= 0)
        owner, of = at[line], taken[line, slot]
        queries, exemplars = self._instances(drawn, at, of, owner, styles)
        resolved = queries.resolved.copy()
        resolved[line[~exemplars.resolved]] = False
        place = np.full(taken.shape, NONE, np.int64)
        place[line, slot] = np.arange(len(line))
        lines = np.zeros(len(self.rows), np.int64)
        lines[at] = np.arange(len(at))
        zero = self.zero[self._drawn("zero layout", len(self.zero))]
        few = self.few[self._drawn("few layout", len(self.few))] if len(self.few) else zero
        rationales, rationale_fallback = self._rationales()
        builder = PromptBuilder(
            self.spec, self.fragments, lines, queries.input, exemplars, place, zero, few,
            self._instruction(at), rationales.take(pa.array(of)), rationale_fallback[of],
        )  # fmt: skip
        shots = np.asarray((taken >= 0).sum(axis=1), dtype=np.int64)
        layout = builder.layout(at, shots)
        texts, fallback = builder.prompts(at, layout, shots)
        places = np.flatnonzero(resolved & ~fallback)
        rows = at[places]
        fallback_mask[rows] = False
        draws = ArmDraws(
            drawn.template[rows], drawn.shots[rows], drawn.options[rows], drawn.cot[rows],
            drawn.resolved[rows],
        )  # fmt: skip
        why = FewerShots.TOO_FEW if len(self.few) else FewerShots.NO_LAYOUT
        fewer = np.where(shots[places] < draws.shots, _FEWER[why], NONE)
        return Assembly(
            rows, draws, styles[rows], layout[places], taken[places], texts.take(places),
            queries.target.take(places), np.flatnonzero(fallback_mask), reasons, self.pool.rows,
            builder, fewer,
        )  # fmt: skip

    def _instances(
        self, drawn: ArmDraws, at: Ints, of: Ints, owner: Ints, styles: Ints
    ) -> tuple[Instances, Instances]:
        """Instances of the rows `at`, and of the pool's rows `of` under the draws of `owner`."""
        owners = np.concatenate([at, owner])
        rows, templates, own_styles = (
            np.concatenate([at, of]),
            drawn.template[owners],
            styles[owners],
        )
        count, total = len(at), len(owners)
        if self.pool is self.columns:
            both = instances(self.spec, self.columns, rows, templates, own_styles)
            return both.part(0, count), both.part(count, total)
        first, rest = slice(0, count), slice(count, total)
        return (
            instances(self.spec, self.columns, rows[first], templates[first], own_styles[first]),
            instances(self.spec, self.pool, rows[rest], templates[rest], own_styles[rest]),
        )

    def _instruction(self, at: Ints) -> Column | None:
        text = self.spec.task.instruction
        if text is None:
            return None
        found = render(text, self.columns.shared.sub(at)).printed(len(at))
        return found.with_fallback(np.flatnonzero(self.columns.fallback[at]), len(at))

    def _rationales(self) -> tuple[pa.Array, Flags]:
        """Rationales of the pool's rows. -> (texts, null for none; rows that fall back)"""
        settings, count = self.pools.settings, self.pool.count
        found: list[object] = [None] * count
        fallback = np.zeros(count, np.bool_)
        if settings.explanation is None:
            return pa.nulls(count, pa.string()), fallback
        if settings.source in ("column", "file"):
            found = list(self.pool.rows.columns[RATIONALE])
        elif why_not(settings.explanation, expression=True) is None:
            column = evaluate(settings.explanation, self.pool.fields)
            found, fallback = column.values(count), column.fallback(count).copy()
        else:
            fallback[:] = True
        texts: list[str | None] = []
        for row, value in enumerate(found):
            try:
                text = rationale_text(value)
                texts.append(text if text is None else text.encode().decode())
            except (RowError, UnicodeEncodeError):  # a list, or a lone surrogate
                texts.append(None)
                fallback[row] = True
        return pa.array(texts, pa.string()), fallback

"""Examples of a block with their ids, from the column engine and the row engine, as one table.

Assembled columns are encoded at once. Over-long examples go to the row engine, which can leave out
exemplars and shorten fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.assemble import Assembly
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.columns.ropes.segments import SegmentCache, Spliced
from flancompile.compiler.objects.fit import Budget, Fitted
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.drop_reasons import DropReason, FewerShots

__all__ = ["FittedColumns", "example_table", "fit_columns"]

Ints = npt.NDArray[np.int64]
FEWER_SHOTS = [reason.value for reason in FewerShots]


@dataclass(frozen=True)
class FittedColumns:
    """The assembled examples that fit. places: int64[m] into the assembly.

    fallback_rows: rows left to the row engine; prompts, targets: ids of the whole assembly; exact:
    bool[m].
    """

    assembly: Assembly
    places: Ints
    prompts: Spliced
    targets: Spliced
    exact: npt.NDArray[np.bool_]
    fallback_rows: Ints


def fit_columns(
    assembly: Assembly, segment_cache: SegmentCache, budget: Budget, *, may_cut: bool
) -> FittedColumns:
    """Encode an assembly; over-long examples lose exemplars, from the last.

    may_cut: whether fields may be shortened; over-long examples are then left to the row engine.
    """
    prompts, targets = (
        segment_cache.encode(assembly.first_prompts),
        segment_cache.encode(assembly.targets),
    )
    target_lengths = targets.lengths
    room = _room(budget, target_lengths)
    most = budget.target if budget.target is not None else budget.total
    good = np.ones(len(target_lengths), np.bool_) if most is None else target_lengths <= most
    _drop(assembly, np.flatnonzero(~good), DropReason.LONG_TARGET)
    _drop(assembly, np.flatnonzero(good & (room <= 0)), DropReason.LONG_PROMPT)
    good &= room > 0
    while True:
        over = np.flatnonzero(good & (prompts.lengths > room))
        cut = over[assembly.shots[over] > 0]
        if len(cut) == 0:
            break
        prompts.put(cut, segment_cache.encode(assembly.drop_shot(cut)))
    good[over] = False
    if not may_cut:
        _drop(assembly, over, DropReason.LONG_PROMPT)
    places = np.flatnonzero(good)
    fallback_rows = np.sort(
        np.concatenate([assembly.fallback_rows, assembly.rows[over if may_cut else over[:0]]])
    )
    exact = _exact(segment_cache, assembly.targets.take(places), targets, places)
    return FittedColumns(assembly, places, prompts, targets, exact, fallback_rows)


def _exact(
    segment_cache: SegmentCache, texts: Ropes, encoded: Spliced, places: Ints
) -> npt.NDArray[np.bool_]:
    """Whether decoding returns each target. texts, places: of the same examples."""
    tokenizer = segment_cache.tokenizer
    if tokenizer.lossless:
        return np.ones(len(places), np.bool_)
    known = segment_cache.fragment_cache.exact
    targets = segment_cache.fragments.texts(texts).to_pylist()
    new = list({text: i for i, text in enumerate(targets) if text not in known}.values())
    new_targets = [targets[i] for i in new]
    known.update(
        zip(new_targets, tokenizer.exact(new_targets, encoded.take(places[new])), strict=True)
    )
    return np.fromiter((known[t] for t in targets), np.bool_, len(targets))


def _room(budget: Budget, target_lengths: Ints) -> Ints:
    """Tokens left for each prompt beside its target."""
    room = np.full(len(target_lengths), np.iinfo(np.int64).max)
    if budget.total is not None:
        room = budget.total - target_lengths
    return room if budget.input is None else np.minimum(room, budget.input)


def _drop(assembly: Assembly, places: Ints, reason: DropReason) -> None:
    assembly.reasons.update(dict.fromkeys(assembly.rows[places].tolist(), reason))


def example_table(
    spec: RenderSpec,
    rows: RowSet,
    ids: pa.Array,
    ordinals: pa.Array,
    columns: FittedColumns | None,
    fitted: Sequence[Fitted],
    reasons: Mapping[int, str],
    wide: bool,
) -> pa.Table:
    """An object's table: a line for each row of the block."""
    n = len(rows)
    lines = _Lines(spec, n)
    if columns is not None:
        lines.add_columns(columns)
    for one in fitted:
        lines.add(one)
    missing = [r for r in np.flatnonzero(~lines.kept).tolist() if r not in reasons]
    assert not missing, f"rows {missing[:3]} of {spec.task_id} have no disposition"
    why: list[str | None] = [None] * n
    for row in np.flatnonzero(~lines.kept).tolist():
        why[row] = reasons[row]
    flat = lines.flat(columns, fitted, np.uint32 if wide else np.uint16)
    ends = np.cumsum(lines.prompt_tokens.astype(np.int64) + lines.target_tokens)
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64())
    names = [t.name for t in spec.task.templates]
    options, layouts = sorted(spec.option_styles), lines.layout_ids
    columns_: dict[str, pa.Array] = {
        "row": pa.array(rows.digests),
        "row_id": ids,
        "ordinal": ordinals,
        "reason": pa.array(why, pa.string()),
        "template": _named(names, lines.template),
        "option_style": _named(options, lines.option_style),
        "shots_style": _named(layouts, lines.layout),
        "shots_asked": pa.array(lines.shots_requested),
        "shots": pa.array(lines.shots),
        "fewer_shots": _named(FEWER_SHOTS, lines.fewer_shots),
        "options": pa.array(lines.options),
        "cot": pa.array(lines.cot),
        "truncated": pa.array(lines.truncated),
        "exact": pa.array(lines.exact),
        "unknown": pa.array(lines.unknown),
        "exemplars": lines.exemplar_lists(),
        "runs": pa.array(lines.loss_spans, pa.list_(pa.uint32())),
        "prompt_tokens": pa.array(lines.prompt_tokens),
        "target_tokens": pa.array(lines.target_tokens),
        "ids": pa.LargeListArray.from_arrays(offsets, pa.array(flat)),
    }
    return pa.table(columns_)


def _named(ids: Sequence[str], places: Ints) -> pa.Array:
    at = pa.array(places.astype(np.int32), mask=places < 0)
    return pa.DictionaryArray.from_arrays(at, pa.array(ids, pa.string()))


class _Lines:
    """Columns with a place for each row, filled from both engines."""

    def __init__(self, spec: RenderSpec, rows: int) -> None:
        self.spec, self.rows = spec, rows
        self.layout_ids = [*sorted(spec.shots_styles), *sorted(spec.chat_styles)]
        self._layout_of = {id_: i for i, id_ in reversed([*enumerate(self.layout_ids)])}
        self._option_of = {id_: i for i, id_ in enumerate(sorted(spec.option_styles))}
        self.template, self.option_style, self.layout, self.fewer_shots = (
            np.full(rows, -1) for _ in range(4)
        )
        self.shots_requested, self.shots = (np.zeros(rows, np.uint8) for _ in range(2))
        self.prompt_tokens, self.target_tokens = (np.zeros(rows, np.uint32) for _ in range(2))
        self.kept, self.options, self.cot, self.truncated, self.exact, self.unknown = (
            np.zeros(rows, np.bool_) for _ in range(6)
        )
        self.loss_spans: list[list[int] | None] = [None] * rows
        self.exemplars: dict[int, Any] = {}
        self.taken = np.zeros(0, np.int64), np.zeros((0, 0), np.bool_)
        self.exemplar_digests = np.zeros(0, np.uint64)

    def add_columns(self, columns: FittedColumns) -> None:
        """Add the assembled examples that fit."""
        assembly, at = columns.assembly, columns.places
        rows, drawn = assembly.rows[at], assembly.drawn
        self.kept[rows] = True
        self.template[rows] = drawn.template[at]
        self.option_style[rows] = assembly.option_style[at]
        self.layout[rows] = assembly.layout[at]
        self.shots_requested[rows], self.options[rows] = drawn.shots[at], drawn.options[at]
        self.cot[rows], self.exact[rows] = drawn.cot[at], columns.exact
        self.unknown[rows] = columns.prompts.unknown(at)
        taken = assembly.exemplars[at]
        self.shots[rows], self.fewer_shots[rows] = assembly.shots[at], assembly.fewer_shots[at]
        self.prompt_tokens[rows] = columns.prompts.lengths[at]
        self.target_tokens[rows] = columns.targets.lengths[at]
        if taken.size:
            self.taken, self.exemplar_digests = (
                (rows, taken >= 0),
                assembly.pool.digests[taken[taken >= 0]],
            )

    def add(self, one: Fitted) -> None:
        """Add the row engine's examples."""
        draft = one.draft
        row, choice = draft.row, draft.choice
        self.kept[row] = True
        self.template[row] = choice.template
        if draft.option_style is not None:
            self.option_style[row] = self._option_of[draft.option_style]
        self.layout[row] = self._layout_of[draft.shots_style]
        self.shots_requested[row], self.shots[row] = choice.shots, len(draft.shots)
        if draft.fewer_shots is not None:
            self.fewer_shots[row] = FEWER_SHOTS.index(draft.fewer_shots)
        self.options[row], self.cot[row] = choice.options, choice.cot
        self.truncated[row], self.exact[row] = bool(draft.shortened), one.exact
        self.unknown[row] = one.unknown
        self.prompt_tokens[row], self.target_tokens[row] = one.lengths
        self.loss_spans[row] = one.many
        self.exemplars[row] = draft.exemplars

    def exemplar_lists(self) -> pa.Array:
        """The exemplars' digests of each row."""
        rows, drawn_mask = self.taken
        counts = np.zeros(self.rows, np.int64)
        counts[rows] = drawn_mask.sum(axis=1)
        for row, own in self.exemplars.items():
            counts[row] = len(own)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        flat = np.zeros(int(ends[-1]), np.uint64)
        by_columns = np.zeros(self.rows, np.bool_)
        by_columns[rows] = True  # rows ascend, so their exemplars are in the same order
        flat[np.repeat(by_columns, counts)] = self.exemplar_digests
        for row, own in self.exemplars.items():
            flat[ends[row] : ends[row + 1]] = own
        return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(flat))

    def flat(
        self, columns: FittedColumns | None, fitted: Sequence[Fitted], dtype: npt.DTypeLike
    ) -> npt.NDArray[np.integer]:
        """The ids of all rows, one after another."""
        lengths = self.prompt_tokens.astype(np.int64) + self.target_tokens
        starts = np.cumsum(lengths) - lengths
        out = np.empty(int(lengths.sum()), dtype)
        if columns is not None:
            rows, at = columns.assembly.rows[columns.places], columns.places
            columns.prompts.copy_to(at, out, starts[rows])
            columns.targets.copy_to(at, out, starts[rows] + self.prompt_tokens[rows])
        for one in fitted:
            start = int(starts[one.draft.row])
            ids = np.concatenate(one.parts)
            out[start : start + len(ids)] = ids
        return out

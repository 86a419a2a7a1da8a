"""Draw the arm and template of all rows of a block; equal to `arms.choose` for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import blake3
import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.render.arms import NO_TEMPLATE, ArmShares, draw_arms
from flancompile.compiler.render.block_cache import LastTemplates

__all__ = ["ArmDraws", "arm_draws"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ArmDraws:
    """Draws of each row; all arrays have one value a row.

    template: index into the task's templates; shots: count of exemplars; options: whether options
    are shown; cot: whether the target has a rationale; resolved: False for rows that fall back.
    """

    template: Ints
    shots: Ints
    options: Flags
    cot: Flags
    resolved: Flags


def arm_draws(columns: RowSetColumns, shares: ArmShares, allowed: Sequence[int]) -> ArmDraws:
    """Draw the arm and template of every row; a row without an applicable template falls back.

    allowed: indexes of the usable templates.
    """
    rows = columns.rows
    templates = [rows.task.templates[t] for t in allowed]
    conditions = [columns.holds(t.when) for t in templates]
    usable, resolved = (np.stack(part, axis=1) for part in zip(*conditions, strict=True))
    optional = usable & np.stack([_with_options(columns, t) for t in allowed], axis=1)
    required = np.array([t.options == "required" for t in templates])
    cot = np.array([t.cot for t in templates])
    filled = np.stack(
        [columns.has_targets(t) if t.cot else usable[:, 0] for t in templates], axis=1
    )
    start = draw.bits(rows.seed, "template", rows.task_id, rows.digests)
    key = (rows.task_id, rows.seed, shares, tuple(allowed))
    given = _digest(rows.digests, usable, optional, required, cot, filled)
    last = rows.shared.templates.get(key)
    if last is None or last.given != given or last.epoch >= rows.epoch:
        last = LastTemplates(given, -1, np.full(len(rows), NO_TEMPLATE, np.int64))
    previous = last.templates
    for number in range(last.epoch + 1, rows.epoch + 1):
        shots, options, with_rationale = draw_arms(rows, shares, number)
        show = options & optional.any(axis=1)
        arm = np.where(show[:, None], optional, usable & ~required)
        by_cot = [arm & cot & filled, arm & ~cot]
        first = np.where(with_rationale[:, None], by_cot[0], by_cot[1])
        second = np.where(with_rationale[:, None], by_cot[1], by_cot[0])
        open_ = np.where(first.any(axis=1)[:, None], first, second)
        previous, found = _next(open_, start, number, previous)
    rows.shared.templates[key] = LastTemplates(given, rows.epoch, previous)
    template = np.array(allowed, dtype=np.int64)[previous]
    with_options = show & np.array([t.options != "none" for t in templates])[previous]
    return ArmDraws(template, shots, with_options, cot[previous], resolved.all(axis=1) & found)


def _digest(*arrays: npt.NDArray[np.generic]) -> bytes:
    hasher = blake3.blake3()
    for array in arrays:
        hasher.update(np.ascontiguousarray(array).tobytes())
    return bytes(hasher.digest())


def _with_options(columns: RowSetColumns, index: int) -> Flags:
    template = columns.rows.task.templates[index]
    choices = template.choices or columns.rows.task.choices
    if template.options == "none" or choices is None:
        return np.zeros(columns.count, np.bool_)
    return columns.options(choices).given


def _next(
    open_: Flags, start: npt.NDArray[np.uint64], number: int, previous: Ints
) -> tuple[Ints, Flags]:
    """Next template in each row's cycle. open_: bool[rows, templates], those that apply.

    -> (index into `open_`, or NO_TEMPLATE; whether one applies)
    """
    counts = open_.sum(axis=1)
    divisor = np.maximum(counts, 1).astype(np.uint64)
    place = ((start % divisor + np.uint64(number)) % divisor).astype(np.int64)
    order = np.cumsum(open_, axis=1) - 1

    def at(place: Ints) -> Ints:
        found: Ints = np.argmax(open_ & (order == place[:, None]), axis=1)
        return found

    found = at(place)
    repeated = (found == previous) & (counts > 1)
    template = np.where(repeated, at((place + 1) % np.maximum(counts, 1)), found)
    return np.where(counts > 0, template, NO_TEMPLATE), counts > 0

"""Draw the arm and template of each row in an epoch; all rows of a block are drawn at once.

Arms are shots, options (shown or not) and rationale. In its next epoch a row gets a different
template, if its arm has more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.drop_reasons import DropReason
from flancompile.dsl.jinja.conclusion import answer_names
from flancompile.dsl.jinja.expression import RowError, compile_template
from flancompile.dsl.models.mixture import Arms
from flancompile.dsl.models.task import Task
from flancompile.dsl.models.task import Template as TaskTemplate

if TYPE_CHECKING:
    from flancompile.compiler.render.row_set import RowSet

__all__ = [
    "NO_TEMPLATE", "ArmShares", "Choice", "arm_shares", "choose", "cot_arms", "draw_arms",
    "empty_targets", "option_arms",
]  # fmt: skip


NO_TEMPLATE = -1
_OPTION_ARMS = {"none": {False}, "optional": {False, True}, "required": {True}}


@dataclass(frozen=True)
class ArmShares:
    """Relative weights: shots by number, options (shown, not shown), cot (with, without)."""

    shots: tuple[tuple[int, float], ...] = ((0, 1.0),)
    options: tuple[float, float] = (1.0, 1.0)
    cot: tuple[float, float] = (1.0, 1.0)

    def within(self, templates: Sequence[TaskTemplate]) -> ArmShares:
        """The shares under some templates: an arm that none of them has gets no weight.

        Such an arm is then in no object's key.
        """
        options = _open(self.options, option_arms(templates))
        return replace(self, options=options, cot=_open(self.cot, cot_arms(templates)))


def option_arms(templates: Iterable[TaskTemplate]) -> set[bool]:
    """The arms that the templates have: with options (true), without (false), or both."""
    return {
        with_options for template in templates for with_options in _OPTION_ARMS[template.options]
    }


def cot_arms(templates: Iterable[TaskTemplate]) -> set[bool]:
    """The arms that the templates have: with a rationale (true), without (false), or both."""
    return {template.cot for template in templates}


def _open(weights: tuple[float, float], arms: set[bool]) -> tuple[float, float]:
    """Weights (with, without) under the possible arms."""
    if True not in arms:
        return 0.0, 1.0
    return weights if False in arms else (1.0, 0.0)


@dataclass(frozen=True)
class Choice:
    """The draws of one row. `template` is an index into the task's templates."""

    template: int
    shots: int
    options: bool
    cot: bool


def arm_shares(task: Task, chain: Sequence[Arms]) -> ArmShares:
    """The shares of a task's arms: the innermost member that sets an arm decides it."""
    shots = next((a.shots for a in chain if a.shots is not None), {0: 1.0})
    options = next((a.options for a in chain if a.options is not None), None)
    cot = next((a.cot for a in chain if a.cot is not None), None)
    positive = tuple((k, w) for k, w in sorted(shots.items()) if w > 0)
    pairs = [(arm.with_, arm.without) if arm else (1.0, 1.0) for arm in (options, cot)]
    return ArmShares(positive, *pairs).within(task.templates)


def choose(
    rows: RowSet,
    shares: ArmShares,
    allowed: Sequence[int],
    only: Sequence[int] | None = None,
    *,
    evaluated: bool = False,
) -> list[Choice | str]:
    """Arm and template of every row, or the reason why no template applies.

    allowed: indexes of usable templates; only: the rows to draw, all if None; evaluated: the rows
    are queries of an evaluation, which need no rationale.
    """
    walk = _Walk(rows, shares, allowed, evaluated)
    found: list[Choice | str] = []
    for row in range(len(rows)) if only is None else only:
        try:
            found.append(walk.choice(row))
        except RowError as error:
            found.append(str(error))
    return found


_Arrays = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


def draw_arms(rows: RowSet, shares: ArmShares, epoch: int) -> _Arrays:
    """(shots, whether options are shown, whether a rationale is given) of every row in an epoch."""
    key = (rows.task_id, rows.digests, epoch)
    numbers = np.array([k for k, _ in shares.shots], dtype=np.int64)
    weights = [w for _, w in shares.shots]
    shots = numbers[draw.weighted(weights, rows.seed, "shots", *key)]
    options = draw.weighted(shares.options, rows.seed, "options", *key) == 0
    cot = draw.weighted(shares.cot, rows.seed, "cot", *key) == 0
    return shots, options, cot


class _Walk:
    """Templates of rows over the epochs up to this one, resumed from the last epoch's."""

    def __init__(
        self, rows: RowSet, shares: ArmShares, allowed: Sequence[int], evaluated: bool
    ) -> None:
        self.rows, self.shares, self.allowed, self.evaluated = rows, shares, allowed, evaluated
        self.start = draw.bits(rows.seed, "template", rows.task_id, rows.digests)
        self.drawn: dict[int, _Arrays] = {}
        settled = (rows.task_id, rows.task.model_dump_json(), repr(rows.variable), rows.seed)
        key = (*settled, shares, tuple(allowed), evaluated)
        self.before = rows.shared.templates_by_row.setdefault(key, {})

    def draws(self, epoch: int) -> _Arrays:
        if epoch not in self.drawn:
            self.drawn[epoch] = draw_arms(self.rows, self.shares, epoch)
        return self.drawn[epoch]

    def choice(self, row: int) -> Choice:
        rows, last = self.rows, self.rows.epoch
        usable = [t for t in self.allowed if rows.applies(row, rows.task.templates[t])]
        any_options = any(_has_options(rows, row, t) for t in usable)
        shows = (False, True) if any_options else (False,)
        pairs = [(show, cot) for show in shows for cot in (False, True)]
        arms = tuple(tuple(self.in_arm(row, usable, *pair)) for pair in pairs)
        known, epoch, previous = self.before.get(row, (arms, -1, NO_TEMPLATE))
        if known != arms or epoch >= last:
            epoch, previous = -1, NO_TEMPLATE
        for number in range(epoch + 1, last + 1):
            _, options, cot = self.draws(number)
            show = bool(options[row]) and any_options
            place = int(self.start[row]) + number
            previous = _met(arms[2 * show + bool(cot[row])], place, previous)
        if last > 0:  # most rows are drawn in one epoch only
            self.before[row] = known if known == arms else arms, last, previous
        if previous == NO_TEMPLATE:
            raise RowError(self.why_none(row, usable))
        template = rows.task.templates[previous]
        with_options = show and template.options != "none"
        return Choice(previous, int(self.draws(last)[0][row]), with_options, template.cot)

    def in_arm(self, row: int, usable: Sequence[int], show: bool, cot: bool) -> list[int]:
        rows, templates = self.rows, self.rows.task.templates
        if show:
            arm = [t for t in usable if _has_options(rows, row, t)]
        else:
            arm = [t for t in usable if templates[t].options != "required"]
        chains = [t for t in arm if templates[t].cot]
        reasoned = [t for t in chains if not self.lacks(row, templates[t])]
        direct = [t for t in arm if not templates[t].cot]
        return (reasoned or direct) if cot else (direct or reasoned)

    def lacks(self, row: int, template: TaskTemplate) -> list[str]:
        """Empty fields that the template's target needs."""
        if self.evaluated:
            settings = self.rows.task.eval
            if settings is not None and settings.answers is not None:
                return []  # an accepted answer is the target
            names = answer_names(template.target)
            return [n for n in empty_targets(self.rows, row, template) if n in names]
        return empty_targets(self.rows, row, template)

    def why_none(self, row: int, usable: Sequence[int]) -> str:
        """The reason why no template applies, with the empty fields if only they prevent it."""
        for template in (self.rows.task.templates[t] for t in usable):
            if template.cot and (lacking := self.lacks(row, template)):
                verb = "is" if len(lacking) == 1 else "are"
                return DropReason.NO_TEMPLATE.with_detail(f"{' and '.join(lacking)} {verb} empty")
        return DropReason.NO_TEMPLATE


def _met(arm: Sequence[int], place: int, previous: int) -> int:
    """The next template of an arm, different from the previous one if there are others."""
    if not arm:
        return NO_TEMPLATE
    at = place % len(arm)
    return arm[(at + 1) % len(arm)] if arm[at] == previous and len(arm) > 1 else arm[at]


def _has_options(rows: RowSet, row: int, index: int) -> bool:
    template = rows.task.templates[index]
    choices = template.choices or rows.task.choices
    if template.options == "none" or choices is None:
        return False
    try:
        rows.options(row, choices)
    except RowError:
        return False
    return True


def empty_targets(rows: RowSet, row: int, template: TaskTemplate) -> list[str]:
    """Empty fields that the template's target prints, sorted; rationales may be empty."""
    found = []
    for name in sorted(compile_template(template.target).names):
        values = rows.columns.get(name)
        if values is not None and (values[row] is None or not str(values[row]).strip()):
            found.append(name)
    return found

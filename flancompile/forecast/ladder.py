"""Report of the ladder's rungs: task names covered, available rows, tokens.

Counts are of the ladder's names. A name is available if the data of one of its tasks is on this
machine; its examples are that data's rows, and its tokens are estimated from a sample's mean
lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flancompile.dsl.library.ladder import Rung, rungs
from flancompile.dsl.library.library import TaskDef
from flancompile.forecast.forecast import Plan, TaskPlan

__all__ = ["NameReport", "RungReport", "ladder_report"]

UNSERVED = "no task of the library covers it"


@dataclass(frozen=True)
class NameReport:
    """One name of the ladder. why: the reason why it is not available."""

    name: str
    tasks: tuple[str, ...]
    on_hand: bool
    why: str | None


@dataclass(frozen=True)
class RungReport:
    """One rung, including the rungs below it.

    tasks: number of tasks in the paper; names: number of names in the ladder; served, on_hand:
    names that the library covers, and that are available; datasets, categories, templates: counts
    over the covering tasks; examples: available rows, within caps; tokens, target_tokens: estimates
    for these.
    """

    tasks: int
    names: int
    served: int
    on_hand: int
    datasets: int
    categories: int
    templates: int
    examples: int
    tokens: int
    target_tokens: int
    missing: tuple[NameReport, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def ladder_report(tasks: Mapping[str, TaskDef], plan: Plan) -> list[RungReport]:
    """A report for each rung. plan: of a mixture of the tasks, those without data left out."""
    serving: dict[str, list[TaskDef]] = {}
    for task in tasks.values():
        for name in task.rungs:
            serving.setdefault(name, []).append(task)
    planned = {t.task: t for t in plan.tasks}
    return [_rung(rung, serving, planned, plan.left_out) for rung in rungs()]


def _rung(
    rung: Rung,
    serving: Mapping[str, list[TaskDef]],
    planned: Mapping[str, TaskPlan],
    left_out: Mapping[str, str],
) -> RungReport:
    names = [_name(n, serving.get(n, []), planned, left_out) for n in rung.names]
    written = {
        (t.dataset.id, t.category): len(t.task.templates)
        for n in rung.names
        for t in serving.get(n, [])
    }
    used = {t.id: t for n in rung.names for t in serving.get(n, [])}
    here = [planned[i] for i in used if i in planned]
    usable = {t.task: t.usable for t in here}
    return RungReport(
        tasks=rung.tasks,
        names=len(rung.names),
        served=sum(bool(n.tasks) for n in names),
        on_hand=sum(n.on_hand for n in names),
        datasets=len({t.dataset.id for t in used.values()}),
        categories=len({t.category for t in used.values()}),
        templates=sum(written.values()),
        examples=sum(usable.values()),
        tokens=round(
            sum(usable[t.task] * (t.mean_prompt_tokens + t.mean_target_tokens) for t in here)
        ),
        target_tokens=round(sum(usable[t.task] * t.mean_target_tokens for t in here)),
        missing=tuple(n for n in names if not n.on_hand),
    )


def _name(
    name: str,
    tasks: list[TaskDef],
    planned: Mapping[str, TaskPlan],
    left_out: Mapping[str, str],
) -> NameReport:
    ids = tuple(t.id for t in tasks)
    if not ids:
        return NameReport(name, ids, False, UNSERVED)
    if any(i in planned for i in ids):
        return NameReport(name, ids, True, None)
    why = next((left_out[i] for i in ids if i in left_out), "its tasks are not in the mixture")
    return NameReport(name, ids, False, why)

"""Tables of the evaluation tasks that a recipe selects."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from flancompile.compiler.evaluation.rows import (
    EvalJob,
    Lost,
    build_eval,
    eval_key,
    eval_metadata,
    read_eval,
)
from flancompile.compiler.evaluation.sets import EvalSet, evaluation_sets
from flancompile.compiler.objects.jobs import CompileContext
from flancompile.compiler.read import missing_for, read_all, splits_of
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.request import CompileRequest
from flancompile.dsl.checks.ranking import can_be_ranked
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.models.mixture import EvalChoice
from flancompile.errors import fail, nearest

__all__ = ["EvalTable", "evaluation_tables"]


@dataclass(frozen=True)
class EvalTable:
    """An evaluation set: its rows, the metadata for an evaluator, and the dropped rows.

    unused: rows beyond `max_rows`.
    """

    set: EvalSet
    arms: ArmShares
    table: pa.Table
    metadata: dict[str, Any]
    dropped: list[Lost]
    unused: int


def evaluation_tables(
    context: CompileContext, request: CompileRequest, executor: Executor | None
) -> tuple[list[EvalTable], dict[str, str]]:
    """A table for each evaluation set of the recipe, sorted by name.

    The second value gives reasons for tasks that are left out, by task id.
    """
    sets = evaluation_sets(request.recipe, request.tasks)
    if not sets:
        return [], {}
    request.check({s.task.id for s in sets})
    splits = [pair for s in sets for pair in splits_of([s.task], s.split)]
    reads, missing = read_all(request, splits, executor)
    left_out: dict[str, str] = {}
    for one in sets:
        left_out |= missing_for([one.task], one.split, missing)
    context = replace(context, reads={**context.reads, **reads})
    here = [s for s in sets if s.task.id not in left_out]
    found = []
    with request.stage("evaluation") as report:
        for done, one in enumerate(here, 1):
            found.append(_table(context, one, executor))
            report(done, len(here))
    return found, left_out


def _table(context: CompileContext, set_: EvalSet, executor: Executor | None) -> EvalTable:
    spec = _spec(context, set_.task, set_.choice)
    jobs = list(_jobs(context, set_.task, spec, set_.choice, set_.split))
    run = map if executor is None else executor.map
    table, lost = read_eval(list(run(build_eval, jobs)))
    blocks = context.reads[set_.task.source_id, set_.split]
    unread = [
        Lost(row["row"], row["id"], row["ordinal"], row["reason"])
        for row in blocks.dropped().to_pylist()
    ]
    unused = blocks.kept - len(table) - len(lost)
    metadata = eval_metadata(set_.task.task.eval, table["options"], spec)
    return EvalTable(set_, spec.shares, table, metadata, [*unread, *lost], unused)


def _spec(context: CompileContext, task: TaskDef, choice: EvalChoice) -> RenderSpec:
    options, cot = ((1.0, 0.0) if arm else (0.0, 1.0) for arm in (choice.options, choice.cot))
    arms = ArmShares(((choice.shots, 1.0),), options, cot)
    return context.spec(task, arms, _templates(task, choice), choice.styles)


def _jobs(
    context: CompileContext, task: TaskDef, spec: RenderSpec, choice: EvalChoice, split: str
) -> Iterator[EvalJob]:
    blocks = context.reads[task.source_id, split]
    make = context.jobs(task, spec, split, evaluated=True)
    remaining = choice.max_rows
    for block, rows in enumerate(blocks.block_rows):
        if remaining is not None and remaining <= 0:
            return
        job = EvalJob(make(block, 0), None if remaining is None else min(remaining, rows))
        key = eval_key(job, blocks.digests(block), context.tokenizer.digest)
        path = str(context.cache.object_path(key))
        yield replace(job, object=replace(job.object, key=key, path=path))
        remaining = None if remaining is None else remaining - rows


def _templates(task: TaskDef, choice: EvalChoice) -> list[int]:
    names = [t.name for t in task.task.templates]
    listed = task.task.eval.templates if task.task.eval else ()
    for name in listed:
        if name not in names:
            span = task.span("eval", "templates")
            raise fail(
                "FC203", f"there is no template {name!r}", span=span, hint=nearest(name, names)
            )
    indexes = [i for i, n in enumerate(names) if not listed or n in listed]
    reasoned = [i for i in indexes if task.task.templates[i].cot]
    if choice.cot and reasoned:  # `eval.templates` may exclude all of them
        return reasoned
    if task.task.eval is not None and task.task.eval.metric == "accuracy":
        ranked = [i for i in indexes if can_be_ranked(task.task, task.task.templates[i])]
        indexes = ranked or indexes
    arm = [i for i in indexes if task.task.templates[i].cot == choice.cot]
    return arm or indexes

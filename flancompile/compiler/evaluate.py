"""Which evaluation tasks a recipe asks for, and their tables."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from flancompile.compiler.arms import ArmShares
from flancompile.compiler.evaluation import EvalJob, build_eval, eval_key, eval_metadata, read_eval
from flancompile.compiler.jobs import Workshop
from flancompile.compiler.reading import missing_for, read_all, splits_of
from flancompile.compiler.render import RenderSpec
from flancompile.compiler.request import Request
from flancompile.dsl.library import TaskDef
from flancompile.dsl.mixture import EvalChoice
from flancompile.dsl.ranking import can_be_ranked
from flancompile.dsl.select import parse_selector
from flancompile.errors import fail, nearest

__all__ = ["EvalTable", "evaluation_tables"]


@dataclass(frozen=True)
class EvalTable:
    """One evaluation task: its rows, and what an evaluator has to know."""

    task: str
    split: str
    table: pa.Table
    about: dict[str, Any]
    dropped: int


def evaluation_tables(
    workshop: Workshop, request: Request, executor: Executor | None
) -> tuple[list[EvalTable], dict[str, str]]:
    """A table for each task that the recipe's `evaluate` selects, sorted by task.

    The second is why others are left out, by task.
    """
    chosen: dict[str, tuple[TaskDef, EvalChoice, str]] = {}
    for index, choice in enumerate(request.recipe.model.evaluate):
        span = request.recipe.document.span(("evaluate", index, "select"))
        ids = parse_selector(choice.select, span).pick(request.tasks.values())
        if not ids:
            raise fail("FC406", f"evaluate: {choice.select!r} selects no task", span=span)
        for id_ in ids:
            task = request.tasks[id_]
            settings = task.task.eval
            split = settings.split if settings and settings.split else choice.split
            chosen.setdefault(id_, (task, choice, split))
    if not chosen:
        return [], {}
    request.check(set(chosen))
    wanted = [pair for task, _, split in chosen.values() for pair in splits_of([task], split)]
    reads, missing = read_all(request, wanted, executor)
    left_out: dict[str, str] = {}
    for task, _, split in chosen.values():
        left_out |= missing_for([task], split, missing)
    shop = replace(workshop, reads={**workshop.reads, **reads})
    found = []
    with request.stage("evaluation") as tell:
        here = sorted(set(chosen) - set(left_out))
        for done, id_ in enumerate(here, 1):
            found.append(_table(shop, *chosen[id_], executor))
            tell(done, len(here))
    return found, left_out


def _table(
    shop: Workshop, task: TaskDef, choice: EvalChoice, split: str, executor: Executor | None
) -> EvalTable:
    spec = _spec(shop, task, choice)
    jobs = list(_jobs(shop, task, spec, choice, split))
    run = map if executor is None else executor.map
    table, dropped = read_eval(list(run(build_eval, jobs)))
    about = eval_metadata(task.task.eval, table["options"], spec)
    return EvalTable(task.id, split, table, about, dropped)


def _spec(shop: Workshop, task: TaskDef, choice: EvalChoice) -> RenderSpec:
    templates = _templates(task, choice)
    chosen = [task.task.templates[t] for t in templates]
    shown = choice.options and any(t.options != "none" for t in chosen)
    shown = shown or all(t.options == "required" for t in chosen)
    cot = choice.cot and any(t.cot for t in chosen)
    arms = ArmShares(
        ((choice.shots, 1.0),),
        (1.0, 0.0) if shown else (0.0, 1.0),
        (1.0, 0.0) if cot else (0.0, 1.0),
    )
    return shop.spec(task, arms, templates, choice.styles)


def _jobs(
    shop: Workshop, task: TaskDef, spec: RenderSpec, choice: EvalChoice, split: str
) -> Iterator[EvalJob]:
    blocks = shop.reads[task.source_id, split]
    make = shop.jobs(task, spec, split)
    left = choice.max_rows
    for block, rows in enumerate(blocks.block_rows):
        if left is not None and left <= 0:
            return
        job = EvalJob(make(block, 0), None if left is None else min(left, rows))
        key = eval_key(job, blocks.digests(block), shop.tokenizer.digest)
        path = str(shop.cache.object_path(key))
        yield replace(job, object=replace(job.object, key=key, path=path))
        left = None if left is None else left - rows


def _templates(task: TaskDef, choice: EvalChoice) -> list[int]:
    names = [t.name for t in task.task.templates]
    wanted = task.task.eval.templates if task.task.eval else ()
    for name in wanted:
        if name not in names:
            span = task.span("eval", "templates")
            raise fail(
                "FC203", f"there is no template {name!r}", span=span, hint=nearest(name, names)
            )
    indexes = [i for i, n in enumerate(names) if not wanted or n in wanted]
    reasoned = [i for i in indexes if task.task.templates[i].cot]
    if choice.cot and reasoned:  # what is not among the settings' templates is not asked for
        return reasoned
    if task.task.eval is not None and task.task.eval.metric == "accuracy":
        ranked = [i for i in indexes if can_be_ranked(task.task, task.task.templates[i])]
        indexes = ranked or indexes
    arm = [i for i in indexes if task.task.templates[i].cot == choice.cot]
    return arm or indexes

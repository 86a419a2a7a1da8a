"""The compiler, pass by pass: check, plan, read, render + tokenise, link, pack, write, verify.

This module only calls the passes, each of which is a module of its own. Rendering and tokenising
happen inside objects, which streams build until the quotas are met.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path

from flancompile.compiler.check.tokenizer import check_tokenizer
from flancompile.compiler.evaluation.tables import evaluation_tables
from flancompile.compiler.learn_tokenizer import learnt_tokenizer
from flancompile.compiler.link.ledger import drop_reasons
from flancompile.compiler.link.link import Linked, link
from flancompile.compiler.link.quota import Quotas, quotas
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.objects.jobs import CompileContext, budget_of, task_fields
from flancompile.compiler.objects.schedule import within
from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.compiler.packing.pack import PackPlan, pack
from flancompile.compiler.plan.feasibility import check_size
from flancompile.compiler.plan.members import PlannedTask
from flancompile.compiler.plan.plan import clusters_of, resolve, shares
from flancompile.compiler.prepared_recipe import PreparedRecipe
from flancompile.compiler.read import missing_for, read_all, splits_of
from flancompile.compiler.recipe_tokenizer import named_tokenizer
from flancompile.compiler.request import CompileRequest
from flancompile.compiler.special_tokens import frame_ids
from flancompile.compiler.write import write_build
from flancompile.dsl.library.library import TaskDef
from flancompile.errors import FlancompileError, fail
from flancompile.sources.blocks import SplitBlocks
from flancompile.store.claim import check_out
from flancompile.store.manifest import Manifest
from flancompile.tokenizer.load import TokenizerRef
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["compile_recipe", "prepare", "rows_over", "streams_of"]


def compile_recipe(request: CompileRequest, out: Path, *, overwrite: bool = False) -> Manifest:
    """Compile a recipe into a build at `out`.

    Raises FlancompileError, and then leaves `out` as it was.
    """
    check_out(out, request.recipe.id, overwrite)
    with request.executor() as executor, within(request.memory_bytes):
        prepared = prepare(request, executor)
        streams = streams_of(prepared, executor)
        counts = quotas_of(prepared, streams)
        with request.stage("link"):
            linked = link(streams, counts, prepared.frame, request.recipe.model.seed)
        with request.stage("pack"):
            packs = packs_of(prepared, linked)
        tables, left_out = evaluation_tables(prepared.context, request, executor)
    prepared = replace(prepared, left_out=prepared.left_out | left_out)
    return write_build(prepared, streams, linked, packs, tables, out, overwrite=overwrite)


def prepare(request: CompileRequest, executor: Executor | None) -> PreparedRecipe:
    """Check, plan and read; load or learn the tokenizer."""
    recipe = request.recipe.model
    with request.stage("plan"):
        span = request.recipe.document.span(("mixture",))
        clusters = clusters_of(request.recipe)
        node, held_out = resolve(request.library, request.tasks, recipe.mixture, span, clusters)
        check_size(request.recipe, node)
        planned = {p.task.id: p for p in node.all_tasks()}
        request.check(set(planned))
        tokenizer = named_tokenizer(request.recipe, request.cache, relearn=request.relearn)
        if tokenizer is not None:
            _check(request, planned, tokenizer)
    tasks = [p.task for p in planned.values()]
    reads, missing = read_all(request, splits_of(tasks, recipe.split), executor)
    left_out = missing_for(tasks, recipe.split, missing)
    node, planned = node.without(left_out), {i: p for i, p in planned.items() if i not in left_out}
    if not planned:
        why = f"{tasks[0].id}: {left_out[tasks[0].id]}"
        message = f"no task of {recipe.mixture!r} has data on this machine"
        raise fail("FC407", message, span=span, hint=why)
    rows = {i: _usable_rows(reads, p.task, recipe.split) for i, p in planned.items()}
    shares_ = shares(node, rows)
    if tokenizer is None:
        draft = TokenizerRef("", "")
        bare = CompileContext(request.library, recipe, request.cache, draft, Budget(total=1), reads)
        tokenizer = learnt_tokenizer(request, bare, planned, shares_)
        _check(request, planned, tokenizer)
    frame = frame_ids(request.recipe, tokenizer)
    ref = TokenizerRef.save(tokenizer, request.cache.tokenizers)
    budget = budget_of(recipe, frame)
    context = CompileContext(
        request.library, recipe, request.cache, ref, budget, reads, tokenizer.chat
    )
    return PreparedRecipe(
        request, node, held_out, planned, shares_, tokenizer, frame, context, left_out
    )


def _check(
    request: CompileRequest, planned: Mapping[str, PlannedTask], tokenizer: Tokenizer
) -> None:
    """Raise for a tokenizer that lacks a special token, a style or a chat layout of the recipe."""
    used = {i: p.task for i, p in planned.items()}
    found = check_tokenizer(request.library, request.recipe, request.tasks, used, tokenizer)
    if errors := [d for d in found if d.severity == "error"]:
        raise FlancompileError(errors)


def streams_of(prepared: PreparedRecipe, executor: Executor | None) -> Streams:
    """A stream for each task that has a share."""
    split = prepared.context.recipe.split
    found: dict[str, Stream] = {}
    for id_, planned in prepared.planned.items():
        blocks = prepared.context.reads[planned.task.source_id, split]
        spec = prepared.context.spec(planned.task, planned.arms)
        job = prepared.context.jobs(planned.task, spec, split)
        rows = blocks.rows_for(task_fields(planned.task))
        found[id_] = Stream(planned, rows, job, prepared.frame)
    return Streams(found, executor)


def rows_over(prepared: PreparedRecipe, member: str | None) -> dict[str, float]:
    """Rows within the caps of each task below a top-level member; of all tasks for None."""
    nodes = [c for c in prepared.node.children if member is None or c.name == member]
    reads, split = prepared.context.reads, prepared.context.recipe.split
    tasks = [t for n in nodes for t in n.all_tasks()]
    return {t.task.id: float(t.capped(_usable_rows(reads, t.task, split))) for t in tasks}


def _usable_rows(reads: Mapping[tuple[str, str], SplitBlocks], task: TaskDef, split: str) -> int:
    """Number of rows of a split that have every field that a task reads."""
    return reads[task.source_id, split].rows_with(task_fields(task))


def quotas_of(prepared: PreparedRecipe, streams: Streams) -> Quotas:
    """Number of examples of each task; builds the objects that provide them."""
    recipe = prepared.context.recipe
    mixture = prepared.request.library.mixture(recipe.mixture).model

    def why() -> str | None:
        reads = prepared.context.reads
        of_each = (
            drop_reasons(stream, reads[prepared.planned[i].task.source_id, recipe.split])
            for i, stream in streams.streams.items()
        )
        return "; ".join(text for text in of_each if text) or None

    with prepared.request.stage("render and tokenise") as report:
        streams.progress = report
        over = partial(rows_over, prepared)
        return quotas(streams, prepared.shares, recipe.size, mixture.rate_in, over, why)


def packs_of(prepared: PreparedRecipe, linked: Linked) -> PackPlan:
    """The packing of linked examples; items are places in the shuffled order."""
    recipe = prepared.context.recipe
    lengths = linked.lengths[linked.order]
    capacity: int | tuple[int, int]
    if recipe.layout == "decoder":
        lengths, capacity = lengths.sum(axis=1), recipe.lengths.pack or 0
    else:
        capacity = (recipe.lengths.input or 0, recipe.lengths.target or 0)
    packing = recipe.packing
    return pack(
        lengths,
        capacity,
        window=packing.window,
        max_examples=packing.max_examples,
        enabled=packing.enabled,
        seed=recipe.seed,
    )

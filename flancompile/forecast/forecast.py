"""Forecast a recipe from a sample: shares, rows, tokens, packs, steps, bytes."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

from flancompile.compiler.columns.unlowered import Unlowered, unlowered
from flancompile.compiler.link.quota import apportion
from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.compiler.pipeline import prepare, rows_over, streams_of
from flancompile.compiler.prepared_recipe import PreparedRecipe
from flancompile.compiler.request import CompileRequest

__all__ = ["Plan", "TaskPlan", "forecast"]


@dataclass(frozen=True)
class TaskPlan:
    """Forecast for one task. Mean lengths, with special tokens, are over the first block.

    usable: rows within the cap that give an example; usable_share: their share of the rows within
    the cap.
    """

    task: str
    member: str
    rows: int
    kept: int
    share: float
    examples: int
    passes: float
    usable: int
    usable_share: float
    mean_prompt_tokens: float
    mean_target_tokens: float


@dataclass(frozen=True)
class Plan:
    """Forecast of a compile; packs, steps and bytes are estimates.

    templates: number in use; by_row: templates that the row engine renders.
    """

    recipe: str
    mixture: str
    layout: str
    tokenizer: str
    tasks: tuple[TaskPlan, ...]
    held_out: dict[str, str]
    left_out: dict[str, str]
    examples: int
    tokens: int
    target_tokens: int
    packs: int
    bytes: int
    seconds: float
    templates: int
    by_row: tuple[Unlowered, ...]

    def steps(self, batch_packs: int) -> int:
        """Steps per epoch for a batch size in packs."""
        return -(-self.packs // batch_packs)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def forecast(request: CompileRequest) -> Plan:
    """Forecast a recipe: read its sources and build the first block of each task."""
    prepared = prepare(request, None)
    streams = streams_of(prepared, None)
    started = time.perf_counter()
    with request.stage("sample"):
        streams.ensure(dict.fromkeys(prepared.planned, 1))
    seconds = time.perf_counter() - started
    means = {i: _means(s) for i, s in streams.streams.items()}
    counts = _counts(prepared, streams, means)
    tasks = tuple(
        _task(prepared, streams.streams[i], counts, means) for i in sorted(prepared.planned)
    )
    prompt = sum(t.examples * t.mean_prompt_tokens for t in tasks)
    target = sum(t.examples * t.mean_target_tokens for t in tasks)
    packs, pack_bytes = _packs(prepared, prompt, target, sum(t.examples for t in tasks))
    built = sum(s.usable for s in streams.streams.values()) or 1
    recipe = prepared.context.recipe
    examples = sum(t.examples for t in tasks)
    specs = [prepared.context.spec(p.task, p.arms) for p in prepared.planned.values()]
    return Plan(
        recipe=request.recipe.id,
        mixture=recipe.mixture,
        layout=recipe.layout,
        tokenizer=prepared.tokenizer.name,
        tasks=tasks,
        held_out=prepared.held_out,
        left_out=prepared.left_out,
        examples=examples,
        tokens=round(prompt + target),
        target_tokens=round(target),
        packs=packs,
        bytes=packs * pack_bytes,
        seconds=round(seconds * examples / built, 1) if streams.built else 0.0,
        templates=sum(len(s.templates) for s in specs),
        by_row=tuple(u for s in specs for u in unlowered(s)),
    )


def _means(stream: Stream) -> tuple[float, float]:
    """Mean tokens per example, with special tokens: without and with loss."""
    lengths = stream.lengths(stream.usable)
    prompt, target = lengths.mean(axis=0).tolist() if len(lengths) else (0.0, 0.0)
    return prompt, target


def _counts(
    prepared: PreparedRecipe, streams: Streams, means: dict[str, tuple[float, float]]
) -> dict[str, int]:
    recipe = prepared.context.recipe
    by_tokens = prepared.request.library.mixture(recipe.mixture).model.rate_in == "target_tokens"
    shares = {i: s for i, s in prepared.shares.items() if streams.streams[i].usable and s > 0}
    if by_tokens:
        shares = {i: s / means[i][1] for i, s in shares.items()}
    whole = sum(shares.values()) or 1.0
    shares = {i: s / whole for i, s in shares.items()}
    limits = {i: m for i in shares if (m := _limit(streams.streams[i])) is not None}
    size = recipe.size
    if size.examples is not None:
        total = size.examples
    elif size.passes is not None:
        rows = rows_over(prepared, size.over)
        total = round(
            min((size.passes * n / shares[i] for i, n in rows.items() if i in shares), default=0)
        )
    else:
        lengths = {i: means[i][1] + (means[i][0] if size.tokens else 0.0) for i in shares}
        return _of_tokens(size.tokens or size.target_tokens or 0, shares, lengths, limits)
    counts = apportion(total, shares)
    return {i: min(n, limits.get(i, n)) for i, n in counts.items()}


def _of_tokens(
    tokens: int, shares: dict[str, float], lengths: dict[str, float], limits: dict[str, int]
) -> dict[str, int]:
    """Examples whose tokens reach a size; tasks at their limit leave the rest to the others."""
    ended: dict[str, int] = {}
    while True:
        others = {i: s for i, s in shares.items() if i not in ended}
        rest = tokens - sum(n * lengths[i] for i, n in ended.items())
        side = sum(s * lengths[i] for i, s in others.items())
        total = max(0.0, rest) / max(side, 1e-9) if others else 0.0
        over = {i: limits[i] for i, s in others.items() if total * s > limits.get(i, math.inf)}
        if not over:
            return {**apportion(round(total * sum(others.values())), others), **ended}
        ended |= over


def _usable(stream: Stream) -> tuple[int, float]:
    """Rows within the cap that give an example, and their share, from the built blocks."""
    capped = stream.planned.capped
    looked = capped(sum(stream.blocks[: len(stream.pieces)]))
    share = stream.usable / looked if looked else 0.0
    return round(share * capped(sum(stream.blocks))), share


def _limit(stream: Stream) -> int | None:
    """Most examples that the task's limit of epochs allows."""
    return stream.planned.over_epochs(_usable(stream)[0])


def _task(
    prepared: PreparedRecipe,
    stream: Stream,
    counts: dict[str, int],
    means: dict[str, tuple[float, float]],
) -> TaskPlan:
    task = stream.planned.task
    blocks = prepared.context.reads[task.source_id, prepared.context.recipe.split]
    usable = _usable(stream)[0]
    kept = stream.planned.capped(blocks.kept)
    return TaskPlan(
        task=task.id,
        member=stream.planned.member,
        rows=blocks.rows,
        kept=blocks.kept,
        share=prepared.shares.get(task.id, 0.0),
        examples=counts.get(task.id, 0),
        passes=round(counts.get(task.id, 0) / usable, 3) if usable else 0.0,
        usable=usable,
        usable_share=round(usable / kept, 4) if kept else 0.0,
        mean_prompt_tokens=round(means[task.id][0], 1),
        mean_target_tokens=round(means[task.id][1], 1),
    )


def _packs(
    prepared: PreparedRecipe, prompt: float, target: float, examples: int
) -> tuple[int, int]:
    recipe = prepared.context.recipe
    item = 2 if prepared.tokenizer.vocab_size <= 1 << 16 else 4
    if recipe.layout == "decoder":
        length = recipe.lengths.pack or 1
        packs, size = math.ceil((prompt + target) / length), length * item
    else:
        sides = (recipe.lengths.input or 1, recipe.lengths.target or 1)
        packs = math.ceil(max(prompt / sides[0], target / sides[1]))
        size = sum(sides) * item
    most = recipe.packing.max_examples if recipe.packing.enabled else 1
    return max(packs, math.ceil(examples / most) if most else packs), size

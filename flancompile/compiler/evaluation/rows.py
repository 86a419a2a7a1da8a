"""Evaluation examples: rows rendered and tokenised like training rows, with their texts kept.

Every row of the split is included, in a seeded order, under one arm that the recipe sets. Each
candidate is the whole target as it would be rendered if that option were right, so an evaluator can
score it without knowing the template.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from flancompile.compiler.objects.build import (
    ObjectJob,
    block_rows,
    is_built,
    json_digest,
    lost_rows,
    object_key,
    pools_of,
    read_object,
    write_object,
)
from flancompile.compiler.objects.fit import Fitted, fit
from flancompile.compiler.render.answers import accepted_answers
from flancompile.compiler.render.chat import ChatLayout, ending, span_ids
from flancompile.compiler.render.renderer import Draft, Renderer, RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.drop_reasons import DropReason
from flancompile.dsl.jinja.conclusion import literals_around_answer
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.task import Eval
from flancompile.marks import unmarked
from flancompile.store.schema import EVAL

__all__ = ["EvalJob", "Lost", "build_eval", "eval_key", "eval_metadata", "read_eval"]

EVAL_VERSION = 12
ANSWER_METRICS = frozenset({"exact_match", "exact_match_number", "squad_em", "squad_f1"})
# Examples are numbered when blocks are joined; `fewer_shots` goes to manifest and ledger.
_COLUMNS = pa.schema([*(f for f in EVAL if f.name != "example"), ("fewer_shots", pa.string())])


class Lost(NamedTuple):
    """A row without an evaluation example, and the reason."""

    row: int
    row_id: str | None
    ordinal: int
    reason: str


@dataclass(frozen=True)
class EvalJob:
    """One block of an evaluation task. most: the number of rows to use."""

    object: ObjectJob
    most: int | None = None


def eval_key(job: EvalJob, digests: dict[str, str], tokenizer: str) -> str:
    """The content address of an evaluation block."""
    settings = job.object.spec.task.eval
    answers = settings.answers if settings is not None else None
    base = object_key(job.object, digests, tokenizer)
    ranks = _ranks(job.object.spec)
    return json_digest(["eval", EVAL_VERSION, base, answers, ranks, job.most])


def _ranks(spec: RenderSpec) -> bool:
    """Whether options are ranked; rows without any are then dropped.

    Not after a rationale: each option's whole target would contain the one that leads to the right
    answer.
    """
    settings = spec.task.eval
    return settings is not None and settings.metric == "accuracy" and not _reasons(spec)


def _reasons(spec: RenderSpec) -> bool:
    """Whether every template asks for a rationale."""
    return all(spec.task.templates[i].cot for i in spec.templates)


def build_eval(job: EvalJob) -> str:
    """Render and tokenise one block of an evaluation task, unless it is built. -> its path."""
    path = Path(job.object.path)
    if is_built(path):
        os.utime(path)
        return str(path)
    rows, ids, ordinals = block_rows(job.object, evaluated=True)
    dropped = dict.fromkeys(range(job.most or len(rows), len(rows)), DropReason.BEYOND_MAX_ROWS)
    renderer = Renderer(job.object.spec, rows, pools_of(job.object, rows), dropped, evaluated=True)
    tokenizer = job.object.tokenizer.load()
    fitted, lines = _lines(renderer, rows, ids, fit(renderer, tokenizer, job.object.budget))
    if _ranks(job.object.spec):
        bare = [line["options"] is None for line in lines]
        none = [f.draft.row for f, b in zip(fitted, bare, strict=True) if b]
        renderer.reasons |= dict.fromkeys(none, DropReason.NO_OPTIONS)
        fitted = [f for f, b in zip(fitted, bare, strict=True) if not b]
        lines = [line for line, b in zip(lines, bare, strict=True) if not b]
    _encode_options(lines, [job.object.spec.layout_of(f.draft) for f in fitted], tokenizer)
    lost = [
        (int(rows.digests[row]), ids[row].as_py(), ordinals[row].as_py(), why)
        for row, why in sorted(renderer.reasons.items())
        if row not in dropped
    ]
    if (gaps := lost_rows(job.object, evaluated=True)) is not None:
        others, other_ids, places, reasons = gaps
        keys = zip(others.digests.tolist(), other_ids.to_pylist(), places.to_pylist(), strict=True)
        lost += [(*key, why) for key, why in zip(keys, reasons, strict=True)]
    table = pa.Table.from_pylist([*map(_unmarked_line, lines)], schema=_COLUMNS)
    table = table.replace_schema_metadata({"dropped": json.dumps(lost)})
    write_object(path, table)
    return str(path)


def _unmarked_line(line: dict[str, Any]) -> dict[str, Any]:
    """A row with its texts as readers see them; special tokens are in its ids only."""
    texts = {"prompt", "target"}
    lists = {n: line[n] and [unmarked(t) for t in line[n]] for n in ("options", "accepted")}
    return {n: unmarked(v) if n in texts else v for n, v in line.items()} | lists


def read_eval(paths: Sequence[str]) -> tuple[pa.Table, list[Lost]]:
    """A set's rows over all its blocks, numbered, and the dropped rows."""
    tables = [read_object(p) for p in paths]
    dropped = [Lost(*row) for t in tables for row in json.loads(t.schema.metadata[b"dropped"])]
    bare = [t.replace_schema_metadata(None) for t in tables] or [_COLUMNS.empty_table()]
    table = pa.concat_tables(bare).combine_chunks()
    numbers = pa.array(range(len(table)), pa.uint64())
    return table.add_column(0, pa.field("example", pa.uint64()), numbers), dropped


def eval_metadata(
    settings: Eval | None, candidates: pa.ChunkedArray, spec: RenderSpec
) -> dict[str, Any]:
    """Metric, extraction, stop and baseline of a set.

    A choice task's baseline is the mean of 1 / options; a row without options adds 0. If options
    are shown for another task, its baseline is at least that. An answer also stops at the text that
    the chat layout writes after it. After a rationale, and in a sentence, the answer is between the
    texts around it in the template's target (`between`), unless `extract` finds it; accuracy after
    a rationale compares that answer.
    """
    settings = settings or Eval()
    found = settings.model_dump(include={"metric", "extract", "stop", "group", "random_baseline"})
    chances = [1 / len(c) if c else 0.0 for c in candidates.to_pylist()]
    mean = math.fsum(chances) / len(chances) if any(chances) else None
    if found["random_baseline"] is None:
        found["random_baseline"] = mean
    elif mean is not None and spec.shares.options == (1.0, 0.0) and found["metric"] != "accuracy":
        found["random_baseline"] = max(found["random_baseline"], mean)
    if _reasons(spec) and settings.metric == "accuracy":
        found |= {"metric": "exact_match", "extract": None}
    found["filters"] = [f.model_dump() for f in settings.filters]
    found["ignore"] = settings.ignored
    if found["extract"] is None and not settings.filters and found["metric"] in ANSWER_METRICS:
        found["between"] = _between(spec)
    ends = [ending(layout) for layout in spec.chat_styles.values()] if spec.wrap else []
    return {**found, "stop": [*settings.stop, *(e for e in ends if e)]}


def _between(spec: RenderSpec) -> dict[str, list[str]]:
    """Texts of each template's target before and after its answer, by the template's name."""
    found: dict[str, list[str]] = {}
    for template in (spec.task.templates[i] for i in spec.templates):
        if template.turns is None:
            before, after, printed = literals_around_answer(template.target)
            if template.cot or (printed == 1 and before):
                found[template.name] = [before, after]
    return found


def _lines(
    renderer: Renderer, rows: RowSet, ids: pa.Array, fitted: Iterable[Fitted]
) -> tuple[list[Fitted], list[dict[str, Any]]]:
    """The examples whose accepted answers are texts, and their lines; others are dropped."""
    found, lines = [], []
    for one in fitted:
        try:
            lines.append(_line(renderer, rows, ids, one))
            found.append(one)
        except RowError as error:
            renderer.reasons[one.draft.row] = str(error)
    return found, lines


def _line(renderer: Renderer, rows: RowSet, ids: pa.Array, fitted: Fitted) -> dict[str, Any]:
    draft = fitted.draft
    candidates, gold = renderer.candidates(draft)
    prompt, target = draft.texts(renderer.spec)
    return {
        "row": int(rows.digests[draft.row]),
        "row_id": ids[draft.row].as_py(),
        "template": renderer.spec.task.templates[draft.choice.template].name,
        "prompt": prompt,
        "prompt_ids": fitted.prompt,
        "target": target,
        "target_ids": fitted.target,
        "options": candidates,
        "option_ids": None,
        "gold": gold,
        "accepted": _accepted(renderer, rows, draft),
        "shots": len(draft.shots),
        "exemplars": draft.exemplars,
        "fewer_shots": draft.fewer_shots,
    }


def _accepted(renderer: Renderer, rows: RowSet, draft: Draft) -> list[str]:
    """The accepted answers: the task's own, and the target if options are shown.

    The target may then be a label. Raises RowError if the expression fails or an answer is a list
    or a mapping.
    """
    found = accepted_answers(renderer.spec.task, rows.fields(draft.row)) or []
    if draft.option_style is not None or not found:
        found.append(draft.target)
    return list(dict.fromkeys(found))


def _encode_options(
    lines: list[dict[str, Any]], layouts: Sequence[ChatLayout | None], tokenizer: Any
) -> None:
    texts = [t for line in lines for t in line["options"] or ()]
    encoded = iter(tokenizer.encode(texts))
    for line, layout in zip(lines, layouts, strict=True):
        if line["options"] is None:
            continue
        prompt, prompt_ids = line["prompt"], line["prompt_ids"]
        line["option_ids"] = [
            span_ids(layout, tokenizer, (prompt, text), (prompt_ids, next(encoded)))[1]
            for text in line["options"]
        ]

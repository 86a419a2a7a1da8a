"""Preview of examples as the model sees them, from a source's first rows (`flancompile show`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flancompile.compiler.check.row_types import located
from flancompile.compiler.objects.jobs import task_fields
from flancompile.compiler.read import split_spec
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.chat import TOKENIZERS_OWN, ChatLayout
from flancompile.compiler.render.exemplar_files import exemplar_items
from flancompile.compiler.render.exemplar_pools import POOL_ROWS
from flancompile.compiler.render.exemplars import Pools, item_rows
from flancompile.compiler.render.renderer import Draft, Renderer, RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.compiler.render.spec import chosen_styles, render_spec
from flancompile.compiler.request import CompileRequest
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.library.library import Library, TaskDef
from flancompile.errors import Diagnostic, FlancompileError, fail, nearest
from flancompile.marks import unmarked
from flancompile.sources.blocks import sample
from flancompile.sources.fields import FieldRow
from flancompile.tokenizer.chat import ChatTemplate

__all__ = [
    "Preview",
    "PreviewSettings",
    "is_evaluated",
    "pools_for",
    "pools_found",
    "preview",
    "row_set",
    "spec_of",
]

SAMPLE_ROWS = 200


@dataclass(frozen=True)
class PreviewSettings:
    """Request for a preview. None leaves a choice to the draws."""

    template: str | None = None
    row: str | None = None  # an id, or a place in the sample, from 0
    shots: int = 0
    options: bool | None = None
    cot: bool | None = None
    option_style: str | None = None  # by default the task's own styles, else all
    shots_style: str | None = None
    chat_style: str = "*"
    count: int = 3
    epoch: int = 0
    chat: ChatTemplate | None = None  # the tokenizer's own layout


@dataclass(frozen=True)
class Preview:
    """One example with its draws. spans: its texts, without and with loss in turn."""

    row_id: str
    template: str
    spans: tuple[str, ...]
    shots: int
    option_style: str | None
    shots_style: str
    cot: bool
    exemplars: tuple[str, ...]
    draws: dict[str, str]

    @classmethod
    def of(
        cls, draft: Draft, rows: Sequence[Mapping[str, Any]], spec: RenderSpec, set_: RowSet
    ) -> Preview:
        """Build a preview from a draft over sampled rows."""
        ids = {int(r["_row"]): str(r["_id"]) for r in rows}
        return cls(
            row_id=str(rows[draft.row]["_id"]),
            template=spec.task.templates[draft.choice.template].name,
            spans=tuple(map(unmarked, draft.texts(spec))),
            shots=len(draft.shots),
            option_style=draft.option_style,
            shots_style=draft.shots_style,
            cot=draft.choice.cot,
            exemplars=tuple(ids.get(e, f"{e:016x}") for e in draft.exemplars),
            draws=_draws(draft, spec, set_),
        )


def _draws(draft: Draft, spec: RenderSpec, rows: RowSet) -> dict[str, str]:
    """A draft's draws, and the number of candidates of each."""
    template = spec.task.templates[draft.choice.template]
    when = "few" if draft.shots else "zero"
    layouts = [s for s in spec.shots_styles.values() if s.when in ("any", when)]
    found = {"template": f"{template.name} of {len(spec.templates)}"}
    if not draft.turns:
        found["layout"] = f"{draft.shots_style} of {len(layouts)}"
    if draft.chat_style is not None:
        found["chat"] = f"{draft.chat_style} of {len(spec.chat_styles)}"
    if draft.option_style is not None:
        found["options"] = f"{draft.option_style} of {len(spec.option_styles)}"
    if draft.options is not None:
        found["order"] = " | ".join(draft.options.texts)
    context = rows.context(draft.row, template)
    for name, text in {**spec.task.let, **template.let}.items():
        if "pick" in compile_expression(text).names:
            found[name] = str(context[name])
    return found


def preview(
    request: CompileRequest, task: TaskDef, split: str, settings: PreviewSettings
) -> tuple[list[Preview], dict[str, int]]:
    """Examples of a task, and counts of dropped rows of the sample (reason -> rows)."""
    place, evaluated = split_spec(request, task, split), is_evaluated(task, split)
    fields = task_fields(task, evaluated=evaluated)
    rows, dropped = sample(place, SAMPLE_ROWS, fields)
    only = None if settings.row is None else _place_of(settings.row, rows)
    if settings.row is not None and only is None:
        rows, dropped = sample(place, SAMPLE_ROWS, fields, settings.row)
        only = _place_of(settings.row, rows)
        if only is None:
            raise _no_row(settings.row, rows, dropped)
    spec = spec_of(request, task, settings)
    set_ = row_set(spec, rows, settings.epoch, split)
    pools = pools_for(request, task, spec, set_, split)
    renderer = Renderer(spec, set_, pools, {}, evaluated=evaluated)
    found: list[Preview] = []
    for draft in renderer:
        if only in (None, draft.row) and len(found) < settings.count:
            try:
                found.append(Preview.of(draft, rows, spec, set_))
            except RowError as error:  # a chat layout refuses it
                renderer.reasons[draft.row] = str(error)
    reasons: dict[str, int] = {}
    for reason in [*(str(r.reason) for r in dropped), *renderer.reasons.values()]:
        reasons[reason] = reasons.get(reason, 0) + 1
    return found, reasons


def is_evaluated(task: TaskDef, split: str) -> bool:
    """Whether the rows of a split are queries of an evaluation, which need no rationale."""
    return task.task.eval is not None and split != "train"


def _place_of(row: str, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Place of a row in the sample, by its id, else by its number."""
    ids = [str(r["_id"]) for r in rows]
    if row in ids:
        return ids.index(row)
    return int(row) if row.isdecimal() and int(row) < len(rows) else None


def _no_row(
    row: str, rows: Sequence[Mapping[str, Any]], dropped: Sequence[FieldRow]
) -> FlancompileError:
    """FC308, with the drop reason if the row was read and dropped."""
    for one in dropped:
        if one.id == row:
            return fail("FC308", f"row {row!r} is dropped when it is read: {one.reason}")
    hint = nearest(row, [str(r["_id"]) for r in rows])
    if not rows:
        hint = "the split has no rows"
    hint = hint or f"the sample has rows 0 to {len(rows) - 1}; an id finds any row of the split"
    return fail("FC308", f"there is no row {row!r}", hint=hint)


def spec_of(request: CompileRequest, task: TaskDef, settings: PreviewSettings) -> RenderSpec:
    """Render spec of the requested templates. Raises FC203, FC411."""
    names = [t.name for t in task.task.templates]
    if settings.template is not None and settings.template not in names:
        hint = nearest(settings.template, names) or f"templates: {', '.join(names)}"
        raise fail("FC203", f"{task.id} has no template {settings.template!r}", hint=hint)
    allowed = [i for i, n in enumerate(names) if settings.template in (None, n)]
    if settings.cot is not None:
        allowed = [i for i in allowed if task.task.templates[i].cot == settings.cot] or allowed
    option_weights = (
        (1.0, 1.0) if settings.options is None else (1.0, 0.0) if settings.options else (0.0, 1.0)
    )
    library, own = request.library, task.task.styles
    return render_spec(
        task,
        ArmShares(((settings.shots, 1.0),), option_weights),
        allowed,
        chosen_styles(
            library.option_styles, _patterns(settings.option_style, own.options), "option"
        ),
        chosen_styles(library.shots_styles, _patterns(settings.shots_style, own.shots), "shots"),
        seed=request.recipe.model.seed,
        chat_styles=_chat_styles(library, settings),
    )


def _patterns(settings: str | None, own: tuple[str, ...] | None) -> tuple[str, ...]:
    """The requested styles, else the task's own, else all."""
    return (settings,) if settings is not None else own if own is not None else ("*",)


def _chat_styles(library: Library, settings: PreviewSettings) -> dict[str, ChatLayout]:
    if settings.chat_style != TOKENIZERS_OWN:
        return chosen_styles(library.chat_styles, [settings.chat_style], "chat")
    if settings.chat is None:
        hint = "name one that has a chat template: --tokenizer FOLDER"
        raise fail("FC417", "the tokenizer has no chat template", hint=hint)
    return {TOKENIZERS_OWN: settings.chat}


def row_set(spec: RenderSpec, rows: Sequence[Mapping[str, Any]], epoch: int, split: str) -> RowSet:
    """Sampled rows of a split as a row set for the render pass."""
    names = [n for n in (rows[0] if rows else ()) if not n.startswith("_")]
    return RowSet(
        task_id=spec.task_id,
        task=spec.task,
        seed=spec.seed,
        epoch=epoch,
        digests=np.array([r["_row"] for r in rows], dtype=np.uint64),
        columns={n: [r[n] for r in rows] for n in names},
        variable=spec.variable,
        origin=split,
    )


def pools_for(
    request: CompileRequest, task: TaskDef, spec: RenderSpec, rows: RowSet, split: str
) -> Pools:
    """Exemplar pools of sampled rows."""
    settings = task.task.exemplars
    if settings.source == "file":
        items = exemplar_items(task)
        return Pools(settings, item_rows(rows, items, settings))
    if settings.source == "split":
        rows_ = SAMPLE_ROWS if settings.same is None else POOL_ROWS
        others, _ = sample(split_spec(request, task, str(settings.split)), rows_, task_fields(task))
        return Pools(settings, row_set(spec, others, rows.epoch, str(settings.split)))
    return Pools(settings, rows)


def pools_found(
    request: CompileRequest, task: TaskDef, spec: RenderSpec, rows: RowSet, split: str
) -> tuple[Pools, list[Diagnostic]]:
    """The same, without the exemplars that cannot be read, and the diagnostics of those."""
    try:
        return pools_for(request, task, spec, rows, split), []
    except FlancompileError as error:
        none = row_set(spec, [], rows.epoch, split)
        return Pools(task.task.exemplars, none), located(error, task)

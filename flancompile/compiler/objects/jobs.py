"""Jobs of planned tasks: render specs, budgets, exemplar pools and keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from flancompile.compiler.cache import Cache
from flancompile.compiler.objects.build import ObjectJob, json_digest, object_key
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.objects.used_fields import query_fields, used_fields
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.chat import TOKENIZERS_OWN, ChatLayout
from flancompile.compiler.render.exemplar_files import exemplar_items, exemplar_name
from flancompile.compiler.render.exemplar_pools import PoolRef, pool_digest
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.spec import chosen_styles, render_spec
from flancompile.compiler.render.writable_styles import check_special, no_style, unwritable
from flancompile.compiler.special_tokens import NONE, FrameIds
from flancompile.dsl.library.library import Library, TaskDef
from flancompile.dsl.models.mixture import Recipe
from flancompile.dsl.models.style import StyleNames
from flancompile.errors import fail
from flancompile.sources.blocks import SplitBlocks
from flancompile.tokenizer.chat import ChatTemplate
from flancompile.tokenizer.load import TokenizerRef

__all__ = ["CompileContext", "budget_of", "task_fields"]

_KEYS = {"option": "options", "shots": "shots", "chat": "chat"}  # in a recipe's `styles`


@dataclass(frozen=True)
class CompileContext:
    """Inputs that all jobs of a compile share.

    reads: read splits, by (source id, split); chat: the tokenizer's own chat template.
    """

    library: Library
    recipe: Recipe
    cache: Cache
    tokenizer: TokenizerRef
    budget: Budget
    reads: Mapping[tuple[str, str], SplitBlocks]
    chat: ChatTemplate | None = None

    def spec(
        self,
        task: TaskDef,
        shares: ArmShares,
        templates: Sequence[int] | None = None,
        styles: StyleNames | None = None,
    ) -> RenderSpec:
        """The render spec of a task under these arms, as far as its templates have them.

        styles: those of an `evaluate` entry.
        """
        chosen = self.recipe.styles
        named = [n for n in (styles, task.task.styles) if n is not None]
        options = next((n.options for n in named if n.options is not None), None)
        shots = next((n.shots for n in named if n.shots is not None), None)
        is_chat = any(t.turns is not None for t in task.task.templates)
        if self.tokenizer.folder:
            check_special(task, self.tokenizer.load())
        return render_spec(
            task,
            shares,
            templates or range(len(task.task.templates)),
            self._written("option", options, needed=_has_choices(task)),
            self._written("shots", shots),
            seed=self.recipe.seed,
            chat_styles=self._chat_styles() if is_chat or chosen.wrap else {},
            wrap=chosen.wrap,
            join=self.recipe.frame.text,
        )

    @cached_property
    def unwritten(self) -> dict[str, dict[str, str]]:
        """Reasons for selected styles that the tokenizer cannot write, by kind and id."""
        if not self.tokenizer.folder:  # not learnt yet; a learnt one can write any style
            return {}
        tokenizer = self.tokenizer.load()
        return {k: unwritable(self._chosen(k), tokenizer) for k in ("option", "shots", "chat")}

    def _chosen(self, kind: str, named: Sequence[str] | None = None) -> dict[str, Any]:
        """The styles that the recipe selects, or those named in place of them."""
        library, chosen = self.library, self.recipe.styles
        tables: dict[str, tuple[Mapping[str, Any], Sequence[str]]] = {
            "option": (library.option_styles, chosen.options),
            "shots": (library.shots_styles, chosen.shots),
            "chat": (library.chat_styles, [p for p in chosen.chat if p != TOKENIZERS_OWN]),
        }
        table, patterns = tables[kind]
        return chosen_styles(table, patterns if named is None else named, kind)

    def _written(
        self, kind: str, named: Sequence[str] | None = None, *, needed: bool = True
    ) -> dict[str, Any]:
        """The selected styles that the tokenizer can write. Raises FC421 if it can write none.

        named: in place of the recipe's; needed: whether the task uses any.
        """
        chosen, bad = self._chosen(kind, named), self.unwritten.get(kind, {})
        if named is not None and self.tokenizer.folder:
            bad = unwritable(chosen, self.tokenizer.load())
        if bad and needed and not chosen.keys() - bad.keys():
            raise no_style(_KEYS[kind], bad)
        return {i: s for i, s in chosen.items() if i not in bad}

    def _chat_styles(self) -> dict[str, ChatLayout]:
        chosen = self.recipe.styles.chat
        own = TOKENIZERS_OWN in chosen and self.chat is not None
        named = chosen != (TOKENIZERS_OWN,)
        found: dict[str, ChatLayout] = dict(self._written("chat")) if named else {}
        if own and self.chat is not None:
            found[TOKENIZERS_OWN] = self.chat
        return found

    def jobs(
        self, task: TaskDef, spec: RenderSpec, split: str, *, evaluated: bool = False
    ) -> Callable[[int, int], ObjectJob]:
        """A function from (block, epoch) to the job of a task's split.

        evaluated: whether its rows are queries of an evaluation.
        """
        blocks = self.reads[task.source_id, split]
        pool = self.pool(task, split, evaluated=evaluated)
        reserved = task.task.exemplars.count or 0
        spec_digest = json_digest(spec.as_json())

        def job(block: int, epoch: int) -> ObjectJob:
            base = ObjectJob(
                key="",
                path="",
                spec=spec,
                budget=self.budget,
                tokenizer=self.tokenizer,
                folder=str(blocks.folder),
                block=block,
                epoch=epoch,
                reserved=reserved if block == 0 else 0,
                pool=pool,
            )
            key = object_key(base, blocks.digests(block), self.tokenizer.digest, spec_digest)
            return replace(base, key=key, path=str(self.cache.object_path(key)))

        return job

    def pool(self, task: TaskDef, split: str, *, evaluated: bool = False) -> PoolRef | None:
        """The exemplars of a task that come from another split or from a file; None for others."""
        exemplars = task.task.exemplars
        if exemplars.source == "file":
            items = tuple(json.dumps(i, sort_keys=True) for i in exemplar_items(task))
            return PoolRef(rows=items, name=exemplar_name(task))
        if exemplars.source not in ("split", "reserved"):
            return None
        fields = task_fields(task)
        if not self.reads[task.source_id, split].rows_with(task_fields(task, evaluated=evaluated)):
            return None  # no example to show exemplars to
        blocks = self.reads[task.source_id, exemplars.split or split]
        if not blocks.rows_with(fields):
            message = f"{task.id}: the split {exemplars.split!r} has no rows for exemplars"
            raise fail("FC302", message, span=task.span("exemplars", "split"))
        needed = () if evaluated else fields  # queries of an evaluation are not reserved
        if exemplars.count is not None and blocks.rows_for(needed)[0] <= exemplars.count:
            message = f"{task.id}: {exemplars.count} reserved rows of {blocks.rows_with(needed)}"
            raise fail("FC302", message, span=task.span("exemplars", "count"))
        digest = pool_digest(blocks, exemplars)
        folder = str(blocks.folder)
        return PoolRef(folder=folder, digest=digest, count=exemplars.count, fields=fields)


def task_fields(task: TaskDef, *, evaluated: bool = False) -> tuple[str, ...]:
    """The fields of its dataset that a task needs of its rows, sorted.

    evaluated: whether the rows are queries of an evaluation, which need no rationale.
    """
    needed = query_fields if evaluated else used_fields
    return tuple(sorted(needed(task.task, task.dataset.model.fields)))


def _has_choices(task: TaskDef) -> bool:
    return any(
        c is not None for c in (task.task.choices, *(t.choices for t in task.task.templates))
    )


def budget_of(recipe: Recipe, frame: FrameIds) -> Budget:
    """Content tokens of an example under a recipe's lengths and frame."""
    lengths = recipe.lengths
    if recipe.layout == "decoder":
        total = (lengths.example or lengths.pack or 0) - frame.prompt_extra - frame.target_extra
        target = None if lengths.target is None else lengths.target - frame.target_extra
        further = (frame.after_prompt != NONE) + frame.target_extra
        return Budget(total=total, target=target, exchange=further)
    return Budget(
        input=(lengths.example_input or lengths.input or 0) - frame.prompt_extra,
        target=(lengths.example_target or lengths.target or 0) - frame.target_extra,
    )

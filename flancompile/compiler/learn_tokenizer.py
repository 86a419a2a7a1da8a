"""Learn a recipe's tokenizer from its mixture, and pin it.

A learnt tokenizer is pinned beside its recipe as NAME.lock.json (in the cache, for a recipe of the
built-in library) and learnt again only on request, so that new rows don't change every id. Its
texts are the first rendered examples of each task, in the mixture's ratio.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from flancompile.compiler.link.quota import apportion
from flancompile.compiler.objects.build import block_rows, json_digest, pools_of
from flancompile.compiler.objects.jobs import CompileContext
from flancompile.compiler.plan.members import PlannedTask
from flancompile.compiler.recipe_tokenizer import pin_path, with_recipe_settings
from flancompile.compiler.render.renderer import Renderer
from flancompile.compiler.request import CompileRequest
from flancompile.dsl.jinja.expression import RowError
from flancompile.marks import unmarked
from flancompile.tokenizer.load import TokenizerRef
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.train import train
from flancompile.unfinished import making_file

__all__ = ["learnt_tokenizer"]

TOKEN_CHARACTERS = 8  # more than a token has on average in any text


def learnt_tokenizer(
    request: CompileRequest,
    context: CompileContext,
    planned: Mapping[str, PlannedTask],
    shares: Mapping[str, float],
) -> Tokenizer:
    """Learn the recipe's tokenizer from its mixture, and pin it."""
    spec = request.recipe.model.tokenizer
    assert spec.train is not None and spec.vocab_size is not None
    rows = apportion(spec.train_rows, shares)
    with request.stage("learn the tokenizer"):
        texts = [t for id_, n in rows.items() for t in _texts(context, planned[id_], n)]
        tokenizer = train(spec.train, texts, spec.vocab_size)
    ref = TokenizerRef.save(tokenizer, request.cache.tokenizers)
    _pin(request, tokenizer, ref, json_digest(texts))
    return with_recipe_settings(request.recipe, tokenizer)


def _texts(context: CompileContext, planned: PlannedTask, rows: int) -> Iterator[str]:
    """Prompts and targets of a task's first examples, each cut to the most that could fit."""
    task = planned.task
    longest = max(context.recipe.lengths.model_dump(exclude_none=True).values())
    most = longest * TOKEN_CHARACTERS
    spec = context.spec(task, planned.arms)
    blocks = context.reads[task.source_id, context.recipe.split]
    job = context.jobs(task, spec, context.recipe.split)
    for block in range(len(blocks.block_rows)):
        if rows <= 0:
            return
        object_job = job(block, 0)
        set_, _, _ = block_rows(object_job)
        for draft in Renderer(spec, set_, pools_of(object_job, set_), {}):
            try:
                yield from (unmarked(text)[:most] for text in draft.texts(spec))
            except RowError:
                continue  # a chat layout refuses it
            rows -= 1
            if rows <= 0:
                return


def _pin(request: CompileRequest, tokenizer: Tokenizer, ref: TokenizerRef, texts: str) -> None:
    path = pin_path(request.recipe, request.cache)
    spec = request.recipe.model.tokenizer
    lock = {
        "recipe": request.recipe.id,
        "tokenizer": {
            "train": spec.train,
            "vocab_size": spec.vocab_size,
            "digest": tokenizer.digest,
            "texts": texts,
            "file": f"{path.name.removesuffix('.lock.json')}.tokenizer",
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(path.parent / str(lock["tokenizer"]["file"]))  # type: ignore[index]
    with making_file(path) as partial:
        partial.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")

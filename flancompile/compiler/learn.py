"""The recipe's tokenizer: loaded, or learnt from the mixture and pinned.

A learnt tokenizer stands beside its recipe as NAME.lock.json (in the cache, for a recipe of the
built-in library) and is learnt anew only when asked, so that a new row somewhere does not change
every id. Its texts are the first rendered examples of each
task, in the mixture's ratio.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flancompile.compiler.jobs import Workshop
from flancompile.compiler.members import PlannedTask
from flancompile.compiler.objects import block_rows, json_digest, pools_of
from flancompile.compiler.quota import apportion
from flancompile.compiler.render import Renderer
from flancompile.compiler.request import Request
from flancompile.dsl.expression import RowError
from flancompile.dsl.library import builtin_library
from flancompile.errors import fail
from flancompile.marks import unmarked
from flancompile.tokenizer.load import (
    TokenizerRef,
    from_bytes,
    load_file,
    load_folder,
    load_hub,
    with_chat_file,
)
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.train import train
from flancompile.unfinished import making_file

__all__ = ["learnt_tokenizer", "named_tokenizer"]

TOKEN_CHARACTERS = 8  # more than a token has on average in any text


def named_tokenizer(request: Request) -> Tokenizer | None:
    """The tokenizer that the recipe names or has pinned; None when it is still to be learnt."""
    found = _named(request)
    return None if found is None else _with_chat(request, found)


def _with_chat(request: Request, tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with the chat template that the recipe gives it, if it gives one, and as the
    recipe has it read special tokens."""
    spec = request.recipe.model.tokenizer
    tokenizer = tokenizer.reading_special(spec.special_in_data == "token")
    name = spec.chat_template
    if name is None:
        return tokenizer
    span = request.recipe.document.span(("tokenizer", "chat_template"))
    return with_chat_file(tokenizer, request.recipe.folder / name, span)


def _named(request: Request) -> Tokenizer | None:
    spec = request.recipe.model.tokenizer
    span = request.recipe.document.span(("tokenizer",))
    declared = {"bos": spec.bos, "eos": spec.eos, "pad": spec.pad}
    if spec.bytes:
        return from_bytes("bytes", b"", "bytes")
    if spec.file is not None:
        return load_file(request.recipe.folder / spec.file, declared, span)
    if spec.hub is not None:
        return load_hub(spec.hub, spec.revision, declared, span)
    return None if request.relearn else _pinned(request)


def learnt_tokenizer(
    request: Request,
    workshop: Workshop,
    planned: Mapping[str, PlannedTask],
    shares: Mapping[str, float],
) -> Tokenizer:
    """Learn the recipe's tokenizer from its mixture, and pin it."""
    spec = request.recipe.model.tokenizer
    assert spec.train is not None and spec.vocab_size is not None
    rows = apportion(spec.train_rows, shares)
    with request.stage("learn the tokenizer"):
        texts = [t for id_, n in rows.items() for t in _texts(workshop, planned[id_], n)]
        tokenizer = train(spec.train, texts, spec.vocab_size)
    ref = TokenizerRef.keep(tokenizer, request.cache.tokenizers)
    _pin(request, tokenizer, ref, json_digest(texts))
    return _with_chat(request, tokenizer)


def _texts(workshop: Workshop, planned: PlannedTask, rows: int) -> Iterator[str]:
    """Prompts and targets of a task's first examples, each as far as the lengths could reach."""
    task = planned.task
    longest = max(workshop.recipe.lengths.model_dump(exclude_none=True).values())
    most = longest * TOKEN_CHARACTERS
    spec = workshop.spec(task, planned.arms)
    blocks = workshop.reads[task.source_id, workshop.recipe.split]
    job = workshop.jobs(task, spec, workshop.recipe.split)
    for block in range(len(blocks.block_rows)):
        if rows <= 0:
            return
        made = job(block, 0)
        set_, _, _ = block_rows(made)
        for draft in Renderer(spec, set_, pools_of(made, set_), {}):
            try:
                yield from (unmarked(text)[:most] for text in draft.texts(spec))
            except RowError:
                continue  # a chat layout refuses it
            rows -= 1
            if rows <= 0:
                return


def _pin_path(request: Request) -> Path:
    file = Path(request.recipe.document.path)
    own = file.resolve().is_relative_to(builtin_library().resolve())
    beside = file.with_name(f"{file.name.removesuffix(file.suffix)}.lock.json")
    if not own and (beside.exists() or os.access(beside.parent, os.W_OK)):
        return beside
    spec = request.recipe.model.tokenizer
    name = f"{request.recipe.id}-{spec.train}-{spec.vocab_size}"
    return request.cache.root / "locks" / f"{name}.lock.json"


def _pin(request: Request, tokenizer: Tokenizer, ref: TokenizerRef, texts: str) -> None:
    path = _pin_path(request)
    spec = request.recipe.model.tokenizer
    about = {
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
    tokenizer.save(path.parent / str(about["tokenizer"]["file"]))  # type: ignore[index]
    with making_file(path) as partial:
        partial.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _pinned(request: Request) -> Tokenizer | None:
    path = _pin_path(request)
    if not path.is_file():
        return None
    spec = request.recipe.model.tokenizer
    known = _pin_in(path)
    if (known["train"], known["vocab_size"]) != (spec.train, spec.vocab_size):
        message = (
            f"{path.name} pins a {known['train']} tokenizer of {known['vocab_size']}, "
            f"the recipe asks for {spec.train} of {spec.vocab_size}"
        )
        span = request.recipe.document.span(("tokenizer",))
        raise fail("FC414", message, span=span, hint="learn it anew: --relearn")
    tokenizer = load_folder(path.parent / known["file"])
    if tokenizer.digest != known["digest"]:
        message = f"{known['file']} is not the tokenizer that {path.name} pins"
        raise fail("FC414", message, hint="restore the file, or learn it anew: --relearn")
    return tokenizer


def _pin_in(path: Path) -> dict[str, Any]:
    """What a lock pins. Raises FC414 for one that is damaged."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))["tokenizer"]
        return {key: about[key] for key in ("train", "vocab_size", "digest", "file")}
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} is damaged: {type(error).__name__}: {error}"
        hint = "restore the file, or learn the tokenizer anew: --relearn"
        raise fail("FC414", message, hint=hint) from None

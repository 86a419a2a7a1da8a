"""Load the tokenizer of a recipe: a named one, or a learnt and pinned one.

A pinned tokenizer is beside its recipe as NAME.lock.json, or in the cache for a recipe of the
built-in library.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flancompile.compiler.cache import Cache
from flancompile.dsl.library.library import Loaded, builtin_library
from flancompile.dsl.models.mixture import Recipe
from flancompile.errors import fail
from flancompile.tokenizer.load import (
    from_bytes,
    load_file,
    load_folder,
    load_hub,
    with_chat_file,
)
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["named_tokenizer", "pin_path", "with_recipe_settings"]


def named_tokenizer(
    recipe: Loaded[Recipe], cache: Cache, *, relearn: bool = False, offline: bool = False
) -> Tokenizer | None:
    """The tokenizer that a recipe names or has pinned; None if it has to be learnt first.

    relearn: ignore a pin; offline: look for a Hub repository on this machine only. Raises FC412 for
    a tokenizer that cannot be loaded, FC414 for a pin that does not match the recipe.
    """
    found = _named(recipe, cache, relearn, offline)
    return None if found is None else with_recipe_settings(recipe, found)


def with_recipe_settings(recipe: Loaded[Recipe], tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with the recipe's chat template and its setting for special tokens in data."""
    spec = recipe.model.tokenizer
    tokenizer = tokenizer.reading_special(spec.special_in_data == "token")
    name = spec.chat_template
    if name is None:
        return tokenizer
    span = recipe.document.span(("tokenizer", "chat_template"))
    return with_chat_file(tokenizer, recipe.folder / name, span)


def _named(recipe: Loaded[Recipe], cache: Cache, relearn: bool, offline: bool) -> Tokenizer | None:
    spec = recipe.model.tokenizer
    span = recipe.document.span(("tokenizer",))
    declared = {"bos": spec.bos, "eos": spec.eos, "pad": spec.pad}
    if spec.bytes:
        return from_bytes("bytes", b"", "bytes")
    if spec.file is not None:
        return load_file(recipe.folder / spec.file, declared, span)
    if spec.hub is not None:
        return load_hub(spec.hub, spec.revision, declared, span, offline=offline)
    return None if relearn else _pinned(recipe, cache)


def pin_path(recipe: Loaded[Recipe], cache: Cache) -> Path:
    """Path of the file that pins a recipe's learnt tokenizer."""
    file = Path(recipe.document.path)
    own = file.resolve().is_relative_to(builtin_library().resolve())
    lock_file = file.with_name(f"{file.name.removesuffix(file.suffix)}.lock.json")
    if not own and (lock_file.exists() or os.access(lock_file.parent, os.W_OK)):
        return lock_file
    spec = recipe.model.tokenizer
    name = f"{recipe.id}-{spec.train}-{spec.vocab_size}"
    return cache.root / "locks" / f"{name}.lock.json"


def _pinned(recipe: Loaded[Recipe], cache: Cache) -> Tokenizer | None:
    path = pin_path(recipe, cache)
    if not path.is_file():
        return None
    spec = recipe.model.tokenizer
    known = _pin_in(path)
    if (known["train"], known["vocab_size"]) != (spec.train, spec.vocab_size):
        message = (
            f"{path.name} pins a {known['train']} tokenizer of {known['vocab_size']}, "
            f"but the recipe sets {spec.train} of {spec.vocab_size}"
        )
        span = recipe.document.span(("tokenizer",))
        raise fail("FC414", message, span=span, hint="train it again: --relearn")
    tokenizer = load_folder(path.parent / known["file"])
    if tokenizer.digest != known["digest"]:
        message = f"{known['file']} is not the tokenizer that {path.name} pins"
        raise fail("FC414", message, hint="restore the file, or train it again: --relearn")
    return tokenizer


def _pin_in(path: Path) -> dict[str, Any]:
    """The pin in a lock file. Raises FC414 for a damaged one."""
    try:
        pin = json.loads(path.read_text(encoding="utf-8"))["tokenizer"]
        return {key: pin[key] for key in ("train", "vocab_size", "digest", "file")}
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} is damaged: {type(error).__name__}: {error}"
        hint = "restore the file, or train the tokenizer again: --relearn"
        raise fail("FC414", message, hint=hint) from None

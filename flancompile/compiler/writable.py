"""Which styles and templates a tokenizer can write: unknown tokens and special tokens it lacks.

A layout with braces is all `<unk>` under T5. Styles that a tokenizer cannot write are left out of
the draw, and the manifest names them; a template is the author's own, so that is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flancompile.dsl.library import TaskDef
from flancompile.errors import fail
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["check_special", "unwritable"]

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SPECIAL = re.compile(r"""(["'])((?:(?!\1).)+)\1\s*\|\s*special\b""")


def unwritable(styles: Mapping[str, Any], tokenizer: Tokenizer) -> dict[str, str]:
    """Why a tokenizer cannot write some styles, by their ids. styles: models of texts."""
    found = {}
    for id_, style in styles.items():
        texts = [
            v
            for v in style.model_dump(exclude={"tags", "when"}).values()
            if v and isinstance(v, str)
        ]
        lacking = _lacking(texts, tokenizer)
        if lacking is not None:
            found[id_] = f"the tokenizer has no special token {lacking!r}"
        elif (word := _unknown(texts, tokenizer)) is not None:
            found[id_] = f"the tokenizer cannot write {word!r}"
    return found


def check_special(task: TaskDef, tokenizer: Tokenizer) -> None:
    """Raises FC422 for a template that names a special token which the tokenizer lacks."""
    for index, template in enumerate(task.task.templates):
        for key in ("input", "target"):
            lacking = _lacking([getattr(template, key) or ""], tokenizer)
            if lacking is not None:
                message = f"{task.id}: the tokenizer has no special token {lacking!r}"
                has = ", ".join(tokenizer.special_texts[-8:])
                span = task.span("templates", index, key)
                raise fail("FC422", message, span=span, hint=f"it has {has}" if has else None)


def _lacking(texts: Iterable[str], tokenizer: Tokenizer) -> str | None:
    """The first special token that texts name and the tokenizer lacks."""
    named = [m[2] for text in texts for m in _SPECIAL.finditer(text)]
    return next((n for n in named if tokenizer.token_id(n) is None), None)


def _unknown(texts: Iterable[str], tokenizer: Tokenizer) -> str | None:
    """The first word of texts, outside their slots, that holds what the tokenizer cannot write."""
    if tokenizer.unknown_id is None:
        return None
    words = list(dict.fromkeys(w for text in texts for w in _JINJA.sub(" ", text).split()))
    encoded = tokenizer.encode(words)
    return next((w for w, i in zip(words, encoded, strict=True) if tokenizer.unknown_id in i), None)

"""Find styles and templates that a tokenizer cannot write, by unknown and special tokens.

A layout with braces is all `<unk>` under T5. Styles that a tokenizer cannot write are left out of
the draw, and the manifest names them; in a task's own template that is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from flancompile.dsl.jinja.expression import parsed_expression, parsed_template
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, FlancompileError, Span, TextError, fail, nearest
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["check_special", "no_style", "special_faults", "unwritable"]

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def unwritable(styles: Mapping[str, Any], tokenizer: Tokenizer) -> dict[str, str]:
    """Reasons why a tokenizer cannot write some styles, by their ids. styles: models of texts."""
    found = {}
    for id_, style in styles.items():
        texts = [
            v
            for v in style.model_dump(exclude={"tags", "when"}).values()
            if v and isinstance(v, str)
        ]
        if lacking := _lacking(texts, tokenizer):
            found[id_] = f"the tokenizer has no special token {lacking[0]!r}"
        elif (word := _unknown(texts, tokenizer)) is not None:
            found[id_] = f"the tokenizer cannot write {word!r}"
    return found


def no_style(kind: str, bad: Mapping[str, str], span: Span | None = None) -> FlancompileError:
    """FC421. bad: reasons why the tokenizer can write none of the selected styles of a kind."""
    id_, why = next(iter(bad.items()))
    message = f"no {kind} style that is selected can be used: {id_}: {why}"
    hint = f"choose others under `styles: {{{kind}: ...}}`, or another tokenizer"
    return fail("FC421", message, span=span, hint=hint)


def special_faults(task: TaskDef, tokenizer: Tokenizer) -> Iterator[Diagnostic]:
    """FC422 for each special token that a task's texts name and the tokenizer lacks."""
    document, place = task.dataset.document, ("tasks", task.category)
    for key, text in _texts(document.value(place), place):
        for name in _lacking([text], tokenizer):
            message = f"{task.id}: the tokenizer has no special token {name!r}"
            span = document.find(key, name)
            yield Diagnostic("FC422", message, span, _instead(name, tokenizer))


def check_special(task: TaskDef, tokenizer: Tokenizer) -> None:
    """Raise FC422 for special tokens that a task names and the tokenizer lacks."""
    if found := [*special_faults(task, tokenizer)]:
        raise FlancompileError(found)


def _instead(name: str, tokenizer: Tokenizer) -> str:
    """A hint with the nearest special token, or those that the tokenizer has."""
    has = tokenizer.special_texts
    if not has:
        return "write the text without `special`, or choose another tokenizer"
    return nearest(name, has) or f"it has {', '.join(has[-8:])}"


def _texts(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    """The texts in a part of a file that use the filter `special`, with their keys."""
    if isinstance(value, str):
        if "special" in value:
            yield key, value
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for part, inner in items:
            yield from _texts(inner, (*key, part))


def _lacking(texts: Iterable[str], tokenizer: Tokenizer) -> list[str]:
    """The special tokens that texts name and the tokenizer lacks."""
    named = dict.fromkeys(n for text in texts for n in _named(text))
    return [n for n in named if tokenizer.token_id(n) is None]


@lru_cache(maxsize=4096)
def _named(text: str) -> tuple[str, ...]:
    """The special tokens that a template or an expression writes, in order."""
    if "special" not in text:
        return ()
    try:
        tree = parsed_template(text) if "{{" in text or "{%" in text else parsed_expression(text)
    except TextError:
        return ()
    calls = (c for c in tree.find_all(nodes.Filter) if c.name == "special")
    return tuple(c.node.value for c in calls if isinstance(c.node, nodes.Const))


def _unknown(texts: Iterable[str], tokenizer: Tokenizer) -> str | None:
    """The first word of texts, outside their slots, that has a token unknown to the tokenizer."""
    if tokenizer.unknown_id is None:
        return None
    words = list(dict.fromkeys(w for text in texts for w in _JINJA.sub(" ", text).split()))
    encoded = tokenizer.encode(words)
    return next((w for w, i in zip(words, encoded, strict=True) if tokenizer.unknown_id in i), None)

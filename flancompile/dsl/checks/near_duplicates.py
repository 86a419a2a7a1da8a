"""Detect near-duplicate templates of a task, which weight one wording twice.

Two texts are near duplicates if they differ only in case, white space and punctuation (except
layout marks such as # and |), or in one word of more than 16. Each text is indexed by its words
with one left out, so the cost is linear in the number of texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from flancompile.dsl.models.task import Template

__all__ = ["near_duplicates"]

MANY_WORDS = 16  # of the author's own; in longer texts, one word may differ
_PARTS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\w+|[#*=|<>\[\]~`+/&%$@^_]+", re.DOTALL)


def near_duplicates(templates: Sequence[Template]) -> Iterator[tuple[int, str, str]]:
    """Yield (index, name of an earlier near duplicate, their difference), at most once an index.

    Templates with equal texts are not reported.
    """
    whole: dict[object, int] = {}
    short_of: dict[object, int] = {}
    exact: set[object] = set()
    for place, template in enumerate(templates):
        texts = (str(template.turns), template.input, template.target)
        if texts in exact:
            continue
        exact.add(texts)
        settings, words = _settings(template), _words(template)
        other = whole.setdefault((settings, words), place)
        if other != place:
            difference = "case, white space or punctuation alone"
            yield place, templates[other].name, difference
            continue
        match_ = None
        for shorter in _one_left_out(words):
            other = short_of.setdefault((settings, shorter), place)
            match_ = other if other != place and match_ is None else match_
        if match_ is not None:
            yield place, templates[match_].name, f"one word of {len(words) - 1}"


def _settings(template: Template) -> tuple[object, ...]:
    """Settings by which templates with similar texts still differ."""
    lets: Mapping[str, str] = template.let
    return (
        template.options,
        template.cot,
        template.when,
        tuple(lets.items()),
        template.choices is None,
    )


def _words(template: Template) -> tuple[str, ...]:
    if template.turns is not None:
        return (str(template.turns),)
    sides = (template.input, template.target)
    input_, target = ([_plain(m[0]) for m in _PARTS.finditer(side)] for side in sides)
    return (*input_, "->", *target)


def _plain(part: str) -> str:
    return "".join(part.split()) if part[0] == "{" else part.casefold()


def _one_left_out(words: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    """Words with one of the author's own left out, and its index, for each of them."""
    own = [n for n, word in enumerate(words) if word[0].isalnum()]
    if len(own) > MANY_WORDS:
        for n in own:
            yield (n, *words[:n], *words[n + 1 :])

"""Templates of one task that say nearly the same: such a pair is one template, drawn too often.

Two texts are alike where they differ in case, white space and punctuation alone (marks that lay a
text out, as # and | do, are none of it), or in one word of many. Texts are looked up by what is
left of them without each word in turn, so the cost grows with the texts and not with their pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from flancompile.dsl.models.task import Template

__all__ = ["near_duplicates"]

MANY_WORDS = 16  # of the author's own, of which one makes no difference
_PARTS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\w+|[#*=|<>\[\]~`+/&%$@^_]+", re.DOTALL)


def near_duplicates(templates: Sequence[Template]) -> Iterator[tuple[int, str, str]]:
    """(place, name of an earlier template that it is like, how they differ), once for each place.

    Templates with equal texts are none of these.
    """
    whole: dict[object, int] = {}
    short_of: dict[object, int] = {}
    exact: set[object] = set()
    for place, template in enumerate(templates):
        said = (str(template.turns), template.input, template.target)
        if said in exact:
            continue
        exact.add(said)
        about, words = _about(template), _words(template)
        other = whole.setdefault((about, words), place)
        if other != place:
            how = "case, white space or punctuation alone"
            yield place, templates[other].name, how
            continue
        near = None
        for shorter in _one_left_out(words):
            other = short_of.setdefault((about, shorter), place)
            near = other if other != place and near is None else near
        if near is not None:
            yield place, templates[near].name, f"one word of {len(words) - 1}"


def _about(template: Template) -> tuple[object, ...]:
    """What makes templates of like texts different ones."""
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
    """The words without each of the author's own in turn, and the place where it stood."""
    own = [n for n, word in enumerate(words) if word[0].isalnum()]
    if len(own) > MANY_WORDS:
        for n in own:
            yield (n, *words[:n], *words[n + 1 :])

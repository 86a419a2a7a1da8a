"""The grammar of option blocks and prompts: the parts of a style, in order.

Rows, columns and segment programs render the same parts, each in its own way, so that the structure
of a prompt is defined here only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from flancompile.dsl.jinja.expression import compile_template, without_slot
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

__all__ = [
    "EXEMPLARS", "EXEMPLAR_SLOTS", "INSTRUCTION", "QUERY", "Part", "Shot", "block_parts",
    "gold_parts", "gold_text", "option_block", "prompt_parts", "prompt_pieces",
]  # fmt: skip

Shot = tuple[str, str, str | None]
QUERY, INSTRUCTION, EXEMPLARS = (
    0,
    1,
    2,
)  # slots of a prompt; from the last one, three an exemplar
EXEMPLAR_SLOTS = ("input", "target", "explanation")
_ONES = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
_ROMAN = [tens + ones for tens in ("", "x", "xx") for ones in _ONES][1:]


@dataclass(frozen=True)
class Part:
    """One text of a style, and the values of the names that it reads.

    text: Jinja, or plain text if `is_literal`; constants: names with the same value in every row;
    slots: names whose values differ by row, each with its index among the row's texts.
    """

    text: str
    constants: tuple[tuple[str, object], ...] = ()
    slots: tuple[tuple[str, int], ...] = ()
    is_literal: bool = False

    def render(self, texts: Sequence[str]) -> str:
        """The text of the part for one row. Raises RowError."""
        if self.is_literal:
            return self.text
        names = {**dict(self.constants), **{name: texts[slot] for name, slot in self.slots}}
        return compile_template(self.text).render(names)


@lru_cache(maxsize=4096)
def block_parts(style: OptionStyle, count: int) -> tuple[Part, ...]:
    """The parts of a list of `count` options (at most 26); slot n is the text of option n.

    Raises RowError if a label cannot be rendered.
    """
    number = (("count", count),)
    parts = [Part(style.opening, number)]
    for n in range(count):
        parts += [Part(style.separator, is_literal=True)] if n else []
        parts.append(Part(style.item, _option_names(style, n), (("text", n),)))
    return (*parts, Part(style.ending, number))


@lru_cache(maxsize=4096)
def gold_parts(style: OptionStyle, index: int) -> tuple[Part, ...]:
    """The value of `gold` if option `index` is right; slot 0 is the option's text.

    Raises RowError if the label cannot be rendered.
    """
    return (Part(style.gold, _option_names(style, index), (("text", 0),)),)


@lru_cache(maxsize=4096)
def prompt_parts(
    style: ShotsStyle, shots: int, instruction: bool, explained: int
) -> tuple[Part, ...]:
    """The parts of a prompt: the style's `zero` alone, or opening, exemplars and query.

    instruction: whether there is one; explained: bit n is set if exemplar n has a rationale. The
    slot of an absent text is left out with its line.
    """
    count, preamble = ("count", shots), (("instruction", INSTRUCTION),) if instruction else ()
    always: tuple[tuple[str, object], ...] = (
        (count,) if instruction else (count, ("instruction", ""))
    )
    query = (*preamble, ("input", QUERY))

    def text(source: str) -> str:
        return source if instruction else without_slot(source, "instruction")

    if not shots:
        return (Part(text(style.zero), always, query),)
    parts = [Part(text(style.opening), always, preamble)]
    for n in range(shots):
        first, exemplar = EXEMPLARS + len(EXEMPLAR_SLOTS) * n, text(style.exemplar)
        names: tuple[tuple[str, object], ...] = (*always, ("n", n + 1))
        slots = tuple((name, first + i) for i, name in enumerate(EXEMPLAR_SLOTS))
        if not explained >> n & 1:
            absent, _ = slots[-1]
            exemplar, names, slots = (
                without_slot(exemplar, absent),
                (*names, (absent, "")),
                slots[:-1],
            )
        parts.append(Part(exemplar, names, (*preamble, *slots)))
        parts.append(Part(style.separator, is_literal=True))
    return (*parts, Part(text(style.query), (*always, ("n", shots + 1)), query))


def option_block(style: OptionStyle, texts: Sequence[str]) -> str:
    """The options as the prompt lists them. Raises RowError."""
    return "".join(part.render(texts) for part in block_parts(style, len(texts)))


def gold_text(style: OptionStyle | None, texts: Sequence[str], index: int) -> str:
    """The value of `gold` if option `index` is right: its text if there is no style.

    Raises RowError.
    """
    if style is None:
        return texts[index]
    return "".join(part.render([texts[index]]) for part in gold_parts(style, index))


def prompt_pieces(
    style: ShotsStyle, shots: Sequence[Shot], query: str, instruction: str | None
) -> tuple[str, ...]:
    """A prompt as its pieces, whose concatenation is the text. Raises RowError.

    shots: (input, target, rationale or None) of each exemplar.
    """
    explained = sum(1 << n for n, shot in enumerate(shots) if shot[-1] is not None)
    texts = [query, instruction or "", *(text or "" for shot in shots for text in shot)]
    parts = prompt_parts(style, len(shots), instruction is not None, explained)
    return tuple(part.render(texts) for part in parts)


def _option_names(style: OptionStyle, index: int) -> tuple[tuple[str, object], ...]:
    """n, letter, LETTER, roman and label of the option at an index."""
    letter = chr(ord("a") + index)
    names: dict[str, object] = {
        "n": index + 1,
        "letter": letter,
        "LETTER": letter.upper(),
        "roman": _ROMAN[index],
    }
    names["label"] = compile_template(style.label).render(names)
    return tuple(names.items())

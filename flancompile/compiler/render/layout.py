"""Option blocks and prompts from styles: pure functions of a style and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from flancompile.dsl.jinja.expression import Template, compile_template, without_slot
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

__all__ = ["Numbered", "Shot", "gold_text", "option_block", "prompt_pieces", "slotted"]

Shot = tuple[str, str, str | None]
_ONES = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
_ROMAN = [tens + ones for tens in ("", "x", "xx") for ones in _ONES][1:]


@dataclass(frozen=True)
class Numbered:
    """The names by which a style may number the n-th option (from 0; at most 26)."""

    n: int

    def names(self) -> dict[str, object]:
        """n, letter, LETTER, roman."""
        letter = chr(ord("a") + self.n)
        return {
            "n": self.n + 1,
            "letter": letter,
            "LETTER": letter.upper(),
            "roman": _ROMAN[self.n],
        }


def option_block(style: OptionStyle, texts: Sequence[str]) -> str:
    """The options as the prompt lists them."""
    count = {"count": len(texts)}
    item = compile_template(style.item)
    lines = [item.render(_option_names(style, n, text)) for n, text in enumerate(texts)]
    opening = compile_template(style.opening).render(count)
    return opening + style.separator.join(lines) + compile_template(style.ending).render(count)


def gold_text(style: OptionStyle | None, texts: Sequence[str], index: int) -> str:
    """What the target says of option `index`: its text, its label or both, as the style says."""
    if style is None:
        return texts[index]
    return compile_template(style.gold).render(_option_names(style, index, texts[index]))


def prompt_pieces(
    style: ShotsStyle, shots: Sequence[Shot], query: str, instruction: str | None
) -> tuple[str, ...]:
    """A prompt as its pieces, whose concatenation is the text.

    shots: (input, target, explanation or None) of each exemplar; with none, the whole prompt is the
    style's `zero`.
    """
    names: dict[str, object] = {"instruction": instruction or "", "count": len(shots)}
    shown = instruction is not None
    if not shots:
        return (_slotted(style.zero, shown).render({**names, "input": query}),)
    pieces = [_slotted(style.opening, shown).render(names)]
    for n, (text, target, explanation) in enumerate(shots, 1):
        exemplar = _slotted(style.exemplar, shown, explanation is not None)
        given = {"n": n, "input": text, "target": target, "explanation": explanation or ""}
        pieces.append(exemplar.render({**names, **given}))
        pieces.append(style.separator)
    last = {**names, "n": len(shots) + 1, "input": query}
    pieces.append(_slotted(style.query, shown).render(last))
    return tuple(pieces)


@lru_cache(maxsize=4096)
def slotted(text: str, instruction: bool, explanation: bool = True) -> str:
    """A layout's text without the slots of what is not there."""
    for slot, shown in (("instruction", instruction), ("explanation", explanation)):
        text = text if shown else without_slot(text, slot)
    return text


def _slotted(text: str, instruction: bool, explanation: bool = True) -> Template:
    return compile_template(slotted(text, instruction, explanation))


def _option_names(style: OptionStyle, index: int, text: str) -> dict[str, object]:
    names = Numbered(index).names()
    label = compile_template(style.label).render(names)
    return {**names, "label": label, "text": text}

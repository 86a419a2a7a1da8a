"""Styles: layouts of answer options, exemplars and dialogues, as data.

All texts here are Jinja over a few names only, so a style is one small entry of a YAML file.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from flancompile.dsl.models.base import Strict, TemplateText

__all__ = ["ChatStyle", "OptionStyle", "ShotsStyle", "StyleFile", "StyleNames", "draws"]


class OptionStyle(Strict):
    """Layout of a row's options in the prompt, and of the correct option in the target.

    `label` and `item` see `n` (from 1), `letter` (a, b, ...), `LETTER`, `roman`; `item` and `gold`
    also see `label` and `text`; `opening` and `ending` see `count`.
    """

    label: TemplateText = Field("", description='Such as "({{ LETTER }})".')
    item: TemplateText = Field("{{ text }}", description="One option, over `label` and `text`.")
    separator: str = Field("\n", description="Text between two options.")
    opening: TemplateText = ""
    ending: TemplateText = ""
    gold: TemplateText = Field("{{ text }}", description="Text of `gold` in the target.")
    only_where_named: bool = Field(
        False, description="Drawn only where its id is named in full; `*` does not draw it."
    )
    tags: tuple[str, ...] = Field(
        (), description="Words for readers and tools; they change no build."
    )


class ShotsStyle(Strict):
    """Layout of instruction, exemplars and query in a prompt.

    `exemplar` sees `n`, `input`, `target` and `explanation` (a line with it alone is dropped
    if an exemplar has none); `query` sees `n`, `input`; `opening` sees `count`;
    all see `instruction`, which must be shown by exactly one of them when a task has one. The
    prompt is opening + exemplars joined by `separator` + separator + query. With no exemplars,
    `zero` is the whole prompt.
    """

    exemplar: TemplateText = "{{ input }}\n{{ target }}"
    separator: str = Field("\n\n", description="Text after each exemplar.")
    opening: TemplateText = Field("{{ instruction }}\n\n", description="Before the first exemplar.")
    query: TemplateText = "{{ input }}"
    zero: TemplateText = Field("{{ instruction }}\n\n{{ input }}", description="With no exemplars.")
    when: Literal["any", "zero", "few"] = Field(
        "any", description="The arms that draw this layout."
    )
    only_where_named: bool = Field(
        False, description="Drawn only where its id is named in full; `*` does not draw it."
    )
    tags: tuple[str, ...] = Field(
        (), description="Words for readers and tools; they change no build."
    )


class ChatStyle(Strict):
    """Layout of a dialogue's turns in one text.

    The text for each role sees `text` and `n` (from 1); `opening` and `between` see nothing. In an
    assistant's turn, text before the slot is prompt; the slot and the text after it are learnt.
    """

    opening: TemplateText = Field("", description="Before the first turn.")
    system: TemplateText = "{{ text }}"
    user: TemplateText = "{{ text }}"
    assistant: TemplateText = "{{ text }}"
    tool: TemplateText = Field("{{ text }}", description="A tool's answer.")
    between: TemplateText = Field("\n\n", description="Text between two turns; never has loss.")
    only_where_named: bool = Field(
        False, description="Drawn only where its id is named in full; `*` does not draw it."
    )
    tags: tuple[str, ...] = Field(
        (), description="Words for readers and tools; they change no build."
    )


class StyleNames(Strict):
    """Styles for one task or one `evaluate` entry, by id or glob; a kind left out is inherited.

    The entry's come before the task's, and those before the recipe's.
    """

    options: tuple[str, ...] | None = Field(None, description="Option styles, by id or glob.")
    shots: tuple[str, ...] | None = Field(None, description="Few-shot layouts, by id or glob.")


class StyleFile(Strict):
    """A file in styles/: option styles, shots layouts and chat layouts by name."""

    overrides: tuple[str, ...] = Field(
        (), description="Ids of earlier styles that this file replaces."
    )
    options: dict[str, OptionStyle] = Field({}, description="Id -> option style.")
    shots: dict[str, ShotsStyle] = Field({}, description="Id -> few-shot layout.")
    chat: dict[str, ChatStyle] = Field({}, description="Id -> chat layout.")


def draws(pattern: str, id_: str, style: object) -> bool:
    """Whether a pattern selects a style: one of `only_where_named` by its whole id alone."""
    if getattr(style, "only_where_named", False):
        return pattern == id_
    return fnmatchcase(id_, pattern)

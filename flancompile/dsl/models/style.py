"""Styles: how answer options, exemplars and dialogues are laid out, as data.

All texts here are Jinja over a few names only, so a style is one small entry of a YAML file.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from flancompile.dsl.models.base import Strict, TemplateText

__all__ = ["ChatStyle", "OptionStyle", "ShotsStyle", "StyleFile", "StyleNames", "draws"]


class OptionStyle(Strict):
    """How a row's options are listed and what the target says of the right one.

    `label` and `item` see `n` (from 1), `letter` (a, b, ...), `LETTER`, `roman`; `item` and `gold`
    also see `label` and `text`; `opening` and `ending` see `count`.
    """

    label: TemplateText = Field("", description='Such as "({{ LETTER }})".')
    item: TemplateText = Field("{{ text }}", description="One option, over `label` and `text`.")
    separator: str = Field("\n", description="Text between two options.")
    opening: TemplateText = ""
    ending: TemplateText = ""
    gold: TemplateText = Field("{{ text }}", description="What `gold` becomes in the target.")
    only_where_named: bool = Field(
        False, description="Drawn only where its id is named in full; `*` does not draw it."
    )
    tags: tuple[str, ...] = Field(
        (), description="Words for readers and tools; they change no build."
    )


class ShotsStyle(Strict):
    """How an instruction, exemplars and the query make a prompt.

    `exemplar` sees `n`, `input`, `target` and `explanation` (a line that shows it alone goes where
    an exemplar has none); `query` sees `n`, `input`; `opening` sees `count`;
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
    """How the turns of a dialogue make one text.

    The text for each role sees `text` and `n` (from 1); `opening` and `between` see nothing. Of an
    assistant's turn, what stands before its slot is prompt, and the slot and all after it are
    learnt.
    """

    opening: TemplateText = Field("", description="Before the first turn.")
    system: TemplateText = "{{ text }}"
    user: TemplateText = "{{ text }}"
    assistant: TemplateText = "{{ text }}"
    tool: TemplateText = Field("{{ text }}", description="What a tool answers.")
    between: TemplateText = Field("\n\n", description="Between two turns; never learnt.")
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

"""Marks around the text of a special token that a layout writes, as against data that spells it.

They are Unicode noncharacters, which data may not hold: they are replaced when a block is loaded.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CLOSE", "OPEN", "REPLACEMENT", "marked", "replaced", "unmarked"]

OPEN, CLOSE, REPLACEMENT = "\ufdd0", "\ufdd1", "\ufffd"
_REMOVED = dict.fromkeys(map(ord, (OPEN, CLOSE)))
_REPLACED = dict.fromkeys(map(ord, (OPEN, CLOSE)), REPLACEMENT)


def marked(text: str) -> str:
    """The text of a special token as layouts write it, to be read as that token."""
    return f"{OPEN}{text}{CLOSE}"


def unmarked(text: str) -> str:
    """A text without the marks of special tokens, for people.

    >>> unmarked(marked("<s>") + "a")
    '<s>a'
    """
    return text.translate(_REMOVED) if OPEN in text or CLOSE in text else text


def replaced(value: Any) -> Any:
    """A value of a row with U+FFFD for each mark in its texts."""
    if isinstance(value, str):
        return value.translate(_REPLACED) if OPEN in value or CLOSE in value else value
    if isinstance(value, dict):
        return {replaced(k): replaced(v) for k, v in value.items()}
    if isinstance(value, list | tuple):  # a map's items are pairs
        return type(value)(map(replaced, value))
    return value

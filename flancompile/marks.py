"""Marks around the text of special tokens, to distinguish them from equal text in the data.

The marks are Unicode noncharacters; those in the data are replaced when a block is loaded.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CLOSE", "OPEN", "REPLACEMENT", "marked", "replaced", "unmarked"]

OPEN, CLOSE, REPLACEMENT = "\ufdd0", "\ufdd1", "\ufffd"
_REMOVED = dict.fromkeys(map(ord, (OPEN, CLOSE)))
_REPLACED = dict.fromkeys(map(ord, (OPEN, CLOSE)), REPLACEMENT)


def marked(text: str) -> str:
    """Mark the text of a special token, so that the tokenizer encodes it as that token."""
    return f"{OPEN}{text}{CLOSE}"


def unmarked(text: str) -> str:
    """Remove the marks of special tokens, for display.

    >>> unmarked(marked("<s>") + "a")
    '<s>a'
    """
    return text.translate(_REMOVED) if OPEN in text or CLOSE in text else text


def replaced(value: Any) -> Any:
    """Replace each mark in the texts of a row's value by U+FFFD."""
    if isinstance(value, str):
        return value.translate(_REPLACED) if OPEN in value or CLOSE in value else value
    if isinstance(value, dict):
        return {replaced(k): replaced(v) for k, v in value.items()}
    if isinstance(value, list | tuple):  # a map's items are pairs
        return type(value)(map(replaced, value))
    return value

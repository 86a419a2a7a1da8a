"""Answer options as an author or a row lists them, and the right one's index: for both engines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flancompile.dsl.jinja.values import RowError, as_text, compared_text, texts_in, whole_number
from flancompile.dsl.models.task import Choices

__all__ = ["Given", "gold_index", "label_texts", "option_text", "option_texts", "written"]

_WHOLE = re.compile(r"\s*([+-]?\d+)(?:\.0*)?\s*")


Given = str | Sequence[str] | None  # an expression, or a literal list


def written(choices: Choices) -> tuple[Given, Given]:
    """The options and their labels; a map from label to text gives both."""
    if isinstance(choices.options, dict):
        return list(choices.options.values()), list(choices.options)
    return choices.options, choices.labels


def option_texts(options: object) -> list[str]:
    """The texts of a list of options.

    Raises RowError for another value than a list, a null, or an item without text.
    """
    return texts_in(_listed(options, "options"), "is an option")


def option_text(value: object) -> str:
    """The text of one option that other rows may use as a distractor. Raises RowError."""
    return as_text(value, "is an option")


def label_texts(labels: object) -> list[str]:
    """The texts of a list of options' labels.

    Raises RowError for another value than a list, a null, or an item without text.
    """
    return [compared_text(v, "a label") or "" for v in _listed(labels, "labels")]


def gold_index(gold: object, texts: Sequence[str], labels: Sequence[str] | None, by: str) -> int:
    """Index of the value of `gold` among the options. Raises RowError if it is none of them.

    An index is a whole number, also as 1.0 or as text; true is 1 and false is 0. A text or label is
    compared by its text, a whole number without a fraction.
    """
    if gold is None:
        raise RowError("choices: no gold answer")
    if by == "index":
        index = _index(gold)
        if not 0 <= index < len(texts):
            raise RowError(f"choices: gold {str(gold)[:40]} is not among {len(texts)} options")
        return index
    text = compared_text(gold, "choices: the gold answer")
    if text is None:
        raise RowError("choices: no gold answer")
    known = (labels or ()) if by == "label" else texts
    if text not in known and str(gold) in known:  # options may be numbers with a fraction, as 1.0
        text = str(gold)
    if text not in known:
        raise RowError(f"choices: gold {text!r} is not among the {by}s")
    index = known.index(text)
    if index >= len(texts):
        raise RowError(f"choices: gold {text!r} is the label of no option; there are {len(texts)}")
    return index


def _index(gold: object) -> int:
    written = _WHOLE.fullmatch(gold) if isinstance(gold, str) else None
    index = int(written[1]) if written is not None else whole_number(gold)
    if index is None:
        raise RowError(f"choices: gold {gold!r} is no index")
    return index


def _listed(value: object, part: str) -> Sequence[object]:
    """The items of a list. Raises RowError for another value, or if an item is null."""
    if isinstance(value, Mapping):
        raise RowError(f"choices: {part} are a map, not a list; `| list` gives its keys")
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise RowError(f"choices: {part} are no list")
    if any(item is None for item in value):
        raise RowError(f"choices: one of the {part} is null")
    return value

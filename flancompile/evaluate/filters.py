"""Answer filters and comparison flags of lm-evaluation-harness.

Source: its `filter_list` (filters) and `exact_match` (flags).
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["apply_filters", "strip_ignored"]


def apply_filters(text: str, steps: Sequence[Mapping[str, Any]]) -> str:
    r"""Apply a task's `eval.filters` to an answer, in order.

    steps: each {regex, select, fallback} | {strip} | {case} | {map, default}.

    >>> apply_filters("It is (B) or (C)", [{"regex": r"\((\w)\)", "select": 0}, {"case": "lower"}])
    'b'
    """
    for step in steps:
        if step.get("regex") is not None:
            text = _found(text, step)
        elif step.get("case") is not None:
            text = text.lower() if step["case"] == "lower" else text.upper()
        elif step.get("map") is not None:
            default = step.get("default")
            text = step["map"].get(text, text if default is None else default)
        elif step.get("strip"):
            text = text.strip()
    return text


def strip_ignored(text: str, ignore: Mapping[str, Any]) -> str:
    """Remove the parts of a text that a comparison ignores, in the harness's order.

    ignore: `regexes_to_ignore`, `ignore_case`, `ignore_punctuation`, `ignore_numbers`.

    >>> strip_ignored("The U.S.", {"ignore_case": True, "ignore_punctuation": True})
    'the us'
    """
    for pattern in ignore.get("regexes_to_ignore") or ():
        text = re.sub(pattern, "", text)
    if ignore.get("ignore_case"):
        text = text.lower()
    gone = string.punctuation if ignore.get("ignore_punctuation") else ""
    gone += string.digits if ignore.get("ignore_numbers") else ""
    return text.translate(str.maketrans("", "", gone))


def _found(text: str, step: Mapping[str, Any]) -> str:
    """Match that a step selects (its first group that is not empty), or the step's fallback."""
    fallback: str = step.get("fallback") or ""
    matches = re.findall(step["regex"], text)
    try:
        match = matches[step.get("select") or 0]
    except IndexError:
        return fallback
    if isinstance(match, tuple):
        match = next((group for group in match if group), fallback)
    found: str = match.strip()
    return found

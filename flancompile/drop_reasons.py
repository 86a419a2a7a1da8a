"""Why rows give no example, and why examples have fewer exemplars than requested.

A ledger stores a reason as its text, after which a detail may stand: `TEXT: DETAIL`. Texts are read
back by `Dropped.of` alone; everything else compares members.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

__all__ = ["DropReason", "Dropped", "FewerShots"]

# A quoted value; a number that is no part of a name.
_PARTICULAR = re.compile(r"(?<!\w)'[^']*'(?!\w)|(?<![A-Za-z_\d])\d+(?:[.,]\d+)*(?![A-Za-z_])")


class DropReason(StrEnum):
    """Why a row gives no example. `VALUES`: its values do not fit, for which the detail is all."""

    WHERE = "where"
    NO_TEMPLATE = "no template applies"
    TEMPLATE_CONDITION = "the template does not apply"
    EMPTY_INPUT = "the input is empty"
    EMPTY_TARGET = "the target is empty"
    LONG_PROMPT = "the prompt is over-long"
    LONG_TARGET = "the target is over-long"
    SEVERAL_ANSWERS = "several answers in one example; an encoder–decoder takes one"
    NO_OPTIONS = "no options to rank"
    RESERVED = "reserved for exemplars"
    READING = "when read"
    BEYOND_MAX_ROWS = "beyond max_rows"
    BEYOND_CAP = "beyond the cap"
    BEYOND_QUOTA = "beyond the quota"
    NOT_REACHED = "not reached"
    VALUES = ""

    def with_detail(self, detail: str) -> str:
        """The reason's text with a detail."""
        return f"{self}: {detail}" if self else detail


class FewerShots(StrEnum):
    """Why an example has fewer exemplars than requested; of several causes, the last."""

    OVER_LONG = "exemplars left out for length"
    TOO_FEW = "too few exemplars to draw"
    NO_LAYOUT = "no layout for exemplars"
    DIALOGUE = "a dialogue has no exemplars"


class Dropped(NamedTuple):
    """A drop reason with its detail about the row; the detail may be empty."""

    reason: DropReason
    detail: str = ""

    @classmethod
    def of(cls, text: str) -> Dropped:
        """The reason that a text gives.

        >>> Dropped.of("where")
        Dropped(reason=<DropReason.WHERE: 'where'>, detail='')
        >>> Dropped.of("field text: no 'body'").reason
        <DropReason.VALUES: ''>
        """
        if text in _BY_TEXT:
            return cls(_BY_TEXT[text])
        head, _, detail = text.partition(": ")
        reason = _BY_TEXT.get(head)
        return cls(DropReason.VALUES, text) if reason is None else cls(reason, detail)

    def __str__(self) -> str:
        return self.reason.with_detail(self.detail) if self.detail else str(self.reason)

    @property
    def is_intended(self) -> bool:
        """Whether the author leaves the row out by a condition that could be evaluated."""
        return self.reason in _CONDITIONS and not self.detail

    @property
    def general(self) -> str:
        """The text without quoted values and numbers, which differ from row to row.

        >>> Dropped.of("field label: no item 7 in 'abc' (part-00001.csv:12)").general
        "field label: no item … in '…' (part-….csv:…)"
        """
        if not self.detail:
            return str(self.reason)
        detail = _PARTICULAR.sub(lambda m: "'…'" if m[0][0] == "'" else "…", self.detail)
        return self.reason.with_detail(detail)


_CONDITIONS = frozenset({DropReason.WHERE, DropReason.NO_TEMPLATE})
_BY_TEXT = {reason.value: reason for reason in DropReason if reason}

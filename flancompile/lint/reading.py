"""Settings of a data check: how many rows of which tasks and splits are linted."""

from __future__ import annotations

from dataclasses import dataclass

from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["SAMPLE_ROWS", "Reading"]

SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Reading:
    """Settings of a data check.

    rows: rows per split, None for all; length: maximum tokens per example; write_lock: write the
    types of columns to the library's schemas.lock; select: a selector of tasks; on_hand: skip tasks
    whose data is not on this machine; split: lint this split only. Default: training and
    evaluation.
    """

    rows: int | None = SAMPLE_ROWS
    tokenizer: Tokenizer | None = None
    length: int | None = None
    write_lock: bool = True
    select: str = "all"
    on_hand: bool = False
    split: str | None = None

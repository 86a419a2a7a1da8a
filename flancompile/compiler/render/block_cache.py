"""Values of a block's rows that its epochs, and the tasks over it, share."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from flancompile.compiler.render.option_lists import OptionLists
from flancompile.lowering.column import Column

__all__ = ["BlockCache", "LastTemplates", "Table", "TemplatesByArm"]

T = TypeVar("T")
Flags = npt.NDArray[np.bool_]
Table = dict[tuple[Hashable, str], T]  # by the source of a value, and the `for_each` variable
TemplatesByArm = tuple[tuple[int, ...], ...]  # by 2 * (options are shown) + (with a rationale)


@dataclass(frozen=True)
class LastTemplates:
    """The templates of a block's rows in an epoch, from which the next epoch continues.

    given: a digest of everything else that determines them; templates: int64[rows].
    """

    given: bytes
    epoch: int
    templates: npt.NDArray[np.int64]


@dataclass
class BlockCache:
    """Cached values that depend only on the block's fields and a task's texts.

    digests: uint64[rows], by names of fields; spellings: rows that spell special tokens; filled:
    rows where a field has text; conditions: (rows where one is true, rows where the column engine
    can decide); lets: (columns of the names, rows that it cannot compute); templates,
    templates_by_row: of the last epoch, by task, seed and arms, for the column engine and the row
    engine.
    """

    digests: Table[npt.NDArray[np.uint64]] = field(default_factory=dict)
    spellings: Table[Flags] = field(default_factory=dict)
    filled: Table[Flags] = field(default_factory=dict)
    conditions: Table[tuple[Flags, Flags]] = field(default_factory=dict)
    lets: Table[tuple[dict[str, Column], Flags]] = field(default_factory=dict)
    option_lists: Table[OptionLists] = field(default_factory=dict)
    templates: dict[Hashable, LastTemplates] = field(default_factory=dict)
    templates_by_row: dict[Hashable, dict[int, tuple[TemplatesByArm, int, int]]] = field(
        default_factory=dict
    )

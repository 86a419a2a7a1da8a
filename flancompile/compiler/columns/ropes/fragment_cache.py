"""Fragments of a block's columns under one tokenizer, which its epochs share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.ropes.programs import Form

__all__ = ["FragmentCache", "Printed"]

Ints = npt.NDArray[np.int64]
Printed = tuple[Ints, npt.NDArray[np.bool_] | None]  # fragments of each row; rows not sure, if any


@dataclass
class FragmentCache:
    """What depends on the block's fields and the tokenizer alone, each worked out once.

    printed: of fields, by name and filters; options: of lists of options, by the id of a list that
    is kept beside them; forms: of inputs and targets, by their texts; exact: whether decoding gives
    a target back.
    """

    printed: dict[tuple[str, Hashable], Printed] = field(default_factory=dict)
    options: dict[int, tuple[object, Ints]] = field(default_factory=dict)
    forms: dict[Hashable, Sequence[Form | None]] = field(default_factory=dict)
    exact: dict[str, bool] = field(default_factory=dict)

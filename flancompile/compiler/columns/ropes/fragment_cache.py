"""Cache of a block's fragments under one tokenizer, shared by the epochs of the block."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.ropes.programs import Form

__all__ = ["FragmentCache", "Printed"]

Ints = npt.NDArray[np.int64]
Printed = tuple[Ints, npt.NDArray[np.bool_] | None]  # fragment of each row; rows that fall back


@dataclass
class FragmentCache:
    """Values that depend only on the block's fields and the tokenizer.

    printed: fragments of fields, by name and filters; options: fragments of lists of options, by
    the `id` of a list, which the entry keeps alive; forms: of inputs and targets, by their texts;
    exact: whether a target survives encoding and decoding.
    """

    printed: dict[tuple[str, Hashable], Printed] = field(default_factory=dict)
    options: dict[int, tuple[object, Ints]] = field(default_factory=dict)
    forms: dict[Hashable, Sequence[Form | None]] = field(default_factory=dict)
    exact: dict[str, bool] = field(default_factory=dict)

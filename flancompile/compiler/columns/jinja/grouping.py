"""Rows that are alike, taken together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.jinja.column import Rows

__all__ = ["groups", "valued"]

Ints = npt.NDArray[np.int64]


def groups(keys: Ints) -> Iterator[tuple[int, Rows]]:
    """Each value with the places where it stands, ascending."""
    if len(keys) == 0:
        return
    values, of = valued(keys)
    narrow = of.astype(np.uint16) if len(values) < 1 << 16 else of  # which sorts in one pass
    order = np.argsort(narrow, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=len(values)))
    yield from zip(values.tolist(), np.split(order, ends[:-1]), strict=True)


def valued(keys: Ints) -> tuple[Ints, Ints]:
    """(the values, ascending; each key's place among them), of keys that are not negative."""
    if len(keys) == 0 or int(keys.max()) >= 1 << 16:
        values, of = np.unique(keys, return_inverse=True)
        return values, of
    held = np.bincount(keys) > 0
    return np.flatnonzero(held), (np.cumsum(held) - 1)[keys]

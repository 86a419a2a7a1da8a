"""Group rows by integer keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from flancompile.lowering.column import Rows

__all__ = ["groups", "unique_combinations", "unique_keys"]

Ints = npt.NDArray[np.int64]


def groups(keys: Ints) -> Iterator[tuple[int, Rows]]:
    """Each distinct key, ascending, with its rows, ascending. keys: int64[rows], not negative."""
    if len(keys) == 0:
        return
    values, of = unique_keys(keys)
    narrow = of.astype(np.uint16) if len(values) < 1 << 16 else of  # radix sort of 16-bit keys
    order = np.argsort(narrow, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=len(values)))
    yield from zip(values.tolist(), np.split(order, ends[:-1]), strict=True)


def unique_combinations(keys: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Number the distinct combinations of keys. keys: int64[rows] each, not negative.

    -> (a row of each combination, each row's combination int64[rows])
    """
    of = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        of = unique_keys(of * (int(key.max(initial=0)) + 1) + key)[1]
    rows = np.zeros(int(of.max(initial=-1)) + 1, np.int64)
    rows[of] = np.arange(len(of))
    return rows, of


def unique_keys(keys: Ints) -> tuple[Ints, Ints]:
    """Distinct keys, ascending, and each key's index among them. keys: not negative."""
    if len(keys) == 0 or int(keys.max()) >= 1 << 16:
        values, of = np.unique(keys, return_inverse=True)
        return values, of
    present = np.bincount(keys) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]

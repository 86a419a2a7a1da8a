"""Parts of hash tables of distinct texts: growing arrays, and rehashing of slots."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit

__all__ = ["grown", "rehash"]


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Copy of an array with `size` items, zero beyond its old length."""
    out = np.zeros(size, array.dtype)
    out[: len(array)] = array
    return out


@njit
def rehash(slots, hashes, count):  # type: ignore[no-untyped-def]
    """Insert the first `count` entries into empty slots, in place.

    slots: int32[power of two], -1 where empty, else an entry; hashes: uint64[entries].
    """
    mask = np.uint64(len(slots) - 1)
    for entry in range(count):
        slot = (hashes[entry] ^ (hashes[entry] >> np.uint64(29))) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = entry

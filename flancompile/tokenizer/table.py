"""What tables of distinct texts share: arrays that grow, and slots found by a text's hash."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["grown", "rehash"]


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The array with room for `size` items; what is new is zero."""
    out = np.zeros(size, array.dtype)
    out[: len(array)] = array
    return out


@numba.njit(cache=True)
def rehash(slots, hashes, count):  # type: ignore[no-untyped-def]
    """Put the first `count` entries into empty slots (-1), a power of two of them."""
    mask = np.uint64(len(slots) - 1)
    for entry in range(count):
        slot = (hashes[entry] ^ (hashes[entry] >> np.uint64(29))) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = entry

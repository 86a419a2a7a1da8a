"""Hash tables of distinct texts: open addressing over FNV-1a hashes, with linear probing.

Entries are numbered from 0. The bytes of entry e are letters[starts[e] : starts[e + 1]], its hash
is hashes[e]; `slots` (int32[power of two], at most half full) has entries, -1 where empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit

__all__ = ["grown", "intern", "rehash"]


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Copy of an array with `size` items, zero beyond its old length."""
    out = np.zeros(size, array.dtype)
    out[: len(array)] = array
    return out


@njit
def intern(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    data, begins, ends, slots, hashes, starts, letters, count, out
):
    """Look up each text data[begin:end], and insert new ones. -> out: entries; count[0] grows.

    data, letters: uint8; begins, ends, out: [texts]. The arrays must have room for all texts.
    """
    prime, mask = np.uint64(0x100000001B3), np.uint64(len(slots) - 1)
    for text in range(len(begins)):
        begin, end = begins[text], ends[text]
        size = end - begin
        hashed = np.uint64(0xCBF29CE484222325)
        for at in range(begin, end):
            hashed = (hashed ^ np.uint64(data[at])) * prime
        slot = (hashed ^ (hashed >> np.uint64(29))) & mask
        entry = slots[slot]
        while entry >= 0:
            if hashes[entry] == hashed and starts[entry + 1] - starts[entry] == size:
                same, stored = True, starts[entry]
                for k in range(size):
                    if letters[stored + k] != data[begin + k]:
                        same = False
                        break
                if same:
                    break
            slot = (slot + np.uint64(1)) & mask
            entry = slots[slot]
        if entry < 0:
            entry = count[0]
            slots[slot], hashes[entry] = entry, hashed
            stored = starts[entry]
            for k in range(size):
                letters[stored + k] = data[begin + k]
            starts[entry + 1] = stored + size
            count[0] += 1
        out[text] = entry


@njit
def rehash(slots, hashes, count):  # type: ignore[no-untyped-def]
    """Insert the first `count` entries into empty slots, in place."""
    mask = np.uint64(len(slots) - 1)
    for entry in range(count):
        slot = (hashes[entry] ^ (hashes[entry] >> np.uint64(29))) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = entry

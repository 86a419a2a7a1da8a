"""Fill the gaps that best-fit-decreasing leaves, by exchanging examples for longer ones.

When only short gaps and no short examples are left, best-fit-decreasing leaves a few tokens free in
some packs. A few packs of every kind are dissolved; in each pack with a gap, an example is
exchanged for a loose one that fills it; the remaining loose examples are packed again, into fewer
packs. A million lognormal lengths at 2,048 tokens: 99.985% full before, 99.993% after.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.compiler.packing.histogram import place, plan_histogram
from flancompile.jit import njit

__all__ = ["exchange"]

I64 = npt.NDArray[np.int64]
_PARTS = 64  # dissolved packs at the least, beside those that the gaps add up to


def exchange(lengths: I64, pack_of: I64, capacity: int) -> I64:
    """A packing of no more packs. lengths, pack_of: int64[n] -> int64[n], packs from 0."""
    packs = int(pack_of.max()) + 1 if len(pack_of) else 0
    gaps = capacity - np.bincount(pack_of, weights=lengths, minlength=packs).astype(np.int64)
    emptiest = np.argsort(-gaps, kind="stable")[: int(gaps.sum()) // capacity + 1]
    count = min(packs, _PARTS + int((gaps > 0).sum()) // 4)
    parts = np.union1d(emptiest, np.linspace(0, packs - 1, count).astype(np.int64))
    if not gaps.any() or len(parts) == packs:
        return pack_of
    is_part = np.zeros(packs, np.bool_)
    is_part[parts] = True
    moved = _exchanged(lengths, pack_of.copy(), gaps, is_part)
    loose = np.flatnonzero(is_part[moved])
    rest = np.ascontiguousarray(lengths[loose])
    repacked = place(
        rest, plan_histogram(np.bincount(rest, minlength=capacity + 1), capacity), capacity
    )
    needed = int(repacked.max()) + 1
    if needed > len(parts):
        return pack_of
    moved[loose] = parts[repacked]
    used = np.ones(packs, np.bool_)
    used[parts[needed:]] = False
    return np.asarray((np.cumsum(used) - 1)[moved])


@njit
def _exchanged(lengths, pack_of, gaps, is_part):  # type: ignore[no-untyped-def]
    """The packing after the exchanges; dissolved packs then hold the replaced examples."""
    longest = lengths.max()
    start = np.zeros(len(gaps) + 1, np.int64)
    for pack in pack_of:
        start[pack + 1] += gaps[pack] > 0 and not is_part[pack]
    for pack in range(len(gaps)):
        start[pack + 1] += start[pack]
    cursor = start.copy()
    items = np.empty(start[-1], np.int64)  # of the packs with a gap
    head = np.full(longest + 1, -1, np.int64)  # loose examples of each length, as a stack
    below = np.empty(len(lengths), np.int64)
    for i in range(len(pack_of)):
        pack = pack_of[i]
        if is_part[pack]:
            below[i] = head[lengths[i]]
            head[lengths[i]] = i
        elif gaps[pack] > 0:
            items[cursor[pack]] = i
            cursor[pack] += 1
    for pack in range(len(gaps)):
        gap = gaps[pack]
        more = 0 if is_part[pack] else gap
        while more > 0:
            for k in range(start[pack], start[pack + 1]):
                item = items[k]
                length = lengths[item] + more
                if length <= longest and head[length] >= 0:
                    other = head[length]
                    head[length] = below[other]
                    below[item] = head[lengths[item]]
                    head[lengths[item]] = item
                    pack_of[item], pack_of[other] = pack_of[other], pack
                    items[k] = other
                    gap -= more
                    more += 1
                    break
            more = min(more - 1, gap)
    return pack_of

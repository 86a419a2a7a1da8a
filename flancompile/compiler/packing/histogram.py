"""Best-fit-decreasing in one dimension, exact, from the histogram of lengths alone.

Packs with the same free size are interchangeable, so all examples of one length are placed at once:
the fullest packs first, each taking as many as fit, then new packs. The plan is a few thousand
operations and does not grow with the number of examples (100 million lengths: 0.3 ms at 2,048
tokens, 1.1 ms at 8,192); only `place`, which assigns each example its pack, is linear.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit

__all__ = ["place", "plan_histogram"]

I64 = npt.NDArray[np.int64]


def plan_histogram(counts: npt.NDArray[np.int64], capacity: int) -> I64:
    """The operations of best-fit-decreasing. counts: int64[capacity + 1], one a length.

    -> int64[operations, 4], rows (length, free, packs, each): `packs` packs with `free` tokens left
    take `each` examples of `length`; free == capacity means new packs. Raises ValueError.

    >>> plan_histogram(np.bincount([5, 3, 3, 2], minlength=9), 8).tolist()
    [[5, 8, 1, 1], [3, 3, 1, 1], [3, 8, 1, 1], [2, 5, 1, 1]]
    """
    if capacity < 1 or len(counts) != capacity + 1:
        raise ValueError(f"capacity {capacity} needs {capacity + 1} counts, not {len(counts)}")
    if counts[0]:
        raise ValueError("an example of length 0 cannot be packed")
    return np.asarray(_plan(np.asarray(counts, np.int64)))


def place(lengths: I64, operations: I64, capacity: int) -> I64:
    """The pack of each example under a plan. lengths: int64[n] -> int64[n], packs from 0."""
    return np.asarray(_place(lengths, operations, capacity))


_BLOCK = 64  # free sizes are also counted in blocks, so that the search skips empty stretches


@njit
def _plan(counts):  # type: ignore[no-untyped-def]
    capacity = len(counts) - 1
    waiting = np.zeros(capacity + 1, np.int64)  # packs of each free size
    in_block = np.zeros(capacity // _BLOCK + 1, np.int64)  # the same, a block of sizes
    operations = np.empty((1024, 4), np.int64)
    done = 0
    for length in range(capacity, 0, -1):
        left = counts[length]
        free = length
        while left > 0:
            while free < capacity and waiting[free] == 0:
                free = free + 1 if in_block[free // _BLOCK] else (free // _BLOCK + 1) * _BLOCK
            free = min(free, capacity)
            each = min(free // length, left)
            packs = left // each
            # No pack waits with its whole capacity free: such a one would be empty.
            if free < capacity:
                packs = min(packs, waiting[free])
                waiting[free] -= packs
                in_block[free // _BLOCK] -= packs
            if done == len(operations):
                operations = np.concatenate((operations, np.empty_like(operations)))
            operations[done] = (length, free, packs, each)
            done += 1
            left -= packs * each
            waiting[free - each * length] += packs
            in_block[(free - each * length) // _BLOCK] += packs
    return operations[:done].copy()


@njit
def _place(lengths, operations, capacity):  # type: ignore[no-untyped-def]
    by_length, cursor = _sorted_by_length(lengths, capacity)
    head = np.full(capacity + 1, -1, np.int64)  # the packs of each free size, as a stack
    below = np.empty(len(lengths), np.int64)
    pack_of = np.empty(len(lengths), np.int64)
    opened = 0
    for k in range(len(operations)):
        length, free, packs, each = operations[k]
        rest = free - each * length
        for _ in range(packs):
            if free == capacity:
                pack = opened
                opened += 1
            else:
                pack = head[free]
                head[free] = below[pack]
            for _ in range(each):
                pack_of[by_length[cursor[length]]] = pack
                cursor[length] += 1
            below[pack] = head[rest]
            head[rest] = pack
    return pack_of


@njit
def _sorted_by_length(lengths, capacity):  # type: ignore[no-untyped-def]
    """Examples by length in their given order, and the start of each length: a counting sort."""
    start = np.zeros(capacity + 2, np.int64)
    for length in lengths:
        start[length + 1] += 1
    for length in range(capacity + 1):
        start[length + 1] += start[length]
    cursor = start.copy()
    by_length = np.empty(len(lengths), np.int64)
    for i in range(len(lengths)):
        by_length[cursor[lengths[i]]] = i
        cursor[lengths[i]] += 1
    return by_length, start

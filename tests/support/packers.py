"""Naive packers in one dimension, as references."""


def best_fit_decreasing(lengths: list[int], capacity: int) -> list[int]:
    """The free tokens of each pack, packs in the order in which they are opened."""
    free: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [i for i, f in enumerate(free) if f >= length]
        if fitting:
            free[min(fitting, key=lambda i: free[i])] -= length
        else:
            free.append(capacity - length)
    return free


def next_fit(lengths: list[int], capacity: int) -> list[int]:
    """The pack of each example; a pack is closed when the next example does not fit."""
    pack_of: list[int] = []
    free = capacity
    for length in lengths:
        opens = bool(pack_of) and length > free
        free = (capacity if opens else free) - length
        pack_of.append((pack_of[-1] if pack_of else 0) + opens)
    return pack_of

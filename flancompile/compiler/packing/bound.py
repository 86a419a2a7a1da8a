"""Lower bounds on the number of packs: no packer can need fewer.

The bound separates the packer's loss from the limit that the lengths set. Each dimension alone is a
relaxation of two dimensions, so the larger of their bounds holds for both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["lower_bound"]

I64 = npt.NDArray[np.int64]


def lower_bound(sizes: I64, limits: npt.ArrayLike, max_examples: int | None = None) -> int:
    """Fewest packs that any packing needs. sizes: int64[n, dimensions]; limits: one a dimension.

    >>> lower_bound(np.array([[5], [5], [5]]), [8])
    3
    """
    by_number = -(-len(sizes) // max_examples) if max_examples else 0
    columns = zip(sizes.T, np.asarray(limits).tolist(), strict=True)
    return max(by_number, *(_martello_toth(np.bincount(c, minlength=m + 1)) for c, m in columns))


def _martello_toth(counts: I64) -> int:
    """The bound L2, for every threshold at once (Martello and Toth, Knapsack Problems, 1990, 8.3).

    counts: int64[capacity + 1], one a length. For a threshold t, lengths over half need a pack
    each; those from t to half go beside the ones that leave room for t, or in packs of their own.
    t = 0 gives ceil(sum / capacity).
    """
    capacity = len(counts) - 1
    half = capacity // 2
    # Entry k of each: how many examples, and tokens, the lengths under k have.
    number = np.concatenate([[0], np.cumsum(counts)])
    tokens = np.concatenate([[0], np.cumsum(counts * np.arange(capacity + 1))])
    t = np.arange(half + 1)
    over_half = number[-1] - number[half + 1]
    hosts = number[capacity - t + 1] - number[half + 1]
    room = hosts * capacity - (tokens[capacity - t + 1] - tokens[half + 1])
    homeless = np.maximum(tokens[half + 1] - tokens[t] - room, 0)
    return int((over_half + -(-homeless // capacity)).max())

"""Random draws: keyed and counter-free, over columns of rows; the only source of randomness.

A draw is a pure function of (seed, purpose, task, row digest, epoch, n), so any worker can make it
in any order, and adding a task or a purpose changes no other draw. The scalar part of the key is
hashed once with XXH3; the rows are then mixed in by two rounds of the MurmurHash3 finaliser
(full avalanche), vectorised: about 200 million draws a second on one core.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xxhash

__all__ = ["bits", "digest64", "integers", "order", "uniform", "weighted"]

U64 = npt.NDArray[np.uint64]

_MULTIPLY_1 = np.uint64(0xFF51AFD7ED558CCD)
_MULTIPLY_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


def digest64(*parts: str | int) -> int:
    """A 64-bit digest of names and numbers, with a separation of its parts.

    >>> digest64("ab", "c") == digest64("a", "bc")
    False
    """
    hasher = xxhash.xxh3_64()
    for part in parts:
        data = (f"i{part}" if isinstance(part, int) else f"s{part}").encode(
            "utf-8", "surrogatepass"
        )
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.intdigest()


def bits(
    seed: int, purpose: str, task: str, rows: npt.ArrayLike, epoch: int = 0, n: int = 0
) -> U64:
    """64 random bits for each row digest. rows: uint64[rows] -> uint64[rows].

    n: the number of the draw, of several with one purpose for one row in an epoch.
    """
    key = np.uint64(digest64(seed, purpose, task, epoch, n))
    x = np.asarray(rows, dtype=np.uint64) ^ key
    with np.errstate(over="ignore"):
        x = _mix(x + key)
        return _mix(x ^ (key >> np.uint64(1)))


def uniform(
    seed: int, purpose: str, task: str, rows: npt.ArrayLike, epoch: int = 0, n: int = 0
) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1), 53 bits each. rows: uint64[rows] -> float64[rows]."""
    raw = bits(seed, purpose, task, rows, epoch, n)
    return (raw >> np.uint64(11)).astype(np.float64) * (1.0 / (1 << 53))


def integers(
    high: npt.ArrayLike,
    seed: int,
    purpose: str,
    task: str,
    rows: npt.ArrayLike,
    epoch: int = 0,
    n: int = 0,
) -> npt.NDArray[np.int64]:
    """Integers in [0, high); high: one number, or one for each row. -> int64[rows]."""
    share = uniform(seed, purpose, task, rows, epoch, n)
    return np.floor(share * np.asarray(high, dtype=np.float64)).astype(np.int64)


def weighted(
    weights: npt.ArrayLike,
    seed: int,
    purpose: str,
    task: str,
    rows: npt.ArrayLike,
    epoch: int = 0,
    n: int = 0,
) -> npt.NDArray[np.int64]:
    """Indices into `weights`, drawn in proportion to them. -> int64[rows]."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    point = uniform(seed, purpose, task, rows, epoch, n) * edges[-1]
    drawn: npt.NDArray[np.int64] = np.searchsorted(edges, point, side="right")
    return np.minimum(drawn, len(edges) - 1)


def order(
    seed: int, purpose: str, task: str, rows: npt.ArrayLike, epoch: int = 0
) -> npt.NDArray[np.int64]:
    """A random permutation; rows with equal digests stay in order. -> int64[rows]."""
    keys = bits(seed, purpose, task, rows, epoch)
    places: npt.NDArray[np.int64] = np.argsort(keys, kind="stable")
    return places


def _mix(x: U64) -> U64:
    x = (x ^ (x >> _SHIFT)) * _MULTIPLY_1
    x = (x ^ (x >> _SHIFT)) * _MULTIPLY_2
    return x ^ (x >> _SHIFT)

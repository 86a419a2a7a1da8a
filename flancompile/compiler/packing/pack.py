"""The pack pass: assign examples to packs by their lengths, with a certificate of the fill.

Consecutive windows of the mixture's order are packed separately, except that packs with room are
repacked in the next window. The packs are then shuffled, since a packer fills long examples first.
A smaller window stays nearer to the order: at 2,048 tokens, windows of 20k fill 99.990%, of 100k
99.993%.

One dimension (decoder) is exact best-fit-decreasing (`histogram.py`) followed by exchanges that
fill gaps (`exchange.py`). Two dimensions (encoder–decoder) are filled pack by pack (`vector.py`),
and so is a window of one dimension in which best-fit-decreasing exceeds `max_examples`; the number
of examples is then the second dimension. Best-fit-decreasing with such a limit ends in packs of
only short examples (8,192 tokens, at most 32 examples: 39% more packs than the bound, against
0.4%).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.compiler.packing.bound import lower_bound
from flancompile.compiler.packing.exchange import exchange
from flancompile.compiler.packing.histogram import place, plan_histogram
from flancompile.compiler.packing.vector import pack_vectors
from flancompile.jit import njit

__all__ = ["Certificate", "PackPlan", "lower_bound", "pack", "plan_histogram"]

I64 = npt.NDArray[np.int64]
_FULL = 0.98  # packs of a window that are less full than this wait for the next one,
_WAITING = 8  # but of no more examples than this part of a window


@dataclass(frozen=True, slots=True)
class Certificate:
    """Fill of the packs, and of the fewest packs that any packing could need.

    fill: share of tokens that are not padding, for each dimension; bound_fill: the same under
    `lower_bound` packs. The bound is for all examples at once, so the difference includes the loss
    by windows.
    """

    method: str
    packs: int
    lower_bound: int
    fill: tuple[float, ...]
    bound_fill: tuple[float, ...]
    window: int
    max_examples: int | None

    def as_dict(self) -> dict[str, Any]:
        """The certificate as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PackPlan:
    """Pack p holds examples `items[offsets[p]:offsets[p + 1]]`, in the mixture's order.

    items: int64[examples], indexes into the given lengths; offsets: int64[packs + 1].
    """

    items: I64
    offsets: I64
    certificate: Certificate

    def __len__(self) -> int:
        return len(self.offsets) - 1


def pack(
    lengths: npt.NDArray[Any],
    capacity: int | tuple[int, int],
    *,
    window: int = 100_000,
    max_examples: int | None = None,
    enabled: bool = True,
    seed: int = 0,
) -> PackPlan:
    """Pack examples, given in the mixture's order.

    lengths: int[examples], or int[examples, 2] (input, target); capacity: tokens a pack, of one or
    two dimensions. Raises ValueError for a length outside 1 to the capacity.
    """
    if window < 1 or (max_examples is not None and max_examples < 1):
        raise ValueError(f"window {window} and max_examples {max_examples} must be at least 1")
    limits = capacity if isinstance(capacity, tuple) else (capacity,)
    sizes = _checked(lengths, limits)
    if enabled:
        pack_of, method = _in_windows(sizes, limits, window, max_examples)
    else:
        pack_of, method = np.arange(len(sizes)), "one example a pack"
    packs = int(pack_of.max()) + 1 if len(pack_of) else 0
    place_of = np.empty(packs, np.int64)
    place_of[draw.order(seed, "packs", "", np.arange(packs, dtype=np.uint64))] = np.arange(packs)
    items, offsets = _gathered(place_of[pack_of], packs)
    bound = lower_bound(sizes, limits, max_examples if enabled else 1)
    worth = sizes.sum(axis=0) / np.array(limits)  # packs that the tokens would just fill
    fill, bound_fill = (tuple((worth / max(n, 1)).tolist()) for n in (packs, bound))
    certificate = Certificate(method, packs, bound, fill, bound_fill, window, max_examples)
    return PackPlan(items, offsets, certificate)


def _checked(lengths: npt.NDArray[Any], limits: tuple[int, ...]) -> I64:
    """The lengths as int64[n, dimensions], each within its limit."""
    sizes = np.asarray(lengths, np.int64)
    sizes = sizes[:, None] if sizes.ndim == 1 else sizes
    if sizes.shape[1] != len(limits):
        raise ValueError(f"lengths have {sizes.shape[1]} dimensions, the capacity {len(limits)}")
    wrong = ((sizes < 1) | (sizes > np.array(limits))).any(axis=1)
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(f"example {at} has length {sizes[at].tolist()}, a pack has {list(limits)}")
    return sizes


def _in_windows(
    sizes: I64, limits: tuple[int, ...], window: int, max_examples: int | None
) -> tuple[I64, str]:
    """The pack of each example, window by window, and the methods used."""
    pack_of = np.empty(len(sizes), np.int64)
    packs = 0
    methods = set()
    left = np.zeros(0, np.int64)
    for start in range(0, len(sizes), window):
        stop = min(start + window, len(sizes))
        items = np.concatenate([left, np.arange(start, stop)])
        found, method = _one_window(sizes[items], limits, max_examples)
        methods.add(method)
        waits = np.zeros(int(found.max()) + 1, np.bool_)
        if stop < len(sizes):
            waits = _with_room(sizes[items], found, limits, window // _WAITING)
        pack_of[items] = (np.cumsum(~waits) - 1)[found] + packs
        packs += int((~waits).sum())
        left = items[waits[found]]
    return pack_of, ", ".join(sorted(methods))


def _with_room(sizes: I64, found: I64, limits: tuple[int, ...], most: int) -> npt.NDArray[np.bool_]:
    """The emptiest packs, of at most so many examples in all, to repack in the next window."""
    worth = [np.bincount(found, weights=sizes[:, d]) / limit for d, limit in enumerate(limits)]
    full = np.max(worth, axis=0)
    emptiest = np.argsort(full, kind="stable")
    examples = np.cumsum(np.bincount(found)[emptiest])
    waits = np.zeros(len(full), np.bool_)
    waits[emptiest[(examples <= most) & (full[emptiest] <= _FULL)]] = True
    return waits


def _one_window(sizes: I64, limits: tuple[int, ...], max_examples: int | None) -> tuple[I64, str]:
    if len(limits) == 2:
        return pack_vectors(sizes, (limits[0], limits[1]), max_examples), "norm-based greedy"
    lengths = np.ascontiguousarray(sizes[:, 0])
    operations = plan_histogram(np.bincount(lengths, minlength=limits[0] + 1), limits[0])
    placed = place(lengths, operations, limits[0])
    for found in (exchange(lengths, placed, limits[0]), placed):
        if max_examples is None or np.bincount(found).max() <= max_examples:
            return found, "best-fit-decreasing, gaps exchanged"
    assert max_examples is not None  # else the first one was right
    pairs = np.stack([lengths, np.ones_like(lengths)], axis=1)
    return pack_vectors(pairs, (limits[0], max_examples), max_examples), "norm-based greedy"


@njit
def _gathered(pack_of, packs):  # type: ignore[no-untyped-def]
    """Items and offsets by a counting sort, so that each pack keeps the order of its items."""
    offsets = np.zeros(packs + 1, np.int64)
    for p in pack_of:
        offsets[p + 1] += 1
    for p in range(packs):
        offsets[p + 1] += offsets[p]
    cursor = offsets.copy()
    items = np.empty(len(pack_of), np.int64)
    for i in range(len(pack_of)):
        items[cursor[pack_of[i]]] = i
        cursor[pack_of[i]] += 1
    return items, offsets

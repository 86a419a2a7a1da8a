"""Ropes: texts as lists of fragment numbers, and the programs that build them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit

__all__ = ["Program", "Ropes"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Program:
    """A concatenation of literals and slots. parts: literals and slot numbers, in order.

    tested: slots whose texts must not be empty; width: count of slots filled from the row;
    filtered: (source slot, filters) of each slot from `width` on.
    """

    parts: tuple[str | int, ...]
    tested: frozenset[int] = frozenset()
    width: int = 0
    filtered: tuple[tuple[int, Hashable], ...] = ()


@dataclass(frozen=True)
class Ropes:
    """Texts as lists of fragment numbers.

    fragments: int32[total]; ends: int64[texts + 1], offsets into `fragments`.
    """

    fragments: npt.NDArray[np.int32]
    ends: Ints

    @classmethod
    def single(cls, numbers: Ints) -> Ropes:
        """Ropes of one fragment each."""
        return cls(numbers.astype(np.int32), np.arange(len(numbers) + 1))

    @classmethod
    def joined(cls, parts: Sequence[Ropes]) -> Ropes:
        """Concatenate sequences of ropes."""
        flats = [p.fragments[p.ends[0] : p.ends[-1]] for p in parts]
        bases = np.cumsum([0, *map(len, flats)]).tolist()
        ends = [p.ends[1:] + (base - p.ends[0]) for p, base in zip(parts, bases, strict=False)]
        flat = np.concatenate([np.zeros(0, np.int32), *flats])
        return cls(flat, np.concatenate([np.zeros(1, np.int64), *ends]))

    def after(self, fragment: int) -> Ropes:
        """Prepend a fragment to each rope."""
        own = self.fragments[self.ends[0] : self.ends[-1]]
        begins = self.ends[:-1] - self.ends[0]
        ends = self.ends - self.ends[0] + np.arange(len(self.ends))
        return Ropes(np.insert(own, begins, fragment).astype(np.int32), ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def part(self, start: int, stop: int) -> Ropes:
        """Ropes from `start` to `stop`, without a copy."""
        return Ropes(self.fragments, self.ends[start : stop + 1])

    def take(self, places: Ints) -> Ropes:
        """Ropes at `places`, which may repeat."""
        counts = np.diff(self.ends)[places]
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        out = np.empty(int(ends[-1]), np.int32)
        _take(self.fragments, self.ends, places, ends, out)
        return Ropes(out, ends)


@njit
def _take(fragments, ends, places, to, out):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        begin = ends[places[i]]
        for k in range(to[i + 1] - to[i]):
            out[to[i] + k] = fragments[begin + k]

"""Texts as lists of the numbers of their fragments, and what form they have."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["Program", "Strings"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Program:
    """A text's form. parts: literals, and slots by number, in order.

    tested: slots whose texts must not be empty; width: slots that a row gives; made: what further
    slots are made of, as (slot, what is done to its text).
    """

    parts: tuple[str | int, ...]
    tested: frozenset[int] = frozenset()
    width: int = 0
    made: tuple[tuple[int, Hashable], ...] = ()


@dataclass(frozen=True)
class Strings:
    """Texts by the fragments that they are made of.

    fragments: int32[total]; ends: int64[texts + 1], where each begins and the last ends.
    """

    fragments: npt.NDArray[np.int32]
    ends: Ints

    @classmethod
    def single(cls, numbers: Ints) -> Strings:
        """Texts that are one fragment each."""
        return cls(numbers.astype(np.int32), np.arange(len(numbers) + 1))

    @classmethod
    def joined(cls, parts: Sequence[Strings]) -> Strings:
        """The texts of several, one after another."""
        held = [p.fragments[p.ends[0] : p.ends[-1]] for p in parts]
        bases = np.cumsum([0, *map(len, held)]).tolist()
        ends = [p.ends[1:] + (base - p.ends[0]) for p, base in zip(parts, bases, strict=False)]
        flat = np.concatenate([np.zeros(0, np.int32), *held])
        return cls(flat, np.concatenate([np.zeros(1, np.int64), *ends]))

    def after(self, fragment: int) -> Strings:
        """The texts, each with this fragment before it."""
        own = self.fragments[self.ends[0] : self.ends[-1]]
        begins = self.ends[:-1] - self.ends[0]
        ends = self.ends - self.ends[0] + np.arange(len(self.ends))
        return Strings(np.insert(own, begins, fragment).astype(np.int32), ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def part(self, start: int, stop: int) -> Strings:
        """The texts from one place to another."""
        return Strings(self.fragments, self.ends[start : stop + 1])

    def take(self, places: Ints) -> Strings:
        """Some of the texts, as often as their places stand there."""
        counts = np.diff(self.ends)[places]
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        out = np.empty(int(ends[-1]), np.int32)
        _take(self.fragments, self.ends, places, ends, out)
        return Strings(out, ends)


@numba.njit(cache=True, nogil=True)
def _take(fragments, ends, places, to, out):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        begin = ends[places[i]]
        for k in range(to[i + 1] - to[i]):
            out[to[i] + k] = fragments[begin + k]

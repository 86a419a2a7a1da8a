"""Ragged array of ids: texts of different lengths as one flat array and offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit

__all__ = ["Ragged", "gather"]


@dataclass(frozen=True)
class Ragged:
    """Ids of texts. ids: uint32[total], concatenated; offsets: int64[texts + 1]."""

    ids: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        """Make one from Python lists of ids.

        >>> Ragged.of([[1, 2], [], [3]]).offsets.tolist()
        [0, 2, 2, 3]
        """
        offsets = _offsets(np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)))
        flat = np.fromiter(chain.from_iterable(lists), dtype=np.uint32, count=int(offsets[-1]))
        return cls(flat, offsets)

    @classmethod
    def joined(cls, arrays: Sequence[npt.NDArray[np.integer]]) -> Ragged:
        """Make one from an array of ids for each text."""
        offsets = _offsets(np.fromiter(map(len, arrays), dtype=np.int64, count=len(arrays)))
        flat = np.concatenate(arrays) if arrays else np.empty(0, dtype=np.uint32)
        return cls(flat.astype(np.uint32, copy=False), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.uint32]:
        """A view of one text's ids; a negative index counts from the end."""
        place = range(len(self))[index]
        return self.ids[self.offsets[place] : self.offsets[place + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[np.uint32]]:
        return (self[i] for i in range(len(self)))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of ids of each text. -> int64[texts]"""
        return np.diff(self.offsets)

    def lists(self) -> list[list[int]]:
        """Ids as Python lists."""
        flat, ends = self.ids.tolist(), self.offsets.tolist()
        return [flat[a:b] for a, b in pairwise(ends)]

    def take(self, indices: npt.ArrayLike) -> Ragged:
        """Select texts by index, in order and with repetitions.

        >>> Ragged.of([[1, 2], [], [3]]).take([2, 0, 2]).lists()
        [[3], [1, 2], [3]]
        """
        places = np.asarray(indices, dtype=np.int64)
        starts, lengths = self.offsets[places], self.lengths[places]
        return Ragged(
            gather(self.ids, starts, lengths).astype(np.uint32, copy=False), _offsets(lengths)
        )

    def replaced(self, places: npt.ArrayLike, other: Ragged) -> Ragged:
        """Replace the texts at `places` by those of `other`, in order."""
        order = np.arange(len(self))
        order[np.asarray(places, dtype=np.int64)] = len(self) + np.arange(len(other))
        both = np.concatenate([self.offsets, other.offsets[1:] + self.offsets[-1]])
        return Ragged(np.concatenate([self.ids, other.ids]), both).take(order)

    def holds(self, marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether each text contains a marked id. marked: bool[vocabulary] -> bool[texts]"""
        before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(marked[self.ids])])
        found: npt.NDArray[np.bool_] = np.diff(before[self.offsets]) > 0
        return found


def gather(
    ids: npt.NDArray[np.integer],
    starts: npt.ArrayLike,
    lengths: npt.ArrayLike,
    dtype: npt.DTypeLike = np.uint32,
) -> npt.NDArray[np.integer]:
    """Concatenate runs of ids. starts, lengths: int64[runs], within `ids`.

    >>> gather(np.array([5, 6, 7, 8], np.uint32), [2, 0], [2, 1]).tolist()
    [7, 8, 5]
    """
    begins, counts = (np.asarray(a, dtype=np.int64).ravel() for a in (starts, lengths))
    out = np.empty(int(counts.sum()), dtype)
    _gather(ids, begins, counts, out)
    return out


@njit
def _gather(ids, starts, lengths, out):  # type: ignore[no-untyped-def]
    place = 0
    for i in range(len(starts)):
        count = lengths[i]
        out[place : place + count] = ids[starts[i] : starts[i] + count]
        place += count


def _offsets(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])

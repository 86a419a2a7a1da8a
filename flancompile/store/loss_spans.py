"""Loss spans of examples: lengths that alternate between tokens without and with loss.

Most examples have two (prompt, target); a chat has two for each turn of the assistant. They are
stored flat, with the edges of each example, as in an Arrow list array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LossSpans"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LossSpans:
    """values: int64[k], lengths in tokens; edges: int64[n + 1], example i has edges[i:i + 2].

    An example has an even number of spans; the first, third, ... carry no loss.
    """

    values: Ints
    edges: Ints

    @classmethod
    def pairs(cls, lengths: npt.NDArray[Any]) -> LossSpans:
        """Loss spans of examples with a prompt and a target. lengths: int64[n, 2]."""
        flat = np.ascontiguousarray(lengths, dtype=np.int64).reshape(-1)
        return cls(flat, np.arange(0, len(flat) + 1, 2, dtype=np.int64))

    @classmethod
    def joined(cls, parts: list[LossSpans]) -> LossSpans:
        """Concatenate several."""
        values = [p.values for p in parts] or [np.zeros(0, np.int64)]
        counts = [p.counts for p in parts] or [np.zeros(0, np.int64)]
        return cls(np.concatenate(values), _edges(np.concatenate(counts)))

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def counts(self) -> Ints:
        """Number of spans of each example. -> int64[n]."""
        return np.diff(self.edges)

    @cached_property
    def sides(self) -> Ints:
        """Tokens of each example without and with loss. -> int64[n, 2]."""
        found = np.empty((len(self), 2), dtype=np.int64)
        for side in (0, 1):
            masked = np.where(np.arange(len(self.values)) % 2 == side, self.values, 0)
            sums = np.concatenate([[0], np.cumsum(masked)])
            found[:, side] = sums[self.edges[1:]] - sums[self.edges[:-1]]
        return found

    def __getitem__(self, example: int) -> Ints:
        """The span lengths of one example. Raises IndexError."""
        if not 0 <= example < len(self):
            raise IndexError(f"example {example} of {len(self)}")
        return self.values[self.edges[example] : self.edges[example + 1]]

    def tolist(self) -> list[list[int]]:
        """The span lengths of each example, as lists."""
        return [self[i].tolist() for i in range(len(self))]

    def part(self, start: int, stop: int) -> LossSpans:
        """The examples from `start` up to `stop`."""
        low, high = self.edges[start], self.edges[stop]
        return LossSpans(self.values[low:high], self.edges[start : stop + 1] - low)

    def take(self, order: npt.NDArray[np.int64]) -> LossSpans:
        """The examples in another order. order: int64[m]."""
        counts = self.counts[order]
        edges = _edges(counts)
        places = np.arange(edges[-1]) - np.repeat(edges[:-1] - self.edges[order], counts)
        return LossSpans(self.values[places], edges)


def _edges(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])

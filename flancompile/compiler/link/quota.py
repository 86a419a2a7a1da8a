"""Number of examples of each task: exact to one example, in examples or in supervised tokens.

Counts are apportioned by largest remainders, so they sum to the requested size. If the size or the
balance is in tokens, counts and mean lengths are computed together, from the very examples that are
taken, until they no longer change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.dsl.models.mixture import Size
from flancompile.errors import fail

__all__ = ["Quotas", "apportion", "quotas"]

ROUNDS = 24


@dataclass(frozen=True)
class Quotas:
    """Number of examples requested of each task, and the number that its rows and epochs allow."""

    requested: Mapping[str, int]
    granted: Mapping[str, int]


def apportion(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers that sum to `total`, in the ratio of the shares (largest remainders).

    >>> apportion(10, {"a": 0.5, "b": 0.25, "c": 0.25})
    {'a': 5, 'b': 3, 'c': 2}
    """
    whole = sum(shares.values())
    exact = {k: total * s / whole if whole else 0.0 for k, s in shares.items()}
    counts = {k: math.floor(e) for k, e in exact.items()}
    rest = total - sum(counts.values()) if whole else 0
    by_remainder = sorted(exact, key=lambda k: (counts[k] - exact[k], k))
    for key in by_remainder[:rest]:
        counts[key] += 1
    return counts


def quotas(
    streams: Streams,
    shares: Mapping[str, float],
    size: Size,
    rate_in: str,
    over: Callable[[str | None], dict[str, float]],
    why: Callable[[], str | None] = lambda: None,
) -> Quotas:
    """Number of examples of each task; builds the streams until they have them.

    shares: of the mixture, by task id, in `rate_in`; over: for `size.passes`, the most examples
    (rows times epochs) of each task of the named member; why: reports why rows are dropped. Raises
    FC408, with that report, if no task gives an example.
    """
    solver = _Solver(streams, {k: s for k, s in shares.items() if s > 0}, rate_in)
    if not solver.shares:
        hint = why() or "`flancompile show TASK` lists the reasons of dropped rows"
        raise fail("FC408", "no task of the mixture gives any example", hint=hint)
    if size.examples is not None:
        granted = solver.of_examples(size.examples)
    elif size.passes is not None:
        granted = solver.of_epochs(size.passes, over(size.over))
    else:
        column = "target" if size.target_tokens is not None else "all"
        granted = solver.of_tokens(int(size.target_tokens or size.tokens or 0), column)
    return Quotas(solver.requested, granted)


class _Solver:
    def __init__(self, streams: Streams, shares: Mapping[str, float], rate_in: str) -> None:
        self.streams = streams
        self.shares = dict(shares)
        self.by_tokens = rate_in == "target_tokens"
        self.requested: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._drop_empty()

    def _drop_empty(self) -> None:
        """Divide the share of tasks without an example among the others."""
        self.streams.ensure(dict.fromkeys(self.shares, 1))
        for id_ in [i for i in self.shares if self.stream(i).usable == 0]:
            del self.shares[id_]

    def stream(self, id_: str) -> Stream:
        return self.streams.streams[id_]

    def of_examples(self, total: int) -> dict[str, int]:
        """Counts that sum to `total`, unless tasks reach their limit of epochs."""
        self.requested = self._settled(lambda: apportion(total, self._example_shares()))
        return self._limited(self.requested)

    def of_epochs(self, epochs: float, rows: Mapping[str, float]) -> dict[str, int]:
        """The most examples for which no task of the named member exceeds so many epochs."""
        if sum(self.shares.get(i, 0.0) for i in rows) <= 0:
            raise fail("FC409", "size: the member that `passes` are counted over has no examples")
        total, counts = 0, dict.fromkeys(self.shares, 0)
        for _ in range(ROUNDS if self.by_tokens else 1):
            parts = self._example_parts()
            most = min(epochs * rows[i] / parts[i] for i in rows if parts.get(i, 0) > 0)
            if max(1, round(most)) == total:
                break
            total = max(1, round(most))
            counts = self.of_examples(total)
        return counts

    def of_tokens(self, requested: int, column: str) -> dict[str, int]:
        """The fewest examples in the mixture's ratio whose tokens reach `wanted`."""
        low, high = 0, 64
        while self._tokens(self.of_examples(high), column) < requested:
            low, grown = high, self._tokens(self.of_examples(high), column)
            guess = int(high * requested / max(grown, 1) * 1.02) + 1
            if self._exhausted(high):
                return self.of_examples(high)
            high = min(max(high + 1, guess), high * 64)
        while high - low > 1:
            middle = (low + high) // 2
            if self._tokens(self.of_examples(middle), column) < requested:
                low = middle
            else:
                high = middle
        return self.of_examples(high)

    def _exhausted(self, total: int) -> bool:
        """Whether every task then gives all that its epochs allow."""
        for id_, count in self.of_examples(total).items():
            limit = self.stream(id_).limit()
            if limit is None or count < limit:
                return False
        return True

    def _example_shares(self) -> dict[str, float]:
        if not self.by_tokens:
            return self.shares
        return {i: s / self._mean_target(i) for i, s in self.shares.items()}

    def _example_parts(self) -> dict[str, float]:
        """Each task's part of the examples, under the mean lengths of the last counts."""
        shares = self._example_shares()
        whole = sum(shares.values()) if self.by_tokens else 1.0
        return {i: s / whole for i, s in shares.items()}

    def _mean_target(self, id_: str) -> float:
        count = self._counts.get(id_) or self.stream(id_).usable
        return float(self.stream(id_).lengths(max(1, count))[:, 1].mean())

    def _settled(self, counted: Callable[[], dict[str, int]]) -> dict[str, int]:
        """Repeat until the counts no longer move: mean lengths depend on the counts."""
        self._counts = {}
        for _ in range(ROUNDS if self.by_tokens else 1):
            counts = counted()
            self.streams.ensure(counts)
            if counts == self._counts:
                break
            self._counts = counts
        return counts

    def _limited(self, counts: Mapping[str, int]) -> dict[str, int]:
        limits = {i: self.stream(i).limit() for i in counts}
        return {i: c if (m := limits[i]) is None else min(c, m) for i, c in counts.items()}

    def _tokens(self, counts: Mapping[str, int], column: str) -> int:
        total = 0
        for id_, count in counts.items():
            prompt, target = self.stream(id_).lengths(count).sum(axis=0).tolist()
            total += target + (prompt if column == "all" else 0)
        return total

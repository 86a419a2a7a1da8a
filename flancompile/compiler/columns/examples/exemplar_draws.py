"""Draw exemplars for all rows at once, in the order of `Pool.candidates`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.compiler.render.exemplars import ColumnPools, Pool
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.jinja.values import compared_key
from flancompile.jit import njit

__all__ = ["draw_shots"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
NONE = -1


def draw_shots(
    pool: Pool,
    queries: RowSet,
    at: Ints,
    shots: Ints,
    fits: Flags,
    kinds: Ints,
    column_pools: ColumnPools | None = None,
) -> Ints:
    """Draw exemplars for the queries at rows `at`.

    shots: int64[queries], exemplars requested; fits: bool[kinds, pool rows], whether a row of the
    pool can be shown under a kind (template, with or without options); kinds: int64[queries], the
    kind of each query's exemplars; column_pools: ranges of the pool, if each query has its own.
    -> int64[queries, most], rows of the pool in the order shown, -1 for none
    """
    peers, starts, counts = (
        _peers(pool, queries, at) if column_pools is None else _own_peers(column_pools)
    )
    offer = _Offer(pool, queries, at, peers, starts, counts, fits, kinds)
    return offer.taken(shots)


class _Offer:
    """Candidates of a pool for some queries, and the rules that exclude them."""

    def __init__(
        self, pool: Pool, queries: RowSet, at: Ints, peers: Ints, starts: Ints, counts: Ints,
        fits: Flags, kinds: Ints,
    ) -> None:  # fmt: skip
        self.queries, self.at, self.fits, self.kinds = queries, at, fits, kinds
        self.peers, self.starts, self.counts = peers, starts, counts
        self.own = pool.rows is queries
        self.own_split = pool.rows.origin == queries.origin
        self.pool = (pool.rows.digests, pool.rows.example_digest)
        self.mine = (queries.digests[at], queries.example_digest[at])
        none, name = np.zeros(0, np.uint64), pool.settings.unlike
        self.unlike = (none, none)
        if name is not None:
            self.unlike = (pool.rows.folded(name), queries.folded(name)[at])
        settings = pool.settings
        self.fixed = settings.is_fixed
        self.by_file = settings.source not in ("drawn", "reserved") and settings.order == "file"

    def taken(self, shots: Ints) -> Ints:
        """Draw for each query. -> int64[queries, most], rows of the pool, -1 for none"""
        most = int(shots.max(initial=0))
        last = 4 * most + 8
        taken, tried = (np.full((len(self.at), n), NONE, np.int64) for n in (most, last))
        found = np.zeros(len(self.at), np.int64)
        open_ = np.arange(len(self.at))
        # The first few draws suffice for most queries: later draws are made only for the others.
        for first, end in ((0, most + 2), (most + 2, last)):
            open_ = open_[(found[open_] < shots[open_]) & (self.counts[open_] > 0)]
            if len(open_) == 0 or most == 0:
                return taken
            _draw(
                open_, first, self._places(open_, first, end), shots, self.by_file, self.own,
                self.own_split, self.fixed, self.at, self.peers, self.starts, self.counts,
                self.fits, self.kinds, *self.pool, *self.mine, *self.unlike, taken, tried, found,
            )  # fmt: skip
        for row in open_[found[open_] < shots[open_]].tolist():
            untried = self._untried(
                row, int(shots[row]), most, tried[row], taken[row, : found[row]]
            )
            more = untried[: shots[row] - found[row]]
            taken[row, found[row] : found[row] + len(more)] = more
        return taken

    def _places(self, rows: Ints, first: int, end: int) -> Ints:
        """Peer of each attempt `first` to `end`. -> int64[attempts, rows]"""
        if self.by_file:
            return np.repeat(np.arange(first, end)[:, None], len(rows), axis=1)
        counts = self.counts[rows].astype(np.uint64)
        bits = [self.queries.bits("exemplar", n, self.at[rows]) for n in range(first, end)]
        return (np.stack(bits) % counts).astype(np.int64)

    def _untried(self, row: int, shots: int, most: int, tried: Ints, taken: Ints) -> Ints:
        """Untried peers in order that may be shown; no duplicates unless exemplars are fixed."""
        count, begin = int(self.counts[row]), int(self.starts[row])
        if self.by_file:
            offered = self.peers[begin + np.arange(min(4 * most + 8, count), count)]
        else:
            bits = self.queries.bits("exemplar", 4 * shots + 7, self.at[[row]])
            last = int(bits[0]) % count
            offered = self.peers[begin + (last + np.arange(1, count)) % count]
        digests, examples = self.pool
        good = self.fits[self.kinds[row], offered] & ~np.isin(offered, tried)
        if self.own_split:
            good &= digests[offered] != self.mine[0][row]
        drawn = np.zeros(0, np.uint64) if self.fixed else examples[taken]
        good &= ~np.isin(examples[offered], np.array([self.mine[1][row], *drawn], np.uint64))
        if self.own:
            good &= offered != self.at[row]
        if len(self.unlike[1]):
            good &= self.unlike[0][offered] != self.unlike[1][row]
        untried: Ints = offered[good]
        if self.fixed:
            return untried
        _, first = np.unique(examples[untried], return_index=True)
        found: Ints = untried[np.sort(first)]
        return found


@njit
def _draw(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    rows, first, places, shots, by_file, own, own_split, fixed, at, peers, starts, counts, fits,
    kinds, digests, examples, my_digests, my_examples, unlike, my_unlike, taken, tried, found,
):  # fmt: skip
    """Run the attempts from `first` on for the queries at `rows`."""
    for i in range(len(rows)):
        row = rows[i]
        limit = counts[row] if by_file else 4 * shots[row] + 8
        for n in range(len(places)):
            if found[row] >= shots[row] or first + n >= limit:
                break
            candidate = peers[starts[row] + places[n, i]]
            good = fits[kinds[row], candidate]
            good = good and not (own_split and digests[candidate] == my_digests[row])
            good = good and examples[candidate] != my_examples[row]
            good = good and not (own and candidate == at[row])
            if good and len(my_unlike) > 0:
                good = unlike[candidate] != my_unlike[row]
            for k in range(first + n):
                good = good and tried[row, k] != candidate
            for k in range(0 if fixed else found[row]):
                good = good and examples[taken[row, k]] != examples[candidate]
            tried[row, first + n] = candidate
            if good:
                taken[row, found[row]] = candidate
                found[row] += 1


def _own_peers(column_pools: ColumnPools) -> tuple[Ints, Ints, Ints]:
    return (
        np.arange(max(len(column_pools.pool), 1)),
        column_pools.starts,
        np.maximum(column_pools.counts, 0),
    )


def _peers(pool: Pool, queries: RowSet, at: Ints) -> tuple[Ints, Ints, Ints]:
    """Peers by query. -> (rows of the pool, offset of each query's peers, their count)"""
    same = pool.settings.same
    if same is None:
        count = len(pool.rows)
        peers = np.arange(max(count, 1))
        return peers, np.zeros(len(at), np.int64), np.full(len(at), count)
    groups = pool.rows.group(same)
    begins: dict[str, int] = {}
    flat: list[int] = []
    for key, members in groups.items():
        begins[key] = len(flat)
        flat += members
    values = queries.columns[same]
    keys = [compared_key(values[r]) for r in at.tolist()]
    starts = np.array([begins.get(k, 0) for k in keys], dtype=np.int64)
    counts = np.array([len(groups.get(k, ())) for k in keys], dtype=np.int64)
    return np.array([*flat, 0], dtype=np.int64), starts, counts

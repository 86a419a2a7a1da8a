"""Exemplars of all rows at once: the same draws, in the same order, as a pool's `candidates`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.compiler.exemplars import Laid, Pool
from flancompile.compiler.rows import RowSet

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
    laid: Laid | None = None,
) -> Ints:
    """Draw exemplars for the queries at these rows.

    shots: how many each asks for; fits: bool[kinds, pool rows], whether a pool's row can be shown
    under what the query's exemplars are rendered with, its kind; kinds: int64[queries]; laid: where
    each query has rows of its own in the pool.
    -> int64[queries, most], the pool's rows in the order shown, -1 for none
    """
    most = int(shots.max(initial=0))
    taken = np.full((len(at), most), NONE, np.int64)
    found = np.zeros(len(at), np.int64)
    tried: list[Ints] = []
    peers, starts, counts = _peers(pool, queries, at) if laid is None else _own_peers(laid)
    own = pool.rows is queries
    digests, inputs = pool.rows.digests, pool.rows.inputs_digest
    name = pool.settings.unlike
    unlike = pool.rows.folded(name) if name is not None else None
    mine = queries.folded(name) if name is not None else digests
    by_file = pool.settings.source not in ("drawn", "reserved") and pool.settings.order == "file"
    for attempt in range(4 * most + 8):
        open_ = (found < shots) & (counts > 0)
        open_ &= (attempt < counts) if by_file else (attempt < 4 * shots + 8)
        rows = np.flatnonzero(open_)  # the queries that still want one; all below is over these
        if len(rows) == 0:
            break
        of = at[rows]
        if by_file:
            place = np.full(len(rows), attempt)
        else:
            bits = queries.bits("exemplar", attempt)[of]
            place = (bits % counts[rows].astype(np.uint64)).astype(np.int64)
        candidate = peers[starts[rows] + place]
        good = fits[kinds[rows], candidate]
        for other in tried:
            good &= other[rows] != candidate
        now = np.full(len(at), NONE, np.int64)
        now[rows] = candidate
        tried.append(now)
        good &= digests[candidate] != queries.digests[of]
        good &= inputs[candidate] != queries.inputs_digest[of]
        if unlike is not None:
            good &= unlike[candidate] != mine[of]
        if own:
            good &= candidate != of
        for slot in range(most):
            held = taken[rows, slot]
            good &= (held == NONE) | (inputs[held] != inputs[candidate])
        rows, candidate = rows[good], candidate[good]
        taken[rows, found[rows]] = candidate
        found[rows] += 1
    for row in np.flatnonzero((found < shots) & (counts > 0)).tolist():
        count, begin = int(counts[row]), int(starts[row])
        if by_file:
            offered = peers[begin + np.arange(min(4 * most + 8, count), count)]
        else:
            last = int(queries.bits("exemplar", 4 * int(shots[row]) + 7)[at[row]]) % count
            offered = peers[begin + (last + np.arange(1, count)) % count]
        good = fits[kinds[row], offered] & (digests[offered] != queries.digests[at[row]])
        good &= ~np.isin(offered, [t[row] for t in tried])
        held = taken[row, : found[row]]
        good &= ~np.isin(inputs[offered], [queries.inputs_digest[at[row]], *inputs[held]])
        if own:
            good &= offered != at[row]
        if unlike is not None:
            good &= unlike[offered] != mine[at[row]]
        left = offered[good]
        _, first = np.unique(inputs[left], return_index=True)  # no two of a kind
        more = left[np.sort(first)][: shots[row] - found[row]]
        taken[row, found[row] : found[row] + len(more)] = more
    return taken


def _own_peers(laid: Laid) -> tuple[Ints, Ints, Ints]:
    return np.arange(max(len(laid.pool), 1)), laid.starts, np.maximum(laid.counts, 0)


def _peers(pool: Pool, queries: RowSet, at: Ints) -> tuple[Ints, Ints, Ints]:
    """(rows of the pool, where each query's peers begin among them, how many they are)."""
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
    keys = [repr(values[r]) for r in at.tolist()]
    starts = np.array([begins.get(k, 0) for k in keys], dtype=np.int64)
    counts = np.array([len(groups.get(k, ())) for k in keys], dtype=np.int64)
    return np.array([*flat, 0], dtype=np.int64), starts, counts

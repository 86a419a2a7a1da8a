"""Token ids of ropes, concatenated from cached ids of their segments.

A segment is a run of fragments between two places where the tokenizer may split a text
(`tokenizer/cuts.py`). A trie over fragment numbers finds it, so no hash collision can return
another segment's ids. A text of known segments costs a few nanoseconds a segment and a copy of ids;
exemplars, other templates over the same fields, and other epochs share the segments.

A text is encoded whole if a segment needs the reference encoder, or if the sum of its segments'
scores exceeds the range in which rounding cannot change the ids.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.compiler.columns.ropes.fragment_cache import FragmentCache
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.jit import njit
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.table import grown
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["SegmentCache", "Spliced"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
BEGIN, GO_ON = 0, 1  # roots of the trie: for segments at the start of a text, and for others
UNKNOWN, REQUESTED = -1, -2  # values of `start` for segments without ids
ROUNDING = 1e-3  # bound on the error of score sums, which are added in another order


class SegmentCache:
    """Fragments of a block's texts, and cached ids of their segments under one tokenizer.

    fragment_cache: fragments of the block's fields, shared by its epochs.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.fragments = Fragments(tokenizer.cuts)
        self.fragment_cache = FragmentCache()
        self.count = np.array([2, 0], np.int64)  # nodes of the trie, ids
        self.keys = np.zeros(1 << 12, np.uint64)
        self.values = np.full(1 << 12, -1, np.int32)
        self.parent, self.fragment = (np.zeros(1 << 10, np.int32) for _ in range(2))
        self.start = np.full(1 << 10, UNKNOWN, np.int64)
        self.length = np.zeros(1 << 10, np.int32)
        self.sums, self.slack = (np.zeros(1 << 10, np.float64) for _ in range(2))
        self.unsafe, self.unknown = (np.zeros(1 << 10, np.bool_) for _ in range(2))
        self._unknown: Flags | None = None  # by id: whether it is the unknown token
        if tokenizer.unknown_id is not None:
            self._unknown = np.arange(tokenizer.vocab_size) == tokenizer.unknown_id
        self.ids: npt.NDArray[np.uint32] = np.zeros(1 << 12, np.uint32)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, those of `fragments` included."""
        arrays = (self.keys, self.values, self.parent, self.fragment, self.start, self.length)
        own = sum(
            a.nbytes for a in (*arrays, self.sums, self.slack, self.unsafe, self.unknown, self.ids)
        )
        return own + self.fragments.nbytes

    def encode(self, ropes: Ropes) -> Spliced:
        """Encode ropes. The ids equal the tokenizer's for each whole text."""
        if self.tokenizer.cuts is None:
            whole = np.arange(len(ropes))
            found = Spliced(self, np.zeros(0, np.int32), np.zeros(len(ropes) + 1, np.int64))
        else:
            segments, ends = self._walk(ropes)
            self._learn(segments)
            found = Spliced(self, segments, ends)
            whole = np.flatnonzero(_needs_whole(segments, ends, self.sums, self.slack, self.unsafe))
            self.tokenizer.count_spliced(len(ropes) - len(whole))
        if len(whole):
            texts = self.fragments.texts(ropes.take(whole))
            found.put_whole(whole, self.tokenizer.encode(texts))
        return found

    def _walk(self, ropes: Ropes) -> tuple[Numbers, Ints]:
        """Split ropes into segments. -> (segments, offsets int64[ropes + 1])"""
        total = int(ropes.ends[-1] - ropes.ends[0])
        self._make_room(total)
        segments, ends = np.empty(total, np.int32), np.zeros(len(ropes) + 1, np.int64)
        fragments = self.fragments
        _walk(
            ropes.fragments, ropes.ends, fragments.starts, fragments.first, fragments.last,
            fragments.cuts,
            self.keys, self.values, self.parent, self.fragment, self.start, self.count, segments,
            ends,
        )  # fmt: skip
        return segments[: ends[-1]], ends

    def _make_room(self, nodes: int) -> None:
        count = int(self.count[0])
        if count + nodes > len(self.parent):
            most = max(count + nodes, 2 * len(self.parent))
            names = ("parent", "fragment", "start", "length", "sums", "slack", "unsafe", "unknown")
            for name in names:
                setattr(self, name, grown(getattr(self, name), most))
        if 2 * (count + nodes) > len(self.keys):
            size = 1 << int(2 * (count + nodes)).bit_length()
            self.keys, self.values = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
            _rehash(self.keys, self.values, self.parent, self.fragment, count)

    def _learn(self, segments: Numbers) -> None:
        """Encode the segments that have no ids yet."""
        nodes = _missing(segments, self.start)
        if len(nodes) == 0:
            return
        pieces, begins = _ropes_of(nodes, self.parent, self.fragment)
        texts = self.fragments.texts(Ropes(*pieces))
        parts = self.tokenizer.encode_parts(texts, begins)
        self._add(nodes, parts.encoded)
        self.sums[nodes], self.slack[nodes] = parts.sums, parts.slack
        self.unsafe[nodes] = parts.uncertain

    def _add(self, nodes: Numbers, encoded: Ragged) -> None:
        used, more = int(self.count[1]), len(encoded.ids)
        if used + more > len(self.ids):
            self.ids = grown(self.ids, max(used + more, 2 * len(self.ids)))
        self.ids[used : used + more] = encoded.ids
        self.start[nodes] = used + encoded.offsets[:-1]
        self.length[nodes] = encoded.lengths
        if self._unknown is not None:
            self.unknown[nodes] = encoded.holds(self._unknown)
        self.count[1] += more

    def add_whole(self, encoded: Ragged) -> Numbers:
        """Add whole texts as segments that the trie does not contain. -> the segments"""
        self._make_room(len(encoded))
        first = int(self.count[0])
        self.count[0] += len(encoded)
        nodes = np.arange(first, first + len(encoded), dtype=np.int32)
        self.parent[nodes] = -1
        self._add(nodes, encoded)
        return nodes


class Spliced:
    """Token ids of texts as lists of segments. lengths: int64[texts], in tokens."""

    def __init__(self, cache: SegmentCache, segments: Numbers, ends: Ints) -> None:
        self.cache, self.segments = cache, segments
        self.first, self.last = ends[:-1].copy(), ends[1:].copy()
        self.lengths = _lengths(segments, self.first, self.last, cache.length)

    def __len__(self) -> int:
        return len(self.first)

    def put(self, places: Ints, other: Spliced) -> None:
        """Replace the ids of the texts at `places`."""
        base = len(self.segments)
        self.segments = np.concatenate([self.segments, other.segments])
        self.first[places], self.last[places] = other.first + base, other.last + base
        self.lengths[places] = other.lengths

    def put_whole(self, places: Ints, encoded: Ragged) -> None:
        """Replace the ids of the texts at `places` by those of whole texts."""
        nodes = self.cache.add_whole(encoded)
        self.put(places, Spliced(self.cache, nodes, np.arange(len(nodes) + 1)))

    def copy_to(self, texts: Ints, out: npt.NDArray[np.integer], to: Ints) -> None:
        """Copy the ids of `texts` into `out`, each from its offset in `to` on."""
        _copy_ids(
            self.segments, self.first[texts], self.last[texts], self.cache.start, self.cache.length,
            self.cache.ids, out, to,
        )  # fmt: skip

    def unknown(self, texts: Ints) -> Flags:
        """Whether the ids of `texts` contain the tokenizer's unknown token. -> bool[texts]"""
        found = _any(self.segments, self.first[texts], self.last[texts], self.cache.unknown)
        return np.asarray(found, dtype=np.bool_)

    def take(self, texts: Ints) -> Ragged:
        """Ids of `texts`, copied."""
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths[texts])])
        out = np.empty(int(ends[-1]), np.uint32)
        self.copy_to(texts, out, ends[:-1])
        return Ragged(out, ends)


@njit
def _slot(keys, values, key):  # type: ignore[no-untyped-def]
    """Slot of a key, or the empty slot where it belongs."""
    mixed = key * np.uint64(0x9E3779B97F4A7C15)
    mask = np.uint64(len(keys) - 1)
    slot = (mixed ^ (mixed >> np.uint64(32))) & mask
    while values[slot] >= 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit
def _rehash(keys, values, parent, fragment, count):  # type: ignore[no-untyped-def]
    for node in range(2, count):
        if parent[node] >= 0:
            key = np.uint64(parent[node]) << np.uint64(32) | np.uint64(fragment[node])
            slot = _slot(keys, values, key)
            keys[slot], values[slot] = key, node


@njit
def _walk(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    ropes, bounds, starts, first, last, cuts, keys, values, parent, fragment, start, count,
    segments, ends,
):  # fmt: skip
    """Split ropes into segments and find or add each in the trie."""
    n = 0
    for text in range(len(bounds) - 1):
        node, before = 0, np.uint8(0)
        for k in range(bounds[text], bounds[text + 1]):
            number = ropes[k]
            if starts[number + 1] == starts[number]:
                continue
            if node > 1 and cuts[before, first[number]]:
                segments[n] = node
                n += 1
                node = 1
            key = np.uint64(node) << np.uint64(32) | np.uint64(number)
            slot = _slot(keys, values, key)
            if values[slot] < 0:
                new = count[0]
                keys[slot], values[slot] = key, new
                parent[new], fragment[new], start[new] = node, number, -1
                count[0] += 1
            node, before = values[slot], last[number]
        if node > 1:
            segments[n] = node
            n += 1
        ends[text + 1] = n


@njit
def _missing(segments, start):  # type: ignore[no-untyped-def]
    """Distinct segments without ids; marks them as requested."""
    out = np.empty(len(segments), np.int32)
    n = 0
    for node in segments:
        if start[node] == -1:
            start[node] = -2
            out[n] = node
            n += 1
    return out[:n]


@njit
def _ropes_of(nodes, parent, fragment):  # type: ignore[no-untyped-def]
    """Ropes of segments. -> ((fragments, offsets), whether each begins a text)"""
    ends = np.zeros(len(nodes) + 1, np.int64)
    begins = np.zeros(len(nodes), np.bool_)
    for i in range(len(nodes)):
        size, node = 0, nodes[i]
        while node > 1:
            size += 1
            node = parent[node]
        begins[i] = node == 0
        ends[i + 1] = ends[i] + size
    out = np.empty(ends[-1], np.int32)
    for i in range(len(nodes)):
        at, node = ends[i + 1], nodes[i]
        while node > 1:
            at -= 1
            out[at] = fragment[node]
            node = parent[node]
    return (out, ends), begins


@njit
def _needs_whole(segments, ends, sums, slack, unsafe):  # type: ignore[no-untyped-def]
    """Whether each text must be encoded whole."""
    out = np.zeros(len(ends) - 1, np.bool_)
    for text in range(len(out)):
        total = 1.0
        for k in range(ends[text], ends[text + 1]):
            node = segments[k]
            if unsafe[node] or total > slack[node] - ROUNDING:
                out[text] = True
                break
            total += sums[node]
    return out


@njit
def _any(segments, first, last, marked):  # type: ignore[no-untyped-def]
    """Whether each text has a marked segment."""
    out = np.zeros(len(first), np.bool_)
    for text in range(len(out)):
        for k in range(first[text], last[text]):
            out[text] |= marked[segments[k]]
    return out


@njit
def _lengths(segments, first, last, length):  # type: ignore[no-untyped-def]
    out = np.zeros(len(first), np.int64)
    for text in range(len(out)):
        for k in range(first[text], last[text]):
            out[text] += length[segments[k]]
    return out


@njit
def _copy_ids(segments, first, last, start, length, ids, out, to):  # type: ignore[no-untyped-def]
    for text in range(len(first)):
        at = to[text]
        for k in range(first[text], last[text]):
            begin = start[segments[k]]
            for i in range(length[segments[k]]):
                out[at] = ids[begin + i]
                at += 1

"""Many texts at once, each put together by a program of literals and slots.

Arrow joins columns one group of like rows at a time, which costs a dozen calls a group: with a
hundred styles a block falls into thousands of groups. Here a row names its program and the texts of
its slots, and one pass over all rows copies bytes, so a block costs the same for one style or many.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["MOST_BYTES", "Program", "TextPool", "weave", "woven"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Making = Callable[[Hashable, pa.Array], tuple[pa.Array, Flags]]
MOST_BYTES = (1 << 31) - 1  # of one array of text
LITERAL = -1


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

    @cached_property
    def literals(self) -> list[bytes]:
        """UTF-8 of each part; nothing for a slot."""
        return [p.encode() if isinstance(p, str) else b"" for p in self.parts]

    @cached_property
    def lengths(self) -> Ints:
        """Bytes of each part's literal."""
        return np.array([len(b) for b in self.literals], dtype=np.int64)

    @cached_property
    def slots(self) -> Ints:
        """Each part's slot, or -1."""
        found = [LITERAL if isinstance(p, str) else p for p in self.parts]
        return np.array(found, dtype=np.int64)


class TextPool:
    """Texts of several arrays under one numbering. first: the number of each array's first."""

    def __init__(self, arrays: Sequence[pa.Array]) -> None:
        parts = [_buffers(a) for a in arrays]
        bases = np.cumsum([0, *(len(data) for data, _ in parts)])
        self.first = np.cumsum([0, *(len(a) for a in arrays)]).tolist()
        self.data: Bytes = np.concatenate([np.zeros(0, np.uint8), *(data for data, _ in parts)])
        none = np.zeros(0, np.int64)
        pairs = list(zip(parts, bases[:-1], strict=True))
        self.starts: Ints = np.concatenate([none, *(o[:-1] + base for (_, o), base in pairs)])
        self.lengths: Ints = np.concatenate([none, *(np.diff(o) for _, o in parts)])

    def text(self, numbers: Ints) -> pa.Array:
        """Some of its texts."""
        whole = Program((0,))
        found = weave([whole], np.zeros(len(numbers), np.int64), numbers[:, None], self)
        assert found is not None
        return found

    def with_more(self, arrays: Sequence[pa.Array]) -> TextPool:
        """The pool with more texts after its own."""
        more, own = TextPool(arrays), TextPool([])
        own.data = np.concatenate([self.data, more.data])
        own.starts = np.concatenate([self.starts, more.starts + len(self.data)])
        own.lengths = np.concatenate([self.lengths, more.lengths])
        own.first = [*self.first[:-1], *(f + self.first[-1] for f in more.first)]
        return own


def weave(
    programs: Sequence[Program], of: Ints, slots: Ints, pool: TextPool, most: int = MOST_BYTES
) -> pa.Array | None:
    """Each row's text by its program; None where there are more bytes than one array holds.

    of: int64[rows], places in `programs`; slots: int64[rows, slots], numbers of the pool, read
    only where a program names the slot, so what is made stands there already.

    >>> pool = TextPool([pa.array(["a", "née"])])
    >>> weave([Program(("<", 0, ">"))], np.zeros(2, np.int64), np.array([[1], [0]]), pool)
    <pyarrow.lib.StringArray object at ...>
    [
      "<née>",
      "<a>"
    ]
    """
    if len(of) == 0 or not programs:
        return pa.array([""] * len(of), pa.string())
    first = np.cumsum([0, *(len(p.parts) for p in programs)])
    places = np.concatenate([p.slots for p in programs])
    lengths = np.concatenate([p.lengths for p in programs])
    literals = np.frombuffer(b"".join(b for p in programs for b in p.literals), np.uint8)
    starts = np.cumsum(lengths) - lengths
    ops = first, places, starts, lengths
    slots = np.ascontiguousarray(slots)
    offsets = _offsets(of, *ops, slots, pool.lengths)
    if offsets[-1] > most:
        return None
    out = np.empty(int(offsets[-1]), np.uint8)
    _fill(out, offsets, of, *ops, literals, slots, pool.data, pool.starts, pool.lengths)
    buffers = pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(out)
    return pa.StringArray.from_buffers(len(of), *buffers)


def woven(
    programs: Sequence[Program | None], of: Ints, slots: Ints, pool: TextPool, making: Making
) -> tuple[Ints, pa.Array]:
    """(rows that their programs are good for, their texts): `weave` where not all is known to fit.

    A row's program may be none, or ask for a text that the row has not. making: what is done to
    texts, and where that is not sure.
    """
    known = [p or Program(()) for p in programs]
    good = np.array([p is not None for p in programs], dtype=np.bool_)[of]
    tested = np.zeros((len(known), slots.shape[1]), np.bool_)
    for line, program in enumerate(known):
        tested[line, list(program.tested)] = True
    if tested.any():
        good &= ~(tested[of] & (pool.lengths[slots] == 0)).any(axis=1)
    slots, pool = _made(known, of, slots, pool, making, good)
    at = np.flatnonzero(good)
    texts = weave(known, of[at], slots[at], pool)
    if texts is None:
        return np.zeros(0, np.int64), pa.array([], pa.string())
    return at, texts


def _made(
    programs: Sequence[Program], of: Ints, slots: Ints, pool: TextPool, making: Making, good: Flags
) -> tuple[Ints, TextPool]:
    """The slots and the pool with what is made; rows where that is not sure are no longer good."""
    lines = [i for i, p in enumerate(programs) if p.made]
    if not lines:
        return slots, pool
    most = max(programs[i].width + len(programs[i].made) for i in lines)
    wide = np.zeros((len(slots), max(most, slots.shape[1])), np.int64)
    wide[:, : slots.shape[1]] = slots
    order = np.argsort(of, kind="stable")
    ends = np.searchsorted(of[order], np.arange(len(programs) + 1))
    asked: dict[Hashable, list[tuple[Ints, int, int]]] = {}
    for line in lines:
        rows = order[ends[line] : ends[line + 1]]
        rows = rows[good[rows]]
        for n, (slot, how) in enumerate(programs[line].made):
            asked.setdefault(how, []).append((rows, slot, programs[line].width + n))
    arrays: list[pa.Array] = []
    own = pool.first[-1]
    for how, places in asked.items():
        sizes = [len(rows) for rows, _, _ in places]
        rows = np.concatenate([rows for rows, _, _ in places])
        if len(rows) == 0:
            continue
        source = np.repeat([s for _, s, _ in places], sizes)
        to = np.repeat([t for _, _, t in places], sizes)
        numbers, back = np.unique(slots[rows, source], return_inverse=True)
        texts, unsure = making(how, pool.text(numbers))
        wide[rows, to] = own + back
        good[rows[unsure[back]]] = False
        arrays.append(texts)
        own += len(numbers)
    return wide, pool.with_more(arrays)


def _buffers(texts: pa.Array) -> tuple[Bytes, Ints]:
    """(UTF-8 bytes of texts, int64[texts + 1] where each begins in them)."""
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, places, data = texts.buffers()
    if len(texts) == 0 or data is None:
        return np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    offsets = np.frombuffer(places, kind)[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return held, offsets.astype(np.int64) - int(offsets[0])


@numba.njit(cache=True, nogil=True)
def _offsets(of, first, places, starts, lengths, slots, sizes):  # type: ignore[no-untyped-def]
    """Where each row's text begins and the last ends."""
    out = np.zeros(len(of) + 1, np.int64)
    for row in range(len(of)):
        total = 0
        for op in range(first[of[row]], first[of[row] + 1]):
            place = places[op]
            total += lengths[op] if place < 0 else sizes[slots[row, place]]
        out[row + 1] = out[row] + total
    return out


@numba.njit(cache=True, nogil=True)
def _fill(  # type: ignore[no-untyped-def]
    out, offsets, of, first, places, starts, lengths, literals, slots, data, begins, sizes
):
    """Copy every part of every row to its place."""
    for row in range(len(of)):
        to = offsets[row]
        for op in range(first[of[row]], first[of[row] + 1]):
            place = places[op]
            if place < 0:
                start, size = starts[op], lengths[op]
                for i in range(size):
                    out[to + i] = literals[start + i]
            else:
                number = slots[row, place]
                start, size = begins[number], sizes[number]
                for i in range(size):
                    out[to + i] = data[start + i]
            to += size

"""Interned texts (fields, template literals, options) and ropes built from them.

A hundred prompt styles concatenate the same few texts in a hundred ways. A rope is a list of
fragment numbers until its bytes are needed, so concatenation costs some nanoseconds a fragment, and
equal fragments of two prompts have the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.ropes.ropes import Program, Ropes
from flancompile.jit import njit
from flancompile.tokenizer.cuts import Cuts, cut_places, no_cuts
from flancompile.tokenizer.table import grown, intern, rehash
from flancompile.tokenizer.text import Texts

__all__ = ["COLUMN", "FilterTexts", "Fragments"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
FilterTexts = Callable[[Hashable, pa.Array], tuple[pa.Array, Flags]]
LARGEST = (1 << 31) - 1  # bytes of a text array with 32-bit offsets
COLUMN = 1 << 20  # slots from this number on are columns of a table


class Fragments:
    """Interned texts, numbered from 0, and ropes over them.

    cuts: byte pairs between which the tokenizer may split a text; literals are interned in parts.
    """

    def __init__(self, cuts: Cuts | None = None) -> None:
        self.cuts = no_cuts() if cuts is None else cuts
        self.count = np.zeros(1, np.int64)
        self.data: npt.NDArray[np.uint8] = np.zeros(1 << 16, np.uint8)
        self.starts = np.zeros(1 << 10, np.int64)
        self.hashes = np.zeros(1 << 10, np.uint64)
        self.first, self.last = (np.zeros(1 << 10, np.uint8) for _ in range(2))
        self.marked = np.zeros(1 << 10, np.bool_)
        self.slots = np.full(1 << 12, -1, np.int32)
        self._codes: dict[int, tuple[Program, Ints]] = {}
        self._literals: dict[str, list[int]] = {}
        self._split = _Split(self.cuts)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.data, self.starts, self.hashes, self.first, self.last, self.marked)
        return sum(a.nbytes for a in (*arrays, self.slots))

    def intern(self, texts: pa.Array) -> Ints:
        """Intern texts without nulls. -> their numbers, int64[texts]"""
        found = Texts.of(texts)
        self._make_room(len(found), found.size)
        out = np.empty(len(found), np.int64)
        known = int(self.count[0])
        intern(
            found.data, found.offsets[:-1], found.offsets[1:], self.slots, self.hashes,
            self.starts, self.data, self.count, out,
        )  # fmt: skip
        new = slice(known, int(self.count[0]))
        _describe(
            self.data, self.starts[new.start : new.stop + 1], self.first[new], self.last[new],
            self.marked[new],
        )  # fmt: skip
        return out

    def _make_room(self, texts: int, size: int) -> None:
        count = int(self.count[0])
        stored = int(self.starts[count])
        if stored + size > len(self.data):
            self.data = grown(self.data, max(stored + size, 2 * len(self.data)))
        if count + texts + 1 > len(self.starts):
            most = max(count + texts + 1, 2 * len(self.starts))
            for name in ("starts", "hashes", "first", "last", "marked"):
                setattr(self, name, grown(getattr(self, name), most))
        if 2 * (count + texts) > len(self.slots):
            self.slots = np.full(1 << int(2 * (count + texts)).bit_length(), -1, np.int32)
            rehash(self.slots, self.hashes, count)

    def coded(self, program: Program) -> Ints:
        """Code of a program: fragment numbers, and -1 - slot for a slot."""
        self._code([program])
        return self._codes[id(program)][1]

    def _code(self, programs: Sequence[Program]) -> None:
        """Intern the literals of all programs in one call."""
        new = [p for p in programs if id(p) not in self._codes]
        if not new:
            return
        texts = {t for p in new for t in p.parts if isinstance(t, str)} - self._literals.keys()
        parts = {text: _split_literal(text, self._split) for text in texts}
        numbers = self.intern(pa.array([s for some in parts.values() for s in some], pa.string()))
        start = 0
        for text, some in parts.items():
            self._literals[text] = numbers[start : start + len(some)].tolist()
            start += len(some)
        for program in new:
            codes: list[int] = []
            for part in program.parts:
                codes += self._literals[part] if isinstance(part, str) else (-1 - part,)
            self._codes[id(program)] = program, np.array(codes, np.int64)

    def concatenate(
        self,
        programs: Sequence[Program | Ints],
        of: Ints,
        slots: Ints,
        pieces: Ropes | None = None,
        columns: tuple[Ints, Ints] | None = None,
    ) -> Ropes:
        """Run each row's program. -> one rope a row

        of: int64[rows], indexes into `programs`, whose items may be codes from `coded`; slots:
        int64[rows, slots], a fragment's number, or -1 - the index of a rope in `pieces`; columns:
        (fragments int64[columns, lines], line of each row), read by slots from `COLUMN` on.
        """
        self._code([p for p in programs if isinstance(p, Program)])
        codes = [self._codes[id(p)][1] if isinstance(p, Program) else p for p in programs]
        first = np.cumsum([0, *map(len, codes)])
        flat = np.concatenate([np.zeros(0, np.int64), *codes])
        ropes = pieces or Ropes(np.zeros(0, np.int32), np.zeros(1, np.int64))
        table, lines = columns or (np.zeros((0, 0), np.int64), np.zeros(0, np.int64))
        given = of, first, flat, np.ascontiguousarray(slots), table, lines, ropes.ends
        ends = _offsets(*given)
        out = np.empty(int(ends[-1]), np.int32)
        _concatenate(out, ends, *given, ropes.fragments)
        return Ropes(out, ends)

    def concatenate_resolved(
        self,
        programs: Sequence[Program | None],
        of: Ints,
        slots: Ints,
        pieces: Ropes | None,
        apply_filters: FilterTexts,
    ) -> tuple[Ints, Ropes]:
        """Run the programs that apply. -> (rows with a rope, ascending; their ropes)

        A row has no rope if its program is None, tests a slot that is empty in the row, or filters
        a text on which the filters fall back. apply_filters: see `FilterTexts`.
        """
        usable = [p or _NOTHING for p in programs]
        good = np.array([p is not None for p in programs], dtype=np.bool_)[of]
        if any(p.tested for p in usable):
            tested = np.zeros((len(usable), slots.shape[1]), np.bool_)
            for line, program in enumerate(usable):
                tested[line, list(program.tested)] = True
            good &= ~(tested[of] & self.is_empty(slots, pieces)).any(axis=1)
        slots = self._with_filtered(usable, of, slots, pieces, apply_filters, good)
        at = np.flatnonzero(good)
        return at, self.concatenate(usable, of[at], slots[at], pieces)

    def is_empty(self, slots: Ints, pieces: Ropes | None = None) -> Flags:
        """Whether the text of each slot is empty. -> bool, shaped as `slots`"""
        own = np.maximum(slots, 0)
        found: Flags = self.starts[own + 1] == self.starts[own]
        if pieces is None or slots.min(initial=0) >= 0:
            return found
        return np.where(slots < 0, self.sizes(pieces)[-1 - np.minimum(slots, -1)] == 0, found)

    def _with_filtered(
        self,
        programs: Sequence[Program],
        of: Ints,
        slots: Ints,
        pieces: Ropes | None,
        apply_filters: FilterTexts,
        good: Flags,
    ) -> Ints:
        """Append the slots of filtered texts; clear `good` for rows where a filter falls back."""
        lines = [i for i, p in enumerate(programs) if p.filtered]
        if not lines:
            return slots
        most = max(programs[i].width + len(programs[i].filtered) for i in lines)
        wide = np.zeros((len(slots), max(most, slots.shape[1])), np.int64)
        wide[:, : slots.shape[1]] = slots
        order = np.argsort(of, kind="stable")
        ends = np.searchsorted(of[order], np.arange(len(programs) + 1))
        requested: dict[Hashable, list[tuple[Ints, int, int]]] = {}
        for line in lines:
            rows = order[ends[line] : ends[line + 1]]
            rows = rows[good[rows]]
            for n, (slot, filters) in enumerate(programs[line].filtered):
                requested.setdefault(filters, []).append((rows, slot, programs[line].width + n))
        for filters, places in requested.items():
            sizes = [len(rows) for rows, _, _ in places]
            rows = np.concatenate([rows for rows, _, _ in places])
            if len(rows) == 0:
                continue
            source = np.repeat([s for _, s, _ in places], sizes)
            to = np.repeat([t for _, _, t in places], sizes)
            codes, back = np.unique(slots[rows, source], return_inverse=True)
            texts, fallback = apply_filters(filters, self.texts_of(codes, pieces))
            wide[rows, to] = self.intern(texts)[back]
            good[rows[fallback[back]]] = False
        return wide

    def sizes(self, ropes: Ropes) -> Ints:
        """Bytes of each rope. -> int64[ropes]"""
        found: Ints = _sizes(ropes.fragments, ropes.ends, self.starts)
        return found

    def is_marked(self, ropes: Ropes) -> Flags:
        """Whether each rope contains a printable ASCII character. -> bool[ropes]"""
        found: Flags = _any(ropes.fragments, ropes.ends, self.marked)
        return found

    def texts_of(self, codes: Ints, pieces: Ropes | None = None) -> pa.Array:
        """Texts of slot values, coded as in `concatenate`."""
        whole = np.zeros(len(codes), np.int64)
        return self.texts(self.concatenate([_WHOLE], whole, codes[:, None], pieces))

    def texts(self, ropes: Ropes) -> pa.Array:
        """Texts as an Arrow array, with 64-bit offsets over `LARGEST` bytes."""
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes(ropes))])
        out = np.empty(int(offsets[-1]), np.uint8)
        _write(out, ropes.fragments, ropes.ends, self.data, self.starts)
        large = offsets[-1] > LARGEST
        kind: Any = pa.LargeStringArray if large else pa.StringArray
        places = offsets if large else offsets.astype(np.int32)
        return kind.from_buffers(len(ropes), pa.py_buffer(places), pa.py_buffer(out))


class _Split:
    """Cuts as a cache key, compared by identity."""

    def __init__(self, cuts: Cuts) -> None:
        self.cuts = cuts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Split) and self.cuts is other.cuts

    def __hash__(self) -> int:
        return id(self.cuts)


@lru_cache(maxsize=65_536)
def _split_literal(text: str, split: _Split) -> tuple[str, ...]:
    """Split a literal at its first and last cut."""
    cuts = cut_places(text, split.cuts)
    places = sorted({0, *cuts[:1], *cuts[-1:], len(text)})
    return tuple(text[a:b] for a, b in pairwise(places))


_NOTHING, _WHOLE = Program(()), Program((0,))


@njit
def _describe(data, starts, first, last, marked):  # type: ignore[no-untyped-def]
    """Write each text's first and last byte, at most 128, and if it has a visible character."""
    for text in range(len(marked)):
        begin, end = starts[text], starts[text + 1]
        mark = False
        for at in range(begin, end):
            mark = mark or 0x21 <= data[at] < 0x7F
        marked[text] = mark
        if end > begin:
            first[text] = min(data[begin], 128)
            last[text] = min(data[end - 1], 128)


@njit
def _slot_value(slots, table, lines, row, slot):  # type: ignore[no-untyped-def]
    """Value of a row's slot."""
    return slots[row, slot] if slot < COLUMN else table[slot - COLUMN, lines[row]]


@njit
def _offsets(of, first, codes, slots, table, lines, ends):  # type: ignore[no-untyped-def]
    """Offsets of the rows' fragments. -> int64[rows + 1]"""
    fixed = np.zeros(len(first), np.int64)  # of each program: its codes of one fragment
    opened = np.zeros(len(first), np.int64)  # offsets of its other codes in `others`
    others = np.empty(len(codes), np.int64)
    n = 0
    for program in range(len(first) - 1):
        opened[program] = n
        for op in range(first[program], first[program + 1]):
            slot = -1 - codes[op]
            if slot < 0 or slot >= COLUMN:  # a column holds fragments, never ropes
                fixed[program] += 1
            else:
                others[n] = slot
                n += 1
    opened[-1] = n
    out = np.zeros(len(of) + 1, np.int64)
    for row in range(len(of)):
        total = fixed[of[row]]
        for op in range(opened[of[row]], opened[of[row] + 1]):
            code = slots[row, others[op]]
            total += 1 if code >= 0 else ends[-code] - ends[-1 - code]
        out[row + 1] = out[row] + total
    return out


@njit
def _concatenate(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    out, to, of, first, codes, slots, table, lines, ends, fragments
):
    for row in range(len(of)):
        n = to[row]
        for op in range(first[of[row]], first[of[row] + 1]):
            code = codes[op]
            if code < 0:
                code = _slot_value(slots, table, lines, row, -1 - code)
            if code >= 0:
                out[n] = code
                n += 1
            else:
                for k in range(ends[-1 - code], ends[-code]):
                    out[n] = fragments[k]
                    n += 1


@njit
def _sizes(fragments, ends, starts):  # type: ignore[no-untyped-def]
    out = np.zeros(len(ends) - 1, np.int64)
    for text in range(len(out)):
        for k in range(ends[text], ends[text + 1]):
            out[text] += starts[fragments[k] + 1] - starts[fragments[k]]
    return out


@njit
def _any(fragments, ends, flags):  # type: ignore[no-untyped-def]
    out = np.zeros(len(ends) - 1, np.bool_)
    for text in range(len(out)):
        for k in range(ends[text], ends[text + 1]):
            if flags[fragments[k]]:
                out[text] = True
                break
    return out


@njit
def _write(out, fragments, ends, data, starts):  # type: ignore[no-untyped-def]
    to = 0
    for k in range(ends[0], ends[-1]):
        begin = starts[fragments[k]]
        size = starts[fragments[k] + 1] - begin
        out[to : to + size] = data[begin : begin + size]
        to += size

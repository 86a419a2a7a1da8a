"""Text without case, punctuation and white space, and digests by which duplicates are found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["fold", "folded_digests"]

_FOLDED = re.compile(r"[\W_]+")
_ASCII = {c: " " for c in range(128) if not chr(c).isalnum()}


def fold(text: str) -> str:
    """Text without case, punctuation and white space, for comparing.

    >>> fold("It  rained -- again!")
    'it rained again'
    """
    if text.isascii():
        folded = " ".join(text.lower().translate(_ASCII).split())
    else:
        folded = _FOLDED.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return folded or text


def folded_digests(columns: Sequence[pa.Array | Sequence[Any]]) -> npt.NDArray[np.uint64]:
    """A digest of each row's folded texts: rows that are equal but for form have equal ones.

    columns: of equal lengths; what is no text counts as it is printed. -> uint64[rows]
    """
    state = np.zeros(len(columns[0]), np.uint64)
    for column in map(_as_text, columns):
        data, offsets = _buffers(column)
        wide = np.flatnonzero(_wide(data, offsets))
        if len(wide):
            some = column.take(pa.array(wide)).dictionary_encode()
            folded = pa.array(list(map(fold, some.dictionary.to_pylist())), column.type)
            order = np.arange(len(column))
            order[wide] = len(column) + np.arange(len(wide))
            both = pa.concat_arrays([column, folded.take(some.indices)])
            data, offsets = _buffers(both.take(pa.array(order)))
        _digest(data, offsets, state)
    return state


def _as_text(column: pa.Array | Sequence[Any]) -> pa.Array:
    if isinstance(column, pa.Array):
        if pa.types.is_string(column.type) and column.null_count == 0:
            return column
        column = column.to_pylist()
    texts = [str(v).encode("utf-8", "replace") for v in column]
    return pa.array(texts, pa.binary()).cast(pa.string())


def _buffers(column: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(UTF-8 bytes, where each text begins and the last ends) of an array of text."""
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    _, places, data = column.buffers()
    offsets = np.frombuffer(places, kind)[column.offset : column.offset + len(column) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return held, offsets.astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _wide(data, offsets):  # type: ignore[no-untyped-def]
    found = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(found)):
        for place in range(offsets[row], offsets[row + 1]):
            if data[place] >= 128:
                found[row] = True
                break
    return found


@numba.njit(cache=True, nogil=True)
def _digest(data, offsets, state):  # type: ignore[no-untyped-def]
    """Take each folded text into its row's digest: FNV-1a over bytes, then a mixing round."""
    prime, start = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
    for row in range(len(state)):
        hashed = start
        words, between = False, False
        for place in range(offsets[row], offsets[row + 1]):
            byte = data[place]
            if 65 <= byte <= 90:
                byte += 32
            if byte >= 128 or 97 <= byte <= 122 or 48 <= byte <= 57:
                if between and words:
                    hashed = (hashed ^ np.uint64(32)) * prime
                hashed = (hashed ^ np.uint64(byte)) * prime
                words, between = True, False
            else:
                between = True
        if not words:  # nothing is left of it: its own bytes count
            for place in range(offsets[row], offsets[row + 1]):
                hashed = (hashed ^ np.uint64(data[place])) * prime
            hashed ^= np.uint64(1)
        mixed = (hashed ^ state[row]) * np.uint64(0xFF51AFD7ED558CCD)
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        state[row] = mixed ^ (mixed >> np.uint64(33))

"""Fold texts (case, white space, Unicode form C) and digest them to find duplicates.

Signs, digits and punctuation count: `C`, `C++` and `C#` are three texts, and so are `3 + 4` and `3
- 4`. Only canonical equivalence is folded (NFC), as compatibility forms change a meaning: `x²` is
not `x2`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.dsl.jinja.values import compared_text
from flancompile.jit import njit

__all__ = ["fold", "folded_digests", "read_form"]

FEW_BYTES = 1 << 15  # of a column's texts that are digested in Python
_BITS, _START, _PRIME = 2**64 - 1, 0xCBF29CE484222325, 0x100000001B3  # FNV-1a
_MIX = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
_MOST = 0x3000  # the table of folds has the characters below it
_BETWEEN, _UNRESOLVED = -1, -2
_NULL = "\0"  # the form of a null; no text of data contains it


def fold(text: str) -> str:
    """A text's form for comparison: case folded, white space as single spaces, in Unicode form C.

    >>> fold(" It  rained:  C++ ")
    'it rained: c++'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFD", text).casefold()
        return " ".join(unicodedata.normalize("NFC", text).split())
    return " ".join(text.lower().split())


def read_form(text: str) -> str:
    """A text's form as readers see it: case kept, white space as single spaces, in form C."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def folded_digests(columns: Sequence[pa.Array | Sequence[Any]]) -> npt.NDArray[np.uint64]:
    """A digest of each row's folded texts: rows that are equal after folding have equal digests.

    columns: of equal lengths; lists and maps count by their folded parts, other values by their
    text, in which 1.0 is 1. -> uint64[rows]
    """
    state, folds = np.zeros(len(columns[0]), np.uint64), _folds()
    for column in map(_as_text, columns):
        data, offsets = _buffers(column)
        if offsets[-1] - offsets[0] <= FEW_BYTES:
            _digest_few(column.to_pylist(), folds, state)
            continue
        wide = np.flatnonzero(_wide(data, offsets, folds))
        if len(wide):
            some = column.take(pa.array(wide)).dictionary_encode()
            folded = pa.array(list(map(fold, some.dictionary.to_pylist())), column.type)
            order = np.arange(len(column))
            order[wide] = len(column) + np.arange(len(wide))
            both = pa.concat_arrays([column, folded.take(some.indices)])
            data, offsets = _buffers(both.take(pa.array(order)))
        _digest(data, offsets, folds, state)
    return state


def _digest_few(
    texts: Sequence[str], folds: npt.NDArray[np.int32], state: npt.NDArray[np.uint64]
) -> None:
    """`_digest` in Python: for few texts it is faster than loading the compiled function."""
    for row, text in enumerate(texts):
        hashed = _START
        for code in map(ord, fold(text)):
            if code > 0xFFFF:
                *_, b, c, d = chr(code).encode()
                code = _MOST + (b << 12 | c << 6 | d)
            elif code < _MOST and folds[code] >= 0:
                code = int(folds[code])
            hashed = (hashed ^ code) * _PRIME & _BITS
        mixed = (hashed ^ int(state[row])) * _MIX[0] & _BITS
        mixed = (mixed ^ mixed >> 33) * _MIX[1] & _BITS
        state[row] = mixed ^ mixed >> 33


def _as_text(column: pa.Array | Sequence[Any]) -> pa.Array:
    if isinstance(column, pa.Array):
        if pa.types.is_string(column.type) and column.null_count == 0:
            return column
        if (joined := _listed(column)) is not None:
            return joined
        column = column.to_pylist()
    texts = [_form(v).encode("utf-8", "replace") for v in column]
    return pa.array(texts, pa.binary()).cast(pa.string())


def _form(value: object) -> str:
    """A value's text before folding; equal for values that `compared_key` treats as equal."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(_folded(value), ensure_ascii=False, sort_keys=True)
    text = compared_text(value, "the value")
    return _NULL if text is None else text


def _folded(value: object) -> object:
    """A value with every text in it folded."""
    if isinstance(value, Mapping):
        return {str(k): _folded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_folded(v) for v in value]
    text = compared_text(value, "the value")
    return None if text is None else fold(text)


def _listed(column: pa.Array) -> pa.Array | None:
    """The `_form` of lists of plain ASCII texts; None for lists that need Python."""
    kind = column.type
    if not pa.types.is_list(kind) or not pa.types.is_string(kind.value_type):
        return None
    flat = column.flatten()
    if column.null_count or flat.null_count:
        return None
    odd = pc.any(pc.match_substring_regex(flat, r"[^ !#-\[\]-~]|^ | $"))  # escaped, wide or trimmed
    if odd.as_py():
        return None
    joined = pc.binary_join_element_wise('["', pc.binary_join(column, '", "'), '"]', "")
    empty = pc.equal(pc.list_value_length(column), 0)
    return pc.if_else(empty, pa.scalar("[]", joined.type), joined)


def _buffers(column: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(UTF-8 bytes, offsets of the texts) of an array of text."""
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    _, places, data = column.buffers()
    offsets = np.frombuffer(places, kind)[column.offset : column.offset + len(column) + 1]
    characters = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return characters, offsets.astype(np.int64)


@lru_cache(maxsize=1)
def _folds() -> npt.NDArray[np.int32]:
    """A table from single characters to their folds; `_BETWEEN` for none, or `_UNSURE`.

    Only for alphabets and marks in which no character is composed with one before it: a text of
    these is folded character by character.
    """
    table = np.full(_MOST, _UNRESOLVED, np.int32)
    for code in (*range(0x590), *range(0x2000, 0x2C00)):
        folded = unicodedata.normalize("NFD", chr(code)).casefold()
        folded = unicodedata.normalize("NFC", folded)
        if any(unicodedata.category(c)[0] == "M" for c in folded):
            continue
        if folded.isspace():
            table[code] = _BETWEEN
        elif len(folded) == 1:
            table[code] = ord(folded)
    return table


@njit
def _code_at(data, place):  # type: ignore[no-untyped-def]
    """(the character that begins at an index, its bytes), of valid UTF-8."""
    lead = np.int32(data[place])
    if lead < 0x80:
        return lead, 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | (data[place + 1] & 0x3F), 2
    if lead < 0xF0:
        high = (lead & 0x0F) << 12 | np.int32(data[place + 1] & 0x3F) << 6
        return high | (data[place + 2] & 0x3F), 3
    return np.int32(_MOST), 4


@njit
def _wide(data, offsets, folds):  # type: ignore[no-untyped-def]
    """Texts with a character that cannot be folded by itself."""
    found = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(found)):
        place = offsets[row]
        while place < offsets[row + 1]:
            if data[place] < 128:
                place += 1
                continue
            code, size = _code_at(data, place)
            if code >= _MOST or folds[code] == _UNRESOLVED:
                found[row] = True
                break
            place += size
    return found


@njit
def _digest(data, offsets, folds, state):  # type: ignore[no-untyped-def]
    """Add each folded text to its row's digest: FNV-1a over characters, then a mixing round."""
    prime, start = np.uint64(_PRIME), np.uint64(_START)
    for row in range(len(state)):
        hashed = start
        words, between = False, False
        place = offsets[row]
        while place < offsets[row + 1]:
            code, size = _code_at(data, place)
            if size == 4:  # there is no table of these
                code = np.int32(data[place + 1]) << 12 | np.int32(data[place + 2]) << 6
                code = _MOST + (code | np.int32(data[place + 3]))
            elif code < _MOST and folds[code] != _UNRESOLVED:
                code = folds[code]
            place += size
            if code == _BETWEEN:
                between = True
                continue
            if between and words:
                hashed = (hashed ^ np.uint64(32)) * prime
            hashed = (hashed ^ np.uint64(code)) * prime
            words, between = True, False
        mixed = (hashed ^ state[row]) * np.uint64(_MIX[0])
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(_MIX[1])
        state[row] = mixed ^ (mixed >> np.uint64(33))

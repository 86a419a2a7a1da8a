"""Find texts on which gigatoken may differ from the reference encoder.

Two differences are known. Characters of Unicode 17: gigatoken splits by its tables, Hugging Face
`tokenizers` and SentencePiece by older tables. Control tokens as text: gigatoken reads
them as control ids, SentencePiece as letters. The bytes of a batch are scanned at once, and the
reference encodes the texts found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from flancompile.jit import njit
from flancompile.tokenizer.text import Texts

__all__ = ["NEWER", "UncertainTexts", "quoted"]

# Letters, digits and marks of Unicode 17, found by comparing gigatoken 0.10 with tokenizers 0.23
# on every code point under the split rules of cl100k, o200k and Qwen 2. A slow test repeats this.
NEWER = (
    (0x088F, 0x088F), (0x0C5C, 0x0C5C), (0x0CDC, 0x0CDC), (0x1ACF, 0x1AEB), (0xA7CE, 0xA7D4),
    (0xA7F1, 0xA7F1), (0x10940, 0x1095F), (0x10EC5, 0x10EFB), (0x11B60, 0x11B67),
    (0x11DB0, 0x11DEF), (0x16EA0, 0x16ED3), (0x16FF2, 0x16FF6), (0x187F8, 0x187FF),
    (0x18D09, 0x18D1E), (0x18D80, 0x18DF2), (0x1CEC0, 0x1CEFF), (0x1E6C0, 0x1E6FF),
    (0x2B73A, 0x2B73F), (0x2CEA2, 0x2CEAD), (0x323B0, 0x33479),
)  # fmt: skip
_CODE_POINTS = 0x110000
# Unassigned code points between the CJK extensions and the tags; skipped to save time.
_EMPTY_PLANES = (0x34000, 0xE0000)


class UncertainTexts:
    """Detector of texts with a character of uncertain class or a text of `controls`."""

    def __init__(self, controls: Sequence[str]) -> None:
        words = sorted({c for c in controls if c}, key=lambda c: (-len(c), c))
        self._controls = "|".join(map(quoted, words))

    def mask(self, texts: Texts) -> npt.NDArray[np.bool_]:
        """Whether each text is uncertain. -> bool[texts]"""
        found = _with_marked(texts.data, texts.offsets, _uncertain_code_points())
        if self._controls:
            matches = pc.match_substring_regex(texts.array, self._controls)
            found |= matches.to_numpy(zero_copy_only=False).astype(np.bool_)
        return np.asarray(found, dtype=np.bool_)

    def indices(self, texts: Sequence[str]) -> list[int]:
        """Indices of the uncertain texts, ascending."""
        return [int(i) for i in np.flatnonzero(self.mask(Texts.of(texts)))]


def quoted(text: str) -> str:
    """Escape a text for RE2."""
    return "".join(c if c.isalnum() or ord(c) >= 128 else f"\\x{{{ord(c):x}}}" for c in text)


@njit
def _with_marked(data, offsets, table):  # type: ignore[no-untyped-def]
    """Whether each text contains a marked character. data: valid UTF-8; table: bool[0x110000]."""
    found = np.zeros(len(offsets) - 1, np.bool_)
    for text in range(len(found)):
        place, end = offsets[text], offsets[text + 1]
        while place < end:
            lead = data[place]
            if lead < 0x80:
                place += 1
                continue
            if lead < 0xE0:
                more, code = 1, np.uint32(lead & 0x1F)
            elif lead < 0xF0:
                more, code = 2, np.uint32(lead & 0x0F)
            else:
                more, code = 3, np.uint32(lead & 0x07)
            for n in range(more):
                code = (code << 6) | np.uint32(data[place + 1 + n] & 0x3F)
            if table[code]:
                found[text] = True
                break
            place += more + 1
    return found


@lru_cache(maxsize=1)
def _uncertain_code_points() -> npt.NDArray[np.bool_]:
    """Code points whose class may differ between Unicode versions. -> bool[0x110000]"""
    table = np.zeros(_CODE_POINTS, dtype=np.bool_)
    first, last = _EMPTY_PLANES
    table[first:last] = True
    for codes in (range(first), range(last, last + 0x1000)):
        unknown = [unicodedata.category(chr(c)) == "Cn" for c in codes]
        table[codes.start : codes.stop] = unknown
    for low, high in NEWER:
        table[low : high + 1] = True
    return table

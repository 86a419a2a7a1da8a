"""Cut points of a text: positions where its ids are the concatenated ids of its parts.

A cut is a position between two ASCII characters x and y, and depends on this pair only. The rules
below are derived for each kind of tokenizer, checked at load on texts made of odd pieces, and
checked again by fuzzing in the tests.

**Byte-level BPE.** The matches of a split pattern tile the text from the left, and each match is
encoded separately. If no match can contain x followed by y, a match ends at every x|y. The matches
before it do not depend on the text after it, unless one looks ahead: only `\\s+(?!\\S)` does.

- GPT-2's pattern: no match has white space after another character, and no match that ends before
  a space or newline looks ahead. Cuts: x|space and x|newline, for any printable x.
- The patterns of Llama 3, cl100k, o200k, Qwen and Tekken consist of the alternatives in `_KNOWN`.
  Punctuation takes the newlines after it, so the cuts are x|newline for letters and digits only,
  and x|space for any printable x. A match with a newline ends with its run of newlines (in o200k
  and Tekken also slashes), because `\\s*[\\r\\n]+` precedes the pattern that looks ahead. Cuts:
  also newline|y for printable y except the slash.

No text of an added token may contain a cut. A text with an added token that looks at its
surroundings is encoded whole by the reference encoder.

**SentencePiece.** The cuts of `words.py`: before a space, or between two characters that are
adjacent in no piece.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.tokenizer.ragged import Ragged

__all__ = ["Cuts", "Parts", "byte_level_cuts", "cut_places", "cuts_hold", "no_cuts"]

Cuts = npt.NDArray[np.bool_]  # bool[129, 129]: ASCII, and 128 for all others, which have no cuts
Flags = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.float64]
_PRINTABLE = [*range(0x21, 0x7F)]
_SPACE, _NEWLINE = ord(" "), ord("\n")
_LETTERS_DIGITS = [ord(c) for c in string.ascii_letters + string.digits]
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_KNOWN = frozenset(
    {
        _SHORT, r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\p{N}{1,3}", r"\p{N}",
        *(rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}{u}{_LOWER}{v}{end}"
          for u, v in ("*+", "+*") for end in ("", f"{_SHORT}?")),
        r" ?[^\s\p{L}\p{N}]+[\r\n]*", r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
    }
)  # fmt: skip
_LAST = [r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"]
_ODD = (
    "a", "Zebra", "the", "I'LL", "'s", "12", "3456", " ", "  ", "\n", "\n\n", " \n", "\t", "\r\n",
    ".", ":", "?!", "...", "-", "(", ")", '"', "'", "/", "//", "#", "__", "é", "Ünï", "東京",
    "한국어", "न", "\u0301", "\u00a0", "\u2028", "\u200b", "🙂", "\x00", "<", ">", "|", "Ⅷ", "٣",
)  # fmt: skip
_CHECKED = 400
SAFE = 64.0  # greater than the sum of scores of any text of the check


@dataclass(frozen=True)
class Parts:
    """Ids of parts of texts.

    uncertain: bool[parts], whether the reference encoder must encode the whole text; sums:
    float64[parts], each part's share of the sum of a text's scores; slack: float64[parts], the
    greatest sum before a part for which its ids are exact.
    """

    encoded: Ragged
    uncertain: Flags
    sums: Sums
    slack: Sums

    @classmethod
    def plain(cls, encoded: Ragged, uncertain: Flags) -> Parts:
        """Parts whose ids do not depend on the text before them."""
        count = len(encoded)
        return cls(encoded, uncertain, np.zeros(count), np.full(count, np.inf))


def no_cuts() -> Cuts:
    """Table without cuts."""
    return np.zeros((129, 129), np.bool_)


def byte_level_cuts(parsed: Mapping[str, Any]) -> Cuts | None:
    """Cuts of a byte-level tokenizer.json, parsed; None if its split pattern is unknown."""
    found = _split_cuts(parsed.get("pre_tokenizer") or {})
    added: Iterable[dict[str, Any]] = parsed.get("added_tokens") or ()
    if found is None or any(len(cut_places(t["content"], found)) for t in added):
        return None
    return found


def _split_cuts(before: dict[str, Any]) -> Cuts | None:
    steps = before.get("pretokenizers", [before])
    found = no_cuts()
    if [s.get("type") for s in steps] == ["ByteLevel"]:
        if steps[0].get("use_regex", True) is not True or steps[0].get("add_prefix_space"):
            return None
        found[np.ix_(_PRINTABLE, [_SPACE, _NEWLINE])] = True
        return found
    if [s.get("type") for s in steps] != ["Split", "ByteLevel"]:
        return None
    split, level = steps
    whole = split.get("behavior") == "Isolated" and not split.get("invert")
    parts = _alternatives((split.get("pattern") or {}).get("Regex") or "")
    if not whole or level.get("use_regex", True) or level.get("add_prefix_space"):
        return None
    if not set(parts) <= _KNOWN or [p for p in parts if p in _LAST] != _LAST:
        return None
    found[_PRINTABLE, _SPACE] = True
    found[_LETTERS_DIGITS, _NEWLINE] = True
    found[_NEWLINE, _PRINTABLE] = True
    found[_NEWLINE, ord("/")] = False
    return found


def _alternatives(pattern: str) -> list[str]:
    """Top-level alternatives of a regular expression."""
    found, depth, inside, start = list[str](), 0, False, 0
    for place, letter in enumerate(pattern):
        if place and pattern[place - 1] == "\\":
            continue
        inside = letter == "[" or (inside and letter != "]")
        depth += 0 if inside else (letter == "(") - (letter == ")")
        if letter == "|" and not depth and not inside:
            found.append(pattern[start:place])
            start = place + 1
    return [*found, pattern[start:]]


def cut_places(text: str, cuts: Cuts) -> list[int]:
    """Positions of the cuts of a text, ascending.

    >>> table = no_cuts()
    >>> table[ord("a"), ord(" ")] = True
    >>> cut_places("a ba a", table)
    [1, 4]
    """
    codes = [min(ord(c), 128) for c in text]
    return [i for i in range(1, len(codes)) if cuts[codes[i - 1], codes[i]]]


def cuts_hold(
    cuts: Cuts,
    whole: Callable[[Sequence[str]], Ragged],
    parts: Callable[[Sequence[str], Flags], Parts],
    count: int = _CHECKED,
    seed: int = 0,
) -> bool:
    """Whether `count` texts made of odd pieces have the same ids in parts as whole.

    whole: encodes texts; parts: encodes parts of texts, with a mask of those that begin a text.
    """
    rows = np.arange(count, dtype=np.uint64)
    drawn = [draw.bits(seed, "cuts", "", rows, 0, n) % np.uint64(len(_ODD)) for n in range(24)]
    texts = ["".join(_ODD[i] for i in line) for line in np.stack(drawn, axis=1).tolist()]
    pieces: list[str] = []
    begins: list[bool] = []
    counts: list[int] = []
    for text in texts:
        ends = [0, *cut_places(text, cuts), len(text)]
        pieces += [text[a:b] for a, b in pairwise(ends)]
        begins += [i == 0 for i in range(len(ends) - 1)]
        counts.append(len(ends) - 1)
    found, expected = parts(pieces, np.array(begins, np.bool_)), whole(texts)
    ends_ = np.cumsum([0, *counts])
    starts = found.encoded.offsets[ends_]
    uncertain = np.add.reduceat(found.uncertain | (found.slack < SAFE), ends_[:-1]) > 0
    ids = found.encoded.ids
    pairs = zip(starts, starts[1:], expected, uncertain, strict=False)
    return all(skip or np.array_equal(ids[a:b], one) for a, b, one, skip in pairs)

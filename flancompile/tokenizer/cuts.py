"""Where a text may be cut so that the ids of its parts, one after another, are those of the whole.

A cut lies between two ASCII characters x and y, and whether it may is said by the pair alone, so a
text is cut without looking further. What is derived here for each kind of tokenizer is checked at
load on texts made of odd pieces, and again by fuzzing in the tests.

**Byte-level BPE.** Ids are those of the matches of a split pattern, which tile the text from the
left. Where no match can hold x followed by y, a match ends at every x|y; and the matches left of it
are the same without what follows, unless one looks ahead over its end. Only `\\s+(?!\\S)` does.

- GPT-2's pattern: no match has white space after anything else, and none that ends before a space
  or newline looks ahead. So x|space and x|newline, for any printable x.
- The patterns of Llama 3, cl100k, o200k, Qwen and Tekken are made of the alternatives in `_KNOWN`.
  Marks take the newlines after them, so only a letter or digit may be cut from a newline, and all
  printable characters from a space. A match that holds a newline ends with its run of newlines (in
  o200k and Tekken with slashes too): `\\s*[\\r\\n]+` comes before the pattern that looks ahead. So
  also newline|y for printable y, but for the slash.

No text of an added token may hold a cut; those that look at their surroundings are left to the
reference, with the whole text around them.

**SentencePiece.** `words.py` says why its words may be encoded one by one: a cut lies where it cuts
too, before a space or between characters that stand side by side in no piece.
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

Cuts = npt.NDArray[np.bool_]  # bool[129, 129]: ASCII, and 128 for others, which are never cut
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
SAFE = 64.0  # no text of the check has a sum of scores beyond it


@dataclass(frozen=True)
class Parts:
    """Ids of parts of texts.

    unsure: bool[parts], whether the reference must be asked for the whole text; sums:
    float64[parts], what each part adds to the sum of a text's scores; slack: the most that may
    stand before it.
    """

    encoded: Ragged
    uncertain: Flags
    sums: Sums
    slack: Sums

    @classmethod
    def plain(cls, encoded: Ragged, uncertain: Flags) -> Parts:
        """Parts that do not look at what stands before them."""
        count = len(encoded)
        return cls(encoded, uncertain, np.zeros(count), np.full(count, np.inf))


def no_cuts() -> Cuts:
    """A table without a cut."""
    return np.zeros((129, 129), np.bool_)


def byte_level_cuts(about: Mapping[str, Any]) -> Cuts | None:
    """The cuts of a byte-level tokenizer.json, parsed; None where its split is not known."""
    found = _split_cuts(about.get("pre_tokenizer") or {})
    added: Iterable[dict[str, Any]] = about.get("added_tokens") or ()
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
    """The alternatives of a regular expression, outside its brackets."""
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
    """Where a text may be cut, ascending.

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
    """Whether texts of odd pieces have the same ids in parts as whole.

    parts: encodes parts, given which of them begin a text.
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

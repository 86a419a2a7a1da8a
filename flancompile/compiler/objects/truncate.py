"""Shorten fields to the token budget: the longest heads that fit, found by search.

The fields that a task names in `truncate` are cut in the order given: the first alone if that is
enough, else the first two to a common length, and so on. A search over that length in characters
encodes the whole prompt at each step, all rows of a batch at once; it starts at an estimate and
takes 6 to 12 steps for a field of any length. A head ends at a word's end if one is within 2% of
its length (at least 24 characters), else at a grapheme boundary.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Generic, TypeVar

__all__ = ["Cutting", "Measured", "head", "longest_fitting"]

WINDOW, SHARE = 24, 50
_JOINER = "\u200d"
T = TypeVar("T")


@dataclass(frozen=True)
class Measured(Generic[T]):
    """A text at some length. excess: tokens over the budget, at most 0 if it fits."""

    tokens: int
    excess: int
    result: T


@dataclass
class Cutting(Generic[T]):
    """A search for one row, over a common length of its fields in characters.

    texts: the fields that may be cut, in order; whole: the measure of the uncut fields, which do
    not fit; characters: of the whole prompt; taken: number of fields that are cut; cap: the length
    to try next; fits, over: the greatest length known to fit, and the least known not to.
    """

    texts: Sequence[str]
    whole: Measured[T]
    characters: int
    taken: int = 0
    cap: int = 0
    fits: int = 0
    over: int = 0
    best: Measured[T] | None = None
    _over_tokens: int = 0
    _steps: int = field(default=0)

    def __post_init__(self) -> None:
        self._take_another()

    @property
    def is_done(self) -> bool:
        """Whether the search has ended; `best` is then None if nothing fits."""
        return self.taken > len(self.texts)

    def heads(self, cap: int | None = None) -> list[str]:
        """The fields, the first `taken` of them cut to `cap` characters."""
        most = self.cap if cap is None else cap
        cut = [head(t, most) for t in self.texts[: self.taken]]
        return [*cut, *self.texts[self.taken :]]

    def learn(self, measured: Measured[T] | None) -> None:
        """Record the measure at `cap` (None: no text at all) and choose the next length."""
        if measured is not None and measured.excess <= 0:
            self.fits, self.best = self.cap, measured
        else:
            self.over = self.cap
            self._over_tokens = self.whole.tokens if measured is None else measured.tokens
        self._steps += 1
        if self.best is None:
            if self.cap > 1:
                self.cap = max(1, self.cap // 2)
            else:
                self._take_another()
        elif self.over - self.fits <= 1 or self.heads(self.fits) == self.heads(self.over - 1):
            self.taken = len(self.texts) + 1
        else:
            self.cap = self._between(self.best)

    def _take_another(self) -> None:
        """Cut one more field, starting at the length that the mean token suggests."""
        self.taken += 1
        if self.is_done:
            return
        lengths = [len(t) for t in self.texts[: self.taken]]
        self.over, self._over_tokens = max(lengths), self.whole.tokens
        allowed = sum(lengths) - self.whole.excess * self.characters / max(self.whole.tokens, 1)
        self.cap = min(max(_level(lengths, allowed), 1), max(self.over - 1, 1))

    def _between(self, best: Measured[T]) -> int:
        """A length between the known ones: in proportion to tokens, and every third time midway."""
        low, high = self.fits + 1, self.over - 1
        span = self._over_tokens - best.tokens
        if self._steps % 3 == 0 or span <= 0:
            return (low + high) // 2
        guess = self.fits + int((self.over - self.fits) * -best.excess / span)
        return min(max(guess, low), high)


def longest_fitting(
    cuttings: Mapping[int, Cutting[T]],
    measure: Callable[[Mapping[int, Sequence[str]]], Mapping[int, Measured[T]]],
) -> None:
    """Run searches to their end, in parallel. measure: from the fields' texts, by row."""
    while pending := {i: c.heads() for i, c in cuttings.items() if not c.is_done}:
        whole = {i: heads for i, heads in pending.items() if all(heads)}
        found = measure(whole)
        for i in pending:
            cuttings[i].learn(found.get(i))


def head(text: str, length: int) -> str:
    """The beginning of a text: at most `length` code points, and at least the first character.

    White space before the first character is kept and not counted. Characters are graphemes.

    >>> head("The old town", 9), head("The old town", 7), head("漢字かな", 3)
    ('The old', 'The old', '漢字か')
    """
    first = len(text) - len(text.lstrip())
    length += first
    if length >= len(text):
        return text
    if not text[length].isspace():
        window = text[max(0, length - max(WINDOW, length // SHARE)) : length]
        last = window.split()[-1:] if not window[-1:].isspace() else []
        kept = length - len(last[0]) if last and last[0] != window else 0
        length = kept if text[:kept].strip() else _border(text, length)
    if length <= first:  # the first grapheme is longer than that
        length = first + 1
        while length < len(text) and _continues(text, length):
            length += 1
    return text[:length].rstrip()


def _border(text: str, place: int) -> int:
    """The last grapheme boundary at or before a place."""
    while 0 < place < len(text) and _continues(text, place):
        place -= 1
    return place


def _continues(text: str, place: int) -> bool:
    """Whether the code point at a place continues a grapheme (UAX 29, roughly)."""
    before, after = text[place - 1], text[place]
    if after.isascii():
        return before == "\r" and after == "\n"
    if unicodedata.category(after) in ("Mn", "Mc", "Me") or after == _JOINER or before == _JOINER:
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    if _is_flag(after) and _is_flag(before):
        run = sum(1 for _ in takewhile(_is_flag, reversed(text[:place])))
        return run % 2 == 1
    return "\u1160" <= after <= "\u11ff" or after in ("\u200c", "\uff9e", "\uff9f")


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _level(lengths: Sequence[int], allowed: float) -> int:
    """The common length that leaves `left` characters when longer texts are cut to it."""
    rest, count = allowed, len(lengths)
    for length in sorted(lengths):
        if length * count >= rest:
            break
        rest -= length
        count -= 1
    return int(rest / count) if count else max(lengths)

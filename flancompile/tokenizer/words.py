"""Fast exact encoding for SentencePiece: encode each distinct word once, then gather ids.

A model without normalisation that preserves spaces: a text is cut between two characters that are
adjacent in no piece, and of which at least one is a piece. No merge and no path crosses such a cut,
so the ids of the text are the concatenated ids of its parts. The space that the model adds before a
text (its dummy prefix) is added first, and the parts are encoded without a prefix.

A model that normalises runs of spaces to one and strips them at the ends: a text is cut at its
spaces. A word has the same ids alone and in a text if the model adds a space before each text, no
piece contains a space after another character, no piece is matched before all others, and no rule
of normalisation crosses a space. A newline also separates words if it is normalised to a space.

`PieceModel.why_no_cuts` checks these conditions. Rounding remains: a unigram model chooses the best
path by float32 sums over the whole text, so rounding depends on the text before a word. `Paths`
finds the sum up to which the path of a word is safe. SentencePiece encodes the whole text if a word
exceeds its limit, if the text contains U+2581, which SentencePiece treats as a space, or if it
contains a marked special token.

Words are found in a hash table that compares their bytes; it is emptied when it exceeds
`MOST_WORDS` or `MOST_BYTES`.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.jit import njit
from flancompile.tokenizer.cuts import Cuts, Parts, no_cuts
from flancompile.tokenizer.encoders import NO_PREFIX, PieceEncoder
from flancompile.tokenizer.paths import Paths
from flancompile.tokenizer.pieces import SPACE, UNIGRAM, PieceModel
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.table import grown, intern, rehash
from flancompile.tokenizer.text import Texts

__all__ = ["WordEncoder", "word_encoder"]

MOST_WORDS = 2_000_000
MOST_BYTES = 64 << 20
CHUNK = 1 << 20
Flags = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.float64]


class _Table:
    """Hash table of distinct words: bytes, ids, scores, and limits of sums (`Paths.limits`)."""

    def __init__(self) -> None:
        self.slots = np.full(1 << 16, -1, np.int32)
        self.count = np.zeros(2, np.int64)  # words, bytes of words
        self.hashes = np.zeros(1 << 15, np.uint64)
        self.starts = np.zeros((1 << 15) + 1, np.int64)
        self.letters: npt.NDArray[Any] = np.zeros(1 << 20, np.uint8)
        self.id_starts = np.zeros((1 << 15) + 1, np.int64)
        self.ids: npt.NDArray[Any] = np.zeros(1 << 17, np.uint32)
        self.scores = np.zeros(1 << 15, np.float32)
        self.limits = np.zeros(1 << 15, np.float32)

    def make_room(self, words: int, letters: int) -> None:
        """Grow the arrays for `words` more words of `letters` bytes in total."""
        count, stored = self.count.tolist()
        if count + words > len(self.hashes):
            size = max(count + words, 2 * len(self.hashes))
            for name in ("hashes", "scores", "limits"):
                setattr(self, name, grown(getattr(self, name), size))
            for name in ("starts", "id_starts"):
                setattr(self, name, grown(getattr(self, name), size + 1))
        if stored + letters > len(self.letters):
            self.letters = grown(self.letters, max(stored + letters, 2 * len(self.letters)))
        if 2 * (count + words) > len(self.slots):
            size = 1 << int(2 * (count + words) - 1).bit_length()
            self.slots = np.full(size, -1, np.int32)
            rehash(self.slots, self.hashes, count)

    def word(self, index: int) -> str:
        """Text of a word."""
        return self.letters[self.starts[index] : self.starts[index + 1]].tobytes().decode()

    def put(self, first: int, encoded: Ragged) -> None:
        """Store the ids of the words from `first` on."""
        begin = int(self.id_starts[first])
        end = begin + len(encoded.ids)
        if end > len(self.ids):
            self.ids = grown(self.ids, max(end, 2 * len(self.ids)))
        self.ids[begin:end] = encoded.ids
        self.id_starts[first : first + len(encoded) + 1] = begin + encoded.offsets


class WordEncoder:
    """Encoder of texts by a table of their words. Thread-safe."""

    name = "words"

    def __init__(self, reference: PieceEncoder, data: bytes, model: PieceModel) -> None:
        self._single = model.single_spaces
        self._prefix = model.dummy_prefix and not self._single
        self._reference = PieceEncoder(data + NO_PREFIX) if self._prefix else reference
        newlines = self._single and model.newline_alone
        spaces = self._reference.normalized(["a b", "a\nb"]) if newlines else ["", " "]
        self._newline = (
            ord("\n") if spaces[0] == spaces[1] else ord(" ")
        )  # separates words, like a space
        self._paths = Paths(model) if model.model == UNIGRAM else None
        self._joined = model.joined()
        self._table = _Table()
        self._lock = threading.Lock()

    @property
    def cuts(self) -> Cuts:
        """Pairs of characters between which a text may be cut."""
        found = no_cuts()
        if self._single:
            parting = [ord(" "), self._newline]
            found[1:128, parting] = True
            found[np.ix_(parting, parting)] = False
        else:
            found[:128, :128] = ~self._joined[:128, :128]
        return found

    def encode(self, texts: Texts) -> tuple[Ragged, Flags]:
        """Encode texts. -> (ids of each text, bool[texts]: the reference must encode the text)"""
        found = self.encode_parts(texts, np.ones(len(texts), np.bool_))
        return found.encoded, found.uncertain | (found.slack < 1.0)

    def encode_parts(self, texts: Texts, begins: Flags) -> Parts:
        """Encode parts of texts. begins: bool[parts], the first part of a text."""
        with self._lock:
            return self._encode_parts(texts, begins)

    def _encode_parts(self, texts: Texts, begins: Flags) -> Parts:
        uncertain = np.zeros(len(texts), np.bool_)
        if self._prefix:
            spaces = pa.array(np.where(begins, " ", ""), texts.array.type)
            nothing = pa.scalar("", texts.array.type)
            texts = Texts.of(pc.binary_join_element_wise(spaces, texts.array, nothing))
        sums, slack = np.zeros(len(texts)), np.full(len(texts), np.inf)
        parts = [
            self._chunk(texts, a, b, begins[a:b], uncertain[a:b], sums[a:b], slack[a:b])
            for a, b in _chunks(texts.offsets)
        ]
        if len(parts) == 1:
            return Parts(parts[0], uncertain, sums, slack)
        lengths = [p.lengths for p in parts]
        offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
        joined = Ragged(np.concatenate([p.ids for p in parts]), offsets)
        return Parts(joined, uncertain, sums, slack)

    def _chunk(
        self, texts: Texts, first: int, last: int, begins: Flags, part: Flags, sums: Sums,
        slack: Sums,
    ) -> Ragged:  # fmt: skip
        table = self._table
        if table.count[0] > MOST_WORDS or table.count[1] > MOST_BYTES:
            table = self._table = _Table()
        offsets = texts.offsets[first : last + 1]
        size = int(offsets[-1] - offsets[0])
        known = int(table.count[0])
        most = (size // 2 + len(offsets)) if self._single else size
        table.make_room(most, size)
        bounds = np.empty((2, most), np.int64)
        ends = np.empty(len(offsets), np.int64)
        _cut(
            texts.data, offsets, self._single, self._newline, begins & self._prefix,
            self._joined, bounds, ends, part,
        )  # fmt: skip
        found = np.empty(int(ends[-1]), np.int32)
        intern(
            texts.data, bounds[0, : len(found)], bounds[1, : len(found)], table.slots,
            table.hashes, table.starts, table.letters, table.count, found,
        )  # fmt: skip
        table.count[1] = table.starts[table.count[0]]
        if table.count[0] > known:
            self._encode_new(known)
        if self._paths is not None:
            _add_up(found, ends, table.scores, table.limits, sums, slack)
        lengths = _lengths(found, ends, table.id_starts, part)
        out = np.empty(int(lengths.sum()), np.uint32)
        _gather(found, ends, table.id_starts, table.ids, part, out)
        return Ragged(out, np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]))

    def _encode_new(self, first: int) -> None:
        """Encode and store the words from `first` on."""
        table = self._table
        words = [table.word(i) for i in range(first, int(table.count[0]))]
        encoded = self._reference.encode(words)
        table.put(first, encoded)
        if self._paths is not None:
            last = first + len(words)
            spaced = [w.replace(" ", SPACE) for w in words]
            texts = Texts.of(self._reference.normalized(words) if self._single else spaced)
            table.scores[first:last], table.limits[first:last] = self._paths.limits(texts)


def word_encoder(
    reference: PieceEncoder, data: bytes, probes: list[str]
) -> tuple[WordEncoder | None, str]:
    """Word encoder for a SentencePiece model, or None if it is not exact. -> (encoder, reason)

    data: the model's file; probes: texts on which it is compared with the reference.
    """
    try:
        model = PieceModel.of(data)
    except ValueError as error:
        return None, str(error)
    why_not = model.why_no_cuts()
    if why_not is not None:
        return None, f"no cuts: {why_not}"
    words = WordEncoder(reference, data, model)
    texts = [*probes, " ".join(probes), "  ".join(reversed(probes))]
    found, uncertain = words.encode(Texts.of(texts))
    for text, ids, expected, skip in zip(
        texts, found, reference.encode(texts), uncertain, strict=True
    ):
        if not skip and not np.array_equal(ids, expected):
            return None, f"words differ on {text[:40]!r}"
    return words, "its pieces define cuts, and words agree on every probe"


def _chunks(offsets: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges (first, last) of texts of about `CHUNK` bytes each."""
    count, found, first = len(offsets) - 1, list[tuple[int, int]](), 0
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + CHUNK, side="right")) - 1
        last = min(max(last, first + 1), count)
        found.append((first, last))
        first = last
    return found or [(0, 0)]


@njit
def _is_mark(first, second, third):  # type: ignore[no-untyped-def]
    """Whether these are the bytes of U+2581, U+FDD0 or U+FDD1."""
    if first == 0xE2:
        return second == 0x96 and third == 0x81
    return first == 0xEF and second == 0xB7 and third & 0xFE == 0x90


@njit
def _cut(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    data, offsets, single, newline, prefix, joined, bounds, ends, uncertain
):
    """Cut texts into words.

    bounds: int64[2, words], first byte of each word and the one after it; ends: int64[texts + 1],
    offsets into bounds.
    """
    n = 0
    ends[0] = 0
    for text in range(len(offsets) - 1):
        place, end = offsets[text], offsets[text + 1]
        if prefix[text] and end - place == 1:
            place = end  # an empty text gets no prefix
        while place < end:
            if single and (data[place] == 32 or data[place] == newline):
                place += 1
                continue
            begin, before = place, 0
            while place < end:
                byte = data[place]
                if single:
                    if byte == 32 or byte == newline:
                        break
                elif place > begin and byte & 0xC0 != 0x80 and not joined[before, min(byte, 128)]:
                    break
                if (
                    byte >= 0xE2
                    and place + 2 < end
                    and _is_mark(byte, data[place + 1], data[place + 2])
                ):
                    uncertain[text] = True
                before = min(byte, 128)
                place += 1
            if uncertain[text]:
                break
            bounds[0, n], bounds[1, n] = begin, place
            n += 1
        ends[text + 1] = n


@njit
def _add_up(found, ends, scores, limits, sums, slack):  # type: ignore[no-untyped-def]
    """Sum the scores of each text. slack: greatest sum before it for which its paths are safe."""
    for text in range(len(sums)):
        total, least = 0.0, np.inf
        for k in range(ends[text], ends[text + 1]):
            total += abs(scores[found[k]])
            least = min(least, limits[found[k]] - total)
        sums[text], slack[text] = total, least


@njit
def _lengths(found, ends, id_starts, uncertain):  # type: ignore[no-untyped-def]
    out = np.zeros(len(uncertain), np.int64)
    for text in range(len(uncertain)):
        if not uncertain[text]:
            for k in range(ends[text], ends[text + 1]):
                out[text] += id_starts[found[k] + 1] - id_starts[found[k]]
    return out


@njit
def _gather(found, ends, id_starts, ids, uncertain, out):  # type: ignore[no-untyped-def]
    place = 0
    for text in range(len(uncertain)):
        if not uncertain[text]:
            for k in range(ends[text], ends[text + 1]):
                for at in range(id_starts[found[k]], id_starts[found[k] + 1]):
                    out[place] = ids[at]
                    place += 1

"""Parse a SentencePiece .model: pieces, algorithm and normalisation."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit

__all__ = ["SPACE", "Piece", "PieceModel", "with_kinds"]

SPACE = "\u2581"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE = 1, 2


@dataclass(frozen=True)
class Piece:
    """A piece of the vocabulary. kind: NORMAL, UNKNOWN, ..., as in sentencepiece_model.proto."""

    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class PieceModel:
    """The fields of a .model file that determine its cuts.

    model: UNIGRAM or BPE; dummy_prefix: a space is added before each text; single_spaces: runs of
    spaces are normalised to one; charsmap: the compiled normalisation rules, possibly empty.
    """

    pieces: tuple[Piece, ...]
    model: int
    space_as_suffix: bool
    dummy_prefix: bool
    single_spaces: bool
    charsmap: bytes

    @classmethod
    def of(cls, data: bytes) -> PieceModel:
        """Parse a .model file. Raises ValueError. Source: sentencepiece_model.proto."""
        fields = list(_fields(data))
        pieces = tuple(_piece(v) for n, v in fields if n == 1 and isinstance(v, bytes))
        trainer, normalizer = (
            dict(_fields(next((v for n, v in fields if n == at and isinstance(v, bytes)), b"")))
            for at in (2, 3)
        )
        charsmap = normalizer.get(2, b"")
        return cls(
            pieces=pieces,
            model=int(trainer.get(3, UNIGRAM)),
            space_as_suffix=bool(trainer.get(24, False)),
            dummy_prefix=bool(normalizer.get(3, True)),
            single_spaces=bool(normalizer.get(4, True)),
            charsmap=charsmap if isinstance(charsmap, bytes) else b"",
        )

    def why_no_cuts(self) -> str | None:
        """Reason why texts cannot be cut, or None if they can."""
        if self.model not in (UNIGRAM, BPE):
            return "it is neither a unigram model nor BPE"
        if self.space_as_suffix:
            return "a word ends with its space"
        if self.model == UNIGRAM and any(p.kind == USER_DEFINED for p in self.pieces):
            return "it has pieces that are matched before all others"
        if not self.single_spaces:
            return "it normalises characters but not spaces" if self.charsmap else None
        if not self.dummy_prefix:
            return "a word does not begin with its space"
        crossing = next((p.text for p in self.pieces if SPACE in p.text.lstrip(SPACE)), None)
        if crossing is not None:
            return f"the piece {crossing!r} crosses a space"
        if not any(p.text == SPACE and p.kind == NORMAL for p in self.pieces):
            return "a space is not a piece"
        if any(p.kind == USER_DEFINED for p in self.pieces):
            return "it has pieces that are matched before all others"
        if self.charsmap and _rules_see(self.charsmap, ord(" ")):
            return "a rule of its normalisation crosses a space"
        return None

    @property
    def newline_alone(self) -> bool:
        """Whether no rule of normalisation matches a newline together with other characters."""
        return not self.charsmap or not _rules_see(self.charsmap, ord("\n"))

    def joined(self) -> npt.NDArray[np.bool_]:
        """Pairs of characters without a cut between them. -> bool[129, 129], 128 for non-ASCII

        Two characters are joined if a piece contains the pair, or if neither is a piece: adjacent
        unknown characters become one token.
        """
        found = np.zeros((129, 129), np.bool_)
        known = np.zeros(129, np.bool_)
        for piece in self.pieces:
            text = piece.text.replace(SPACE, " ")
            codes = [min(ord(c), 128) for c in text]
            for pair in pairwise(codes):
                found[pair] = True
            if len(codes) == 1 and codes[0] < 128 and piece.kind in (NORMAL, USER_DEFINED):
                known[codes[0]] = True
        if not any(p.kind == BYTE for p in self.pieces):
            found |= ~known[:, None] & ~known[None, :]
        return found


def with_kinds(data: bytes, kinds: Sequence[int]) -> bytes:
    """Copy of a .model file with new kinds for its pieces, in their order."""
    out, place = bytearray(), 0
    new_kinds = iter(kinds)
    for number, value, end in _placed(data):
        field = data[place:end]
        if number == 1 and isinstance(value, bytes):
            kind = next(new_kinds)
            if _piece(value).kind != kind:
                value += bytes([0x18, kind])  # protobuf: the last `type` wins
                field = b"\x0a" + _varint(len(value)) + value
        out += field
        place = end
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _piece(data: bytes) -> Piece:
    found = dict(_fields(data))
    text, score = found.get(1, b""), found.get(2, 0.0)
    assert isinstance(text, bytes) and not isinstance(score, bytes)
    kind = found.get(3, NORMAL)
    return Piece(text.decode("utf-8", "replace"), float(score), int(kind))


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Fields of a protobuf message, in order: (number, value)."""
    return ((number, value) for number, value, _ in _placed(data))


def _placed(data: bytes) -> Iterator[tuple[int, int | float | bytes, int]]:
    """Fields of a protobuf message, in order: (number, value, end offset)."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(data):
        try:
            tag = varint()
            number, wire = tag >> 3, tag & 7
            if wire == 0:
                value = varint()
                yield number, value, place
            elif wire == 2:
                size = varint()
                place += size
                yield number, data[place - size : place], place
            elif wire in (1, 5):
                kind, size = ("<d", 8) if wire == 1 else ("<f", 4)
                place += size
                yield number, struct.unpack_from(kind, data, place - size)[0], place
            else:
                raise ValueError(f"not a SentencePiece model: wire type {wire}")
        except (IndexError, struct.error):
            raise ValueError("not a SentencePiece model: it is truncated") from None


def _rules_see(charsmap: bytes, letter: int) -> bool:
    """Whether a rule matches a character together with other characters."""
    (size,) = struct.unpack_from("<I", charsmap)
    return bool(_walk(np.frombuffer(charsmap[4 : 4 + size], np.uint32), letter))


@njit
def _walk(units, sought):  # type: ignore[no-untyped-def]
    """Whether a key of a double array (darts-clone) contains `sought` and other characters."""
    stack = [(np.int64(0), 0, False)]  # unit, depth, whether the key so far is that letter alone
    while len(stack) > 0:
        unit, depth, alone = stack.pop()
        offset = np.int64(units[unit] >> 10) << np.int64((units[unit] & 512) >> 6)
        base = unit ^ offset
        for letter in range(1, 256):
            child = base ^ letter
            if child >= len(units) or (units[child] & np.uint32(0x800000FF)) != letter:
                continue
            if alone or (letter == sought and depth > 0):
                return True
            stack.append((np.int64(child), depth + 1, letter == sought))
    return False

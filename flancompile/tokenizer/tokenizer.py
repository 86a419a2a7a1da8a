"""Common interface of all tokenizers.

The ids of a text equal those of the reference encoder for the whole text, computed by the fastest
encoder that is exact for the tokenizer. Encoding adds no special tokens; the frame does. A text
that spells a special token is encoded as ordinary text (`special.py`), unless `reads_special` is
set. FLANCOMPILE_REFERENCE_ENCODER=1 in the environment disables the fast encoders.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import blake3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.errors import fail
from flancompile.marks import CLOSE, OPEN, unmarked
from flancompile.tokenizer.chat import ChatTemplate
from flancompile.tokenizer.cuts import Cuts, Parts
from flancompile.tokenizer.encoders import Encoder, PieceEncoder
from flancompile.tokenizer.fast import FastEncoder
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.selection import (
    Kind,
    byte_level,
    exact_cuts,
    fastest_encoder,
    reference_encoder,
)
from flancompile.tokenizer.special import special_texts, text_data
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.words import WordEncoder

__all__ = ["FILES", "METADATA_FILE", "Kind", "Specials", "Tokenizer"]

FILES: dict[Kind, str] = {"hf": "tokenizer.json", "sentencepiece": "tokenizer.model"}
METADATA_FILE = "about.json"
_building = threading.RLock()  # so that concurrent threads build an encoder once
REFERENCE_ONLY = "FLANCOMPILE_REFERENCE_ENCODER"


@dataclass(frozen=True)
class Specials:
    """Ids of the tokens that a frame may use; None if the tokenizer has none."""

    bos: int | None = None
    eos: int | None = None
    pad: int | None = None


class Tokenizer:
    """A tokenizer; pickles as its bytes.

    data: its file's bytes; name: for display; chat: chat template; reads_special: whether a text
    that spells a special token encodes to that token.
    """

    def __init__(
        self,
        kind: Kind,
        data: bytes,
        name: str,
        specials: Specials,
        chat: ChatTemplate | None = None,
        reads_special: bool = False,
    ) -> None:
        self.kind, self.data, self.name, self._chat = kind, data, name, chat
        self.reads_special = reads_special
        self.bos_id, self.eos_id, self.pad_id = specials.bos, specials.eos, specials.pad
        self._counts = threading.local()

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[Any, ...]]:
        arguments = (self.kind, self.data, self.name, self.specials, self._chat, self.reads_special)
        return (Tokenizer, arguments)

    @property
    def encoder_counts(self) -> dict[str, int]:
        """Number of texts that this thread has encoded, by encoder."""
        found: dict[str, int] = self._counts.__dict__
        return found

    @property
    def specials(self) -> Specials:
        """Ids of the tokens that a frame may use."""
        return Specials(self.bos_id, self.eos_id, self.pad_id)

    @cached_property
    def chat(self) -> ChatTemplate | None:
        """Chat template, which marks the special tokens that it writes."""
        special = () if self.reads_special else self.special_texts
        return None if self._chat is None else replace(self._chat, special=special)

    def with_specials(self, specials: Specials) -> Tokenizer:
        """Copy with other tokens for the frame."""
        return self._with(specials, self._chat, self.reads_special)

    def with_chat(self, chat: ChatTemplate | None) -> Tokenizer:
        """Copy with another chat template."""
        return self._with(self.specials, chat, self.reads_special)

    def reading_special(self, reads_special: bool) -> Tokenizer:
        """Copy that reads, or does not read, special tokens in text."""
        return self._with(self.specials, self._chat, reads_special)

    def _with(
        self, specials: Specials, chat: ChatTemplate | None, reads_special: bool
    ) -> Tokenizer:
        """Copy that shares the encoders that are built already."""
        other = Tokenizer(self.kind, self.data, self.name, specials, chat, reads_special)
        built = ["_declared", "vocab_size"]
        if other._text_data == self._text_data:
            built += ["_reference", "_fast", "cuts", "lossless"]
        other.__dict__.update({k: v for k, v in self.__dict__.items() if k in built})
        return other

    @cached_property
    def special_texts(self) -> tuple[str, ...]:
        """Texts of its special tokens, longest first."""
        return special_texts(self.kind, self.data, self._roles)

    @cached_property
    def unknown_id(self) -> int | None:
        """Id of the unknown token; None if every text can be encoded."""
        return None if self.lossless else self._declared.unknown()

    @property
    def _roles(self) -> tuple[str, ...]:
        ids = (self.bos_id, self.eos_id, self.pad_id)
        texts = (self._declared.name_of(i) for i in ids if i is not None)
        return tuple(sorted({t for t in texts if t is not None})) if self.kind == "hf" else ()

    @cached_property
    def _text_data(self) -> bytes:
        """File of the encoders: the tokenizer's own, or its copy with marked special tokens."""
        return self.data if self.reads_special else text_data(self.kind, self.data, self._roles)

    @cached_property
    def _declared(self) -> Encoder:
        """Encoder of the original file, for names of tokens and decoding."""
        with _building:
            return reference_encoder(self.kind, self.data)

    @cached_property
    def digest(self) -> str:
        """BLAKE3 of the data that determines ids, frame and chats; no path, no name."""
        specials = [self.bos_id, self.eos_id, self.pad_id]
        chat = [] if self._chat is None else [self._chat.as_json()]
        reads = ["reads special tokens"] if self.reads_special else []
        settings = json.dumps([self.kind, specials, *chat, *reads], sort_keys=True).encode()
        return str(blake3.blake3(settings + b"\n" + self.data).hexdigest())

    @cached_property
    def _reference(self) -> Encoder:
        """Reference encoder, which defines the ids of a text."""
        with _building:
            return reference_encoder(self.kind, self._text_data)

    @cached_property
    def _fast(self) -> tuple[FastEncoder | WordEncoder | None, str]:
        if self.kind == "bytes":
            return None, "bytes need no other encoder"
        if os.environ.get(REFERENCE_ONLY):
            return None, f"{REFERENCE_ONLY} is set"
        with _building:
            return fastest_encoder(self.kind, self._text_data)

    @property
    def encoder(self) -> str:
        """Name of the encoder in use, and the reason."""
        fast, why = self._fast
        return f"{fast.name if fast else self._reference.name}: {why}"

    @cached_property
    def vocab_size(self) -> int:
        """Greatest id + 1, special tokens included."""
        return self._declared.size()

    @cached_property
    def lossless(self) -> bool:
        """Whether decoding restores every text, as for byte-level BPE and bytes."""
        data = self._text_data
        return self.kind == "bytes" or (self.kind == "hf" and byte_level(data))

    @cached_property
    def _special(self) -> npt.NDArray[np.bool_]:
        marked = np.zeros(self.vocab_size, dtype=np.bool_)
        frame = (self.bos_id, self.eos_id, self.pad_id)
        ids = [*self._declared.special(), *(i for i in frame if i is not None)]
        marked[ids] = True
        return marked

    def encode(self, texts: Sequence[str] | pa.Array) -> Ragged:
        """Encode each text as a whole, without adding special tokens.

        texts: strings, or text in Arrow. Raises FC309 for a lone surrogate.
        """
        try:
            return self._encode(Texts.of(texts))
        except (TypeError, UnicodeEncodeError):
            for place, text in enumerate(texts):
                if not isinstance(text, str):
                    raise
                if any("\ud800" <= c <= "\udfff" for c in text):
                    raise _lone_surrogate(place, text) from None
            raise

    def _encode(self, texts: Texts) -> Ragged:
        if self.reads_special:
            texts = _without_marks(texts)
        fast, _ = self._fast
        if fast is None:
            self._count(self._reference.name, len(texts))
            return self._reference.encode(texts.strings())
        found, uncertain = fast.encode(texts)
        uncertain_rows = np.flatnonzero(uncertain)
        self._count(fast.name, len(texts) - len(uncertain_rows))
        if len(uncertain_rows) == 0:
            return found
        self._count(self._reference.name, len(uncertain_rows))
        return found.replaced(
            uncertain_rows, self._reference.encode(texts.strings(uncertain_rows.tolist()))
        )

    @cached_property
    def cuts(self) -> Cuts | None:
        """Positions where texts may be cut into parts for `encode_parts`, if there are any."""
        fast, _ = self._fast
        if self.kind == "bytes":
            return np.ones((129, 129), np.bool_)
        with _building:
            return None if fast is None else exact_cuts(self.kind, self._text_data, fast)

    def encode_parts(self, texts: pa.Array, begins: npt.NDArray[np.bool_]) -> Parts:
        """Encode parts of texts cut at `cuts`. begins: bool[parts], the first part of a text."""
        fast, _ = self._fast
        parts = _without_marks(Texts.of(texts)) if self.reads_special else Texts.of(texts)
        if fast is None:
            strings = parts.strings()
            marked = np.fromiter((OPEN in t or CLOSE in t for t in strings), np.bool_, len(strings))
            return Parts.plain(self._reference.encode(strings), marked)
        return fast.encode_parts(parts, begins)

    def count_spliced(self, texts: int) -> None:
        """Add to the number of texts whose ids were concatenated from their parts."""
        fast, _ = self._fast
        self._count(f"{(fast or self._reference).name}, spliced", texts)

    def reference(self, texts: Sequence[str]) -> Ragged:
        """Encode texts with the reference encoder, for comparison."""
        return self._reference.encode([unmarked(t) for t in texts] if self.reads_special else texts)

    def decode(
        self, ids: Sequence[int] | npt.NDArray[np.integer], *, skip_special: bool = False
    ) -> str:
        """Text of ids; special tokens appear as their text, or are skipped."""
        flat = np.asarray(ids, dtype=np.uint32)
        one = Ragged(flat, np.array([0, len(flat)], dtype=np.int64))
        return self.decode_all(one, skip_special=skip_special)[0]

    def decode_all(self, encoded: Ragged, *, skip_special: bool = False) -> list[str]:
        """Text of each list of ids."""
        return self._declared.decode(encoded, self._special if skip_special else None)

    def exact(self, texts: Sequence[str] | pa.Array, encoded: Ragged) -> npt.NDArray[np.bool_]:
        """Whether decoding restores each text. -> bool[texts]"""
        if self.lossless:
            return np.ones(len(texts), dtype=np.bool_)
        pairs = zip(Texts.of(texts).strings(), self.decode_all(encoded), strict=True)
        return np.fromiter((unmarked(a) == b for a, b in pairs), dtype=np.bool_, count=len(texts))

    def has_special(self, encoded: Ragged) -> npt.NDArray[np.bool_]:
        """Whether each text's ids contain a special token. -> bool[texts]"""
        return encoded.holds(self._special)

    def token_text(self, token: int) -> str:
        """Text of one id for display."""
        return self._declared.text_of(int(token))

    def token_id(self, text: str) -> int | None:
        """Id of a token by its text, or None."""
        return self._declared.id_of(text)

    def own_special(self, name: Literal["bos", "eos", "pad"]) -> int | None:
        """Id that a SentencePiece model or bytes define for a role; None for other kinds."""
        if isinstance(self._declared, PieceEncoder):
            found = int(getattr(self._declared.model, f"{name}_id")())
            return found if found >= 0 else None
        return {"pad": 0, "bos": 1, "eos": 2}[name] if self.kind == "bytes" else None

    def save(self, folder: Path) -> None:
        """Write the tokenizer's file and about.json, for `load_folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.kind in FILES:
            (folder / FILES[self.kind]).write_bytes(self.data)
        metadata = {
            "kind": self.kind,
            "name": self.name,
            "digest": self.digest,
            "bos_id": self.bos_id,
            "eos_id": self.eos_id,
            "pad_id": self.pad_id,
            "chat_template": None if self._chat is None else self._chat.as_json(),
            "reads_special": self.reads_special,
        }
        text = json.dumps(metadata, indent=2, sort_keys=True) + "\n"
        (folder / METADATA_FILE).write_text(text, encoding="utf-8")

    def _count(self, path: str, texts: int) -> None:
        if texts:
            self.encoder_counts[path] = self.encoder_counts.get(path, 0) + texts


def _without_marks(texts: Texts) -> Texts:
    found = texts.array
    for mark in (OPEN, CLOSE):
        found = pc.replace_substring(found, mark, "")
    return Texts.of(found)


def _lone_surrogate(place: int, text: str) -> Exception:
    message = f"text {place} contains half a character (a lone surrogate): {text[:60]!a}"
    return fail("FC309", message, hint="fix or drop the row: it is not Unicode text")

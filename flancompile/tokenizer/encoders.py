"""Reference encoders, one for each kind of tokenizer; they define the ids of a text.

Speed in million tokens per second on two cores, with question-answering passages in four
languages: `tokenizers` 1.1 for GPT-2, `sentencepiece` 7.5 for T5's unigram and 2.5 for a BPE.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from flancompile.marks import CLOSE, OPEN
from flancompile.tokenizer.ragged import Ragged

# Appended to a .model file: normalizer_spec.add_dummy_prefix = false (protobuf: the last wins).
NO_PREFIX = b"\x1a\x02\x18\x00"

__all__ = ["NO_PREFIX", "BytesEncoder", "Encoder", "HubEncoder", "PieceEncoder"]


class Encoder(Protocol):
    """Encoder of whole texts, which adds no special tokens, and decoder of ids."""

    name: str

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Ids of each text."""

    def decode(self, encoded: Ragged, skip: npt.NDArray[np.bool_] | None = None) -> list[str]:
        """Text of each list of ids, without the ids marked in `skip`: bool[vocabulary]."""

    def size(self) -> int:
        """Greatest id + 1."""

    def special(self) -> Iterable[int]:
        """Ids of the special tokens."""

    def text_of(self, token: int) -> str:
        """Text of one id for display."""

    def id_of(self, text: str) -> int | None:
        """Id of the token with this name, or None."""

    def name_of(self, token: int) -> str | None:
        """Name of a token: the argument of `id_of`."""

    def unknown(self) -> int | None:
        """Id of the unknown token, if there is one."""


class HubEncoder:
    """A tokenizer.json under Hugging Face `tokenizers`."""

    name = "tokenizers"

    def __init__(self, data: bytes) -> None:
        from tokenizers import Tokenizer

        self.model: Any = Tokenizer.from_str(data.decode())
        self.model.no_padding()
        self.model.no_truncation()
        if getattr(self.model.model, "dropout", None):
            raise ValueError("its BPE model has `dropout`, which makes ids random; set it to null")

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Ids of each text."""
        _no_thread_pool_in_worker()
        found = self.model.encode_batch_fast(list(texts), add_special_tokens=False)
        return Ragged.of([e.ids for e in found])

    def decode(self, encoded: Ragged, skip: npt.NDArray[np.bool_] | None = None) -> list[str]:
        """Text of each list of ids."""
        lists = _without(encoded, skip)
        _no_thread_pool_in_worker()
        return cast("list[str]", self.model.decode_batch(lists, skip_special_tokens=False))

    def size(self) -> int:
        """Greatest id + 1."""
        return int(max(self.model.get_vocab(with_added_tokens=True).values())) + 1

    def special(self) -> Iterable[int]:
        """Ids of the added tokens with `special: true`."""
        return [i for i, t in self.model.get_added_tokens_decoder().items() if t.special]

    def text_of(self, token: int) -> str:
        """Text of a token; a part of a character becomes U+FFFD."""
        text = self.model.decode([token], skip_special_tokens=False)
        return str(text) or str(self.model.id_to_token(token) or "")

    def id_of(self, text: str) -> int | None:
        """Id of the token with this name, or None."""
        return cast("int | None", self.model.token_to_id(text))

    def name_of(self, token: int) -> str | None:
        """Name of a token in the vocabulary."""
        return cast("str | None", self.model.id_to_token(token))

    def unknown(self) -> int | None:
        """Id of the model's unknown token, if it has one."""
        settings = json.loads(self.model.to_str())["model"]
        if settings.get("unk_id") is not None:
            return int(settings["unk_id"])
        name = settings.get("unk_token")
        return self.id_of(name) if name is not None else None


class PieceEncoder:
    """A SentencePiece .model under `sentencepiece`."""

    name = "sentencepiece"

    def __init__(self, data: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self.model: Any = SentencePieceProcessor(model_proto=data)
        self._data = data
        size = self.size()
        self._control = np.fromiter(map(self.model.is_control, range(size)), np.bool_, size)

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Ids of each text. A marked special token becomes its id, without a space after it."""
        if any(OPEN in t for t in texts):
            return _with_marked(texts, self._plain, self._unprefixed._plain, self.id_of)
        return self._plain(texts)

    @cached_property
    def _unprefixed(self) -> PieceEncoder:
        return PieceEncoder(self._data + NO_PREFIX)

    def _plain(self, texts: Sequence[str]) -> Ragged:
        threads = 1 if _in_worker() else -1
        found = self.model.encode(list(texts), return_type="numpy", num_threads=threads)
        return Ragged.joined(found)

    def decode(self, encoded: Ragged, skip: npt.NDArray[np.bool_] | None = None) -> list[str]:
        """Text of each list of ids; control tokens that are not skipped appear as their names."""
        if skip is None and (control := encoded.holds(self._control)).any():
            return [
                self._with_controls(ids.tolist()) if show else str(self.model.decode(ids.tolist()))
                for ids, show in zip(encoded, control, strict=True)
            ]
        return cast("list[str]", self.model.decode(_without(encoded, skip)))

    def normalized(self, texts: Sequence[str]) -> list[str]:
        """Normalised texts, with spaces as U+2581."""
        return cast("list[str]", self.model.normalize(list(texts)))

    def _with_controls(self, ids: list[int]) -> str:
        cuts = [i for i, token in enumerate(ids) if self._control[token]]
        parts = [self.model.decode(ids[: cuts[0]])]
        for cut, end in pairwise([*cuts, len(ids)]):
            parts += [self.model.id_to_piece(ids[cut]), self.model.decode(ids[cut + 1 : end])]
        return "".join(parts)

    def size(self) -> int:
        """Number of pieces."""
        return int(self.model.get_piece_size())

    def special(self) -> Iterable[int]:
        """Ids of the control tokens; text never encodes to them."""
        return np.flatnonzero(self._control).tolist()

    def text_of(self, token: int) -> str:
        """Text of a piece, with U+2581 as spaces."""
        return str(self.model.id_to_piece(token)).replace("\u2581", " ")

    def id_of(self, text: str) -> int | None:
        """Id of a piece, or None if `text` is not a piece."""
        found = int(self.model.piece_to_id(text))
        return found if self.model.id_to_piece(found) == text else None

    def name_of(self, token: int) -> str | None:
        """Text of a piece, with U+2581."""
        return str(self.model.id_to_piece(token))

    def unknown(self) -> int | None:
        """Id of the unknown piece. A model with byte pieces never uses it."""
        return int(self.model.unk_id())

    def not_text(self) -> list[str]:
        """Control, unknown and unused pieces: text that spells them encodes to other pieces."""
        tests = (self.model.is_control, self.model.is_unknown, self.model.is_unused)
        ids = (i for i in range(self.size()) if any(test(i) for test in tests))
        return [str(self.model.id_to_piece(i)) for i in ids]


class BytesEncoder:
    """One token for each UTF-8 byte: id = byte + 3, after <pad>, <s> and </s>."""

    name = "bytes"
    specials = ("<pad>", "<s>", "</s>")

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Ids of each text. A marked special token becomes its id."""
        if any(OPEN in t for t in texts):
            return _with_marked(texts, self._plain, self._plain, self.id_of)
        return self._plain(texts)

    def _plain(self, texts: Sequence[str]) -> Ragged:
        data = [np.frombuffer(t.encode(), dtype=np.uint8) for t in texts]
        found = Ragged.joined(data)
        return Ragged(found.ids + np.uint32(len(self.specials)), found.offsets)

    def decode(self, encoded: Ragged, skip: npt.NDArray[np.bool_] | None = None) -> list[str]:
        """Text of each list of ids; invalid UTF-8 becomes U+FFFD."""
        return [self._text(ids, skip is None) for ids in encoded]

    def _text(self, ids: npt.NDArray[np.uint32], show: bool) -> str:
        first = len(self.specials)
        text = ids >= first
        if not show or text.all():
            return (ids[text] - first).astype(np.uint8).tobytes().decode(errors="replace")
        pieces = (bytes([i - first]) if i >= first else self.specials[i].encode() for i in ids)
        return b"".join(pieces).decode(errors="replace")

    def size(self) -> int:
        """Number of tokens: 256 bytes and three special tokens."""
        return 256 + len(self.specials)

    def special(self) -> Iterable[int]:
        """Ids of pad, bos and eos."""
        return range(len(self.specials))

    def text_of(self, token: int) -> str:
        """Text of a byte; a part of a character becomes U+FFFD."""
        return self.decode(Ragged.of([[token]]))[0]

    def id_of(self, text: str) -> int | None:
        """Id of a special token by its text."""
        return self.specials.index(text) if text in self.specials else None

    def name_of(self, token: int) -> str | None:
        """Text of a special token."""
        return self.specials[token] if token < len(self.specials) else None

    def unknown(self) -> int | None:
        """None: every byte has a token."""
        return None


def _with_marked(
    texts: Sequence[str],
    first: Callable[[Sequence[str]], Ragged],
    later: Callable[[Sequence[str]], Ragged],
    id_of: Callable[[str], int | None],
) -> Ragged:
    """Ids of texts with marked special tokens, which are encoded separately from the text.

    first: encodes the text before the first marked token; later: the text after one; id_of: id of
    a special token.
    """
    found: list[list[int]] = []
    for text in texts:
        head, *rest = text.split(OPEN)
        ids = first([head])[0].tolist() if head or not rest else []
        for part in rest:
            name, _, after = part.partition(CLOSE)
            token = id_of(name)
            ids += [token] if token is not None else later([name])[0].tolist()
            ids += later([after])[0].tolist() if after else []
        found.append(ids)
    return Ragged.of(found)


def _without(encoded: Ragged, skip: npt.NDArray[np.bool_] | None) -> list[list[int]]:
    if skip is None:
        return encoded.lists()
    return [ids[~skip[ids]].tolist() for ids in encoded]


def _in_worker() -> bool:
    return multiprocessing.parent_process() is not None


def _no_thread_pool_in_worker() -> None:
    """Disable the thread pool of `tokenizers` in a worker process.

    The workers already use all cores, and a forked child has no threads of the pool and would wait
    for them for ever. `tokenizers` reads the variable at each call.
    """
    if _in_worker():
        os.environ["TOKENIZERS_PARALLELISM"] = "false"

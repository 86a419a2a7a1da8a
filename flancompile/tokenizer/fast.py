"""gigatoken as a fast encoder, for tokenizers on which it is exact.

When a tokenizer is loaded, gigatoken encodes probe texts, and is used only if every id agrees with
the reference encoder. The reference encodes the texts on which gigatoken may differ. Million
tokens per second on two cores, with question-answering passages in four languages: GPT-2 65
against 1.1 by `tokenizers`, a SentencePiece BPE 5 against 2.5 by `sentencepiece`. gigatoken does
not load unigram models, and SentencePiece models with normalisation (NFKC, single spaces) fail the
probes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.tokenizer.cuts import Parts
from flancompile.tokenizer.encoders import Encoder
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.uncertain import UncertainTexts

__all__ = ["PROBES", "FastEncoder", "fast_encoder"]

# gigatoken's cache of words only grows: to 0.2 GB after so many bytes of ordinary text, 0.9 GB of
# long random numbers. A new encoder takes 0.15 s (GPT-2) to 0.4 s (SentencePiece).
RENEW_BYTES = 128_000_000
PROBES = (
    "", " ", "a", "The quick brown fox.", "  two  spaces ", "\n\n\n", " \n x\t\ty\r\n",
    "1234567 89", "don't I'LL we've 'quoted'", "émigré naïve ÀÉ", "漢字かな交じり文 한국어",
    "مرحبا שלום नमस्ते ไทย", "🙂👩‍👩‍👧 e\u0301 \u0301x", "a\u2028b\u00a0c\u3000d\u200bx",
    "x=1;\n    return {y: [z]}\n", "###___---...!!!", "camelCaseHTTPServer", "\ufeffbom",
    "½ ² Ⅷ ٣ ၅", "\x00\x01\x7f", "a" * 300, "ab " * 200, " .,;:!?", "\u2581a \u2581 b",
    "<0x0A><unk>[UNK]", "\r\r\n\n \n  \n   x", "'S 'Re'LL'x 'ſ",
    "ǅ ʰ ﬁ Å ａＢ", "e\u0301\u0301x", "\u0085", "\u3000x\u2003",
    "\u0600\u06dd\U000e0041",
)  # fmt: skip


class FastEncoder:
    """A gigatoken encoder, recreated after `RENEW_BYTES` of text to bound its cache."""

    name = "gigatoken"

    def __init__(self, kind: str, data: bytes, controls: Sequence[str]) -> None:
        self._kind, self._data, self._fed = kind, data, 0
        self._lock = threading.Lock()  # the model keeps a cache
        self._uncertain = UncertainTexts(controls)
        self._model: Any = None
        self._renew()

    def _renew(self) -> None:
        import gigatoken

        self._model, self._fed = None, 0  # frees the old cache before the new one is allocated
        sentencepiece = self._kind == "sentencepiece"
        load = gigatoken.Tokenizer
        self._model = (load.from_sentencepiece if sentencepiece else load.from_json)(self._data)

    def encode(self, texts: Texts) -> tuple[Ragged, npt.NDArray[np.bool_]]:
        """Encode texts. -> (ids of each text, bool[texts]: the reference must encode the text)"""
        uncertain = self._uncertain.mask(texts)
        with self._lock:
            return self._encode(texts.emptied(uncertain) if uncertain.any() else texts), uncertain

    def encode_parts(self, texts: Texts, begins: npt.NDArray[np.bool_]) -> Parts:
        """Ids of parts of texts. They do not depend on `begins`."""
        return Parts.plain(*self.encode(texts))

    def _encode(self, texts: Texts) -> Ragged:
        import awkward

        if not len(texts):
            return Ragged.of([])
        self._fed += texts.size
        if self._fed > RENEW_BYTES:
            self._renew()
        contents, index = awkward.contents, awkward.index
        letters = contents.NumpyArray(texts.data, parameters={"__array__": "char"})
        lists = contents.ListOffsetArray(
            index.Index64(texts.offsets), letters, parameters={"__array__": "string"}
        )
        layout = self._model.encode_batch(awkward.Array(lists)).layout
        offsets = np.asarray(layout.offsets.data, dtype=np.int64)
        assert offsets[0] == 0, "a fresh batch starts its own buffer"
        ids = np.asarray(layout.content.data)[: offsets[-1]]
        return Ragged(ids.astype(np.uint32, copy=False), offsets)


def fast_encoder(
    kind: str, data: bytes, reference: Encoder, controls: Sequence[str], added: Sequence[str]
) -> tuple[FastEncoder | None, str]:
    """gigatoken for a tokenizer, or None if an id differs on a probe. -> (encoder, reason)

    data: the tokenizer's file; controls: a text that contains one is encoded by the reference;
    added: texts of added tokens, which are probed in context.
    """
    try:
        fast = FastEncoder(kind, data, controls)
    except Exception as error:  # ValueError, RuntimeError, ...: the reference is always possible
        return None, f"gigatoken cannot load it: {str(error).strip().splitlines()[0]}"
    probes = [*PROBES, *_marks(), *_in_context(added)]
    found, uncertain = fast.encode(Texts.of(probes))
    for text, one, other, skip in zip(
        probes, reference.encode(probes), found, uncertain, strict=True
    ):
        if not skip and not np.array_equal(one, other):
            return None, f"gigatoken differs on {text[:40]!r}"
    return fast, "gigatoken agrees on every probe"


def _marks() -> list[str]:
    """Every character of Latin-1 and Latin Extended-A between letters, digits and spaces."""
    return [f"a{c}b {c}1{c}{c} '{c}s\n{c}\n" for c in map(chr, range(1, 0x180))]


def _in_context(added: Sequence[str]) -> list[str]:
    some = list(added[:100])
    alone = [f"a {t}b{t} {t}\n{t[:-1]}{t}" for t in some]
    return [*alone, "".join(some), " ".join(reversed(some))]

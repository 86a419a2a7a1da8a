"""gigatoken against the reference. FLANCOMPILE_FUZZ=100000 looks longer."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.tokenizer import fast as module
from flancompile.tokenizer.fast import fast_encoder
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.tokenizer import Tokenizer

FUZZ = int(os.environ.get("FLANCOMPILE_FUZZ", "1500"))
WORDS = (
    "<|endoftext|>", "<|endof", "</s>", "<s>", "<pad>", "<unk>", "<0x0A>", "\u2581\u2581", "'ll",
)  # fmt: skip
FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def same(one: Ragged, other: Ragged) -> None:
    assert one.offsets.tolist() == other.offsets.tolist()
    assert np.array_equal(one.ids, other.ids)


def compare(tokenizer: Tokenizer, texts: list[str], by: str = "gigatoken") -> None:
    assert tokenizer.encoder.startswith(by), tokenizer.encoder
    found = tokenizer.encode(texts)
    for text, one, other in zip(texts, tokenizer.reference(texts), found, strict=True):
        assert one.tolist() == other.tolist(), ascii(text)
    if tokenizer.lossless:
        assert tokenizer.decode_all(found) == texts


@pytest.mark.parametrize("name", ["cl100k", "qwen2", "o200k"])
def test_fuzz_families(name: str, family: Any, odd_texts: Any) -> None:
    compare(family(name), odd_texts(FUZZ, 1, WORDS))


def test_fuzz_byte_level(bpe: Tokenizer, odd_texts: Any) -> None:
    compare(bpe, odd_texts(FUZZ, 2, WORDS))


def test_fuzz_sentencepiece_bpe(
    pieces: Tokenizer, crossing_pieces: Tokenizer, odd_texts: Any
) -> None:
    compare(pieces, odd_texts(FUZZ, 3, WORDS), "words")
    compare(crossing_pieces, odd_texts(FUZZ, 3, WORDS), "words")


def test_fuzz_real(real: Callable[[str], Tokenizer], odd_texts: Any) -> None:
    compare(real("gpt2.json"), odd_texts(FUZZ, 4, WORDS))


ODD = (
    st.text()
    | st.text(" \n\t'abcdefgh0123.,!?")
    | st.sampled_from([*WORDS, "\U000326ff", "e\u0301", "a\u2028b", "\x00", "  x"])
)


@settings(max_examples=max(50, FUZZ // 10), deadline=None)
@given(st.lists(ODD, max_size=6))
def test_ids_are_the_references(bpe: Tokenizer, pieces: Tokenizer, texts: list[str]) -> None:
    """As a batch and as one text."""
    compare(bpe, [*texts, "".join(texts)])
    compare(pieces, [*texts, "".join(texts)], "words")


@pytest.mark.parametrize("flag", ["single_word", "lstrip", "rstrip"])
def test_added_tokens_that_look_around_go_to_the_reference(
    flag: str, bpe: Tokenizer, changed: Any, odd_texts: Any
) -> None:
    token = {"id": bpe.vocab_size, "content": "<odd>", "special": True, **FLAGS, flag: True}
    plain = {"id": bpe.vocab_size + 1, "content": "<|plain|>", "special": True, **FLAGS}
    special = [
        {"id": i, "content": t, "special": True, **FLAGS}
        for i, t in enumerate(("<pad>", "<s>", "</s>"))
    ]
    tokenizer = changed(bpe, added_tokens=[*special, token, plain])
    compare(tokenizer, odd_texts(FUZZ, 5, ("<odd>", " <odd>", "<odd>  ", "x<odd>", "<|plain|>")))
    assert tokenizer.encoder_counts["tokenizers"] > 0
    assert tokenizer.lossless == (flag == "single_word")


def test_an_encoder_that_differs_is_not_used(bpe: Tokenizer, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "PROBES", ("fox",))

    class Other:
        name = "other"

        def encode(self, texts: list[str]) -> Ragged:
            return Ragged.of([[1] for _ in texts])

    found, why = fast_encoder("hf", bpe.data, Other(), [], [])  # type: ignore[arg-type]
    assert found is None and why == "gigatoken differs on 'fox'"


def test_sentencepiece_that_normalises_is_left_to_sentencepiece(
    normalising_pieces: Tokenizer, odd_texts: Any
) -> None:
    """gigatoken strips U+0085 as a space there, and composes repeated marks otherwise."""
    reference = normalising_pieces._reference
    found, why = fast_encoder("sentencepiece", normalising_pieces.data, reference, [], [])
    assert found is None and why.startswith("gigatoken differs on")


def test_gigatoken_does_not_load_unigram(unigram: Tokenizer) -> None:
    found, why = fast_encoder("sentencepiece", unigram.data, unigram._reference, [], [])
    assert found is None and why.startswith("gigatoken cannot load it")


def test_it_is_renewed_and_gives_the_same(bpe: Tokenizer, odd_texts: Any, monkeypatch: Any) -> None:
    fast, _ = fast_encoder("hf", bpe.data, bpe._reference, [], [])
    assert fast is not None
    texts = odd_texts(50, 6)
    (before, _), model = fast.encode(Texts.of(texts)), fast._model
    monkeypatch.setattr(module, "RENEW_BYTES", 10)
    same(fast.encode(Texts.of(texts))[0], before)
    assert fast._model is not model

"""Ids by distinct words against SentencePiece. FLANCOMPILE_FUZZ=1000000 looks longer."""

import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from flancompile.tokenizer import words as module
from flancompile.tokenizer.encoders import PieceEncoder
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.words import WordEncoder, word_encoder

FUZZ = int(os.environ.get("FLANCOMPILE_FUZZ", "1500"))
STREWN = ("</s>", "<unk>", "\u2581", " \u2581 ", "###", "_____", "  ", " ", "12345", "\n\n", "aaaa")


def encoder_of(tokenizer: Tokenizer) -> WordEncoder:
    reference = tokenizer._reference
    assert isinstance(reference, PieceEncoder)
    found, why = word_encoder(reference, tokenizer.data, ["a b"])
    assert found is not None, why
    return found


def compare(tokenizer: Tokenizer, texts: list[str], most_uncertain: float) -> None:
    found, uncertain = encoder_of(tokenizer).encode(Texts.of(texts))
    assert uncertain.mean() <= most_uncertain
    for text, one, other, skip in zip(
        texts, found, tokenizer.reference(texts), uncertain, strict=True
    ):
        assert skip or one.tolist() == other.tolist(), ascii(text)


@pytest.mark.parametrize("kind", ["unigram", "pieces", "crossing_pieces", "normalising_pieces"])
def test_fuzz(kind: str, odd_texts: Any, request: pytest.FixtureRequest) -> None:
    compare(request.getfixturevalue(kind), odd_texts(FUZZ, 11, STREWN), 0.8)


@pytest.mark.slow
def test_fuzz_t5(real: Callable[[str], Tokenizer], odd_texts: Any) -> None:
    compare(real("t5.model"), odd_texts(FUZZ, 12, STREWN), 0.8)


def test_fuzz_long_texts_of_near_ties(unigram: Tokenizer) -> None:
    """Long texts of few words, where rounding is coarse and paths are near one another."""
    chance = random.Random(5)
    some = ["ab", "aab", "abab", "the", "th", "hthe", "###", "qux", "ooo", "oooo", "1212", "x-y"]
    texts = [" ".join(chance.choices(some, k=chance.randrange(2000))) for _ in range(FUZZ // 50)]
    compare(unigram, texts, 1.0)


def test_the_table_is_emptied_when_it_is_full(unigram: Tokenizer, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MOST_WORDS", 10)
    monkeypatch.setattr(module, "CHUNK", 200)
    texts = [f"word {i} and {i * i} more" for i in range(400)] * 2
    words = encoder_of(unigram)
    found, uncertain = words.encode(Texts.of(texts))
    assert not uncertain.any()
    assert np.array_equal(found.ids, unigram.reference(texts).ids)
    assert words._table.count[0] < 400


def test_nothing_and_spaces(unigram: Tokenizer, pieces: Tokenizer) -> None:
    for tokenizer in (unigram, pieces):
        compare(tokenizer, ["", " ", "   ", "a", " a", "a ", "a  b"], 0.0)
    assert len(encoder_of(unigram).encode(Texts.of([]))[0]) == 0


@pytest.mark.slow
def test_fuzz_real_bpe(real: Callable[[str], Tokenizer], odd_texts: Any) -> None:
    compare(real("bpe_32k_c4.model"), odd_texts(FUZZ, 13, (*STREWN, "<mask>", "<n>", "<ma")), 0.8)


def test_the_bytes_of_stored_words_are_counted(unigram: Tokenizer) -> None:
    """By which the table knows when its letters need a longer array."""
    encoder = encoder_of(unigram)
    for batch in range(5):
        encoder.encode(Texts.of([f"the {'x' * batch}text {i * 7919}" for i in range(200)]))
        count, stored = encoder._table.count.tolist()
        assert stored == encoder._table.starts[count] > 0

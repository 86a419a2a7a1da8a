"""Encoders chosen for a tokenizer's file."""

import json
from collections.abc import Callable

import pytest

from flancompile.tokenizer.encoders import BytesEncoder, HubEncoder, PieceEncoder
from flancompile.tokenizer.fast import FastEncoder
from flancompile.tokenizer.selection import (
    byte_level,
    exact_cuts,
    fastest_encoder,
    reference_encoder,
)
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.words import WordEncoder


def test_references_are_made_once_by_kind(bpe: Tokenizer, pieces: Tokenizer) -> None:
    assert type(reference_encoder("bytes", b"")) is BytesEncoder
    assert type(reference_encoder("hf", bpe.data)) is HubEncoder
    assert type(reference_encoder("sentencepiece", pieces.data)) is PieceEncoder
    assert reference_encoder("hf", bytes(bpe.data)) is reference_encoder("hf", bpe.data)


def test_words_are_preferred_where_they_are_exact(bpe: Tokenizer, pieces: Tokenizer) -> None:
    assert type(fastest_encoder(bpe.kind, bpe.data)[0]) is FastEncoder
    assert type(fastest_encoder(pieces.kind, pieces.data)[0]) is WordEncoder


@pytest.mark.parametrize("kind", ["bpe", "pieces", "unigram"])
def test_cuts_are_those_of_the_encoder(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    fast, why = fastest_encoder(tokenizer.kind, tokenizer.data)
    assert fast is not None, why
    cuts = exact_cuts(tokenizer.kind, tokenizer.data, fast)
    assert cuts is not None
    assert cuts.shape == (129, 129) and 0 < cuts.sum() < cuts.size


def test_a_normaliser_is_not_byte_level(bpe: Tokenizer, changed: Callable[..., Tokenizer]) -> None:
    assert byte_level(bpe.data)
    assert not byte_level(changed(bpe, normalizer={"type": "NFC"}).data)
    about = json.loads(bpe.data)
    del about["model"]["vocab"]["\u0100"]  # the letter of the byte 0
    assert not byte_level(json.dumps(about).encode())

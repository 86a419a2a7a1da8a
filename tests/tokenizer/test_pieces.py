"""Fields of SentencePiece models, against `sentencepiece` itself."""

from dataclasses import replace

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from flancompile.tokenizer.pieces import CONTROL, NORMAL, PieceModel, with_kinds
from flancompile.tokenizer.tokenizer import Tokenizer


def test_a_model_that_cannot_be_cut_has_a_reason(
    crossing_pieces: Tokenizer, unigram: Tokenizer
) -> None:
    about = PieceModel.of(crossing_pieces.data)
    assert about.why_no_cuts() is None and about.joined()[ord("e"), ord(" ")]
    assert "crosses a space" in str(replace(about, single_spaces=True).why_no_cuts())
    assert PieceModel.of(unigram.data).why_no_cuts() is None
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        PieceModel.of(b"\x0f\x01nothing")


@pytest.mark.parametrize("kind", ["unigram", "pieces", "normalising_pieces"])
def test_pieces_are_those_of_sentencepiece(kind: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(kind).data
    theirs = SentencePieceProcessor(model_proto=data)
    ours = PieceModel.of(data).pieces
    assert len(ours) == theirs.get_piece_size() > 100
    assert [p.text for p in ours] == [theirs.id_to_piece(i) for i in range(len(ours))]
    scores = [theirs.get_score(i) for i in range(len(ours))]
    np.testing.assert_array_equal([p.score for p in ours], scores)
    controls = [theirs.is_control(i) for i in range(len(ours))]
    assert [p.kind == CONTROL for p in ours] == controls and any(controls)


def test_new_kinds_change_nothing_else(unigram: Tokenizer) -> None:
    before = PieceModel.of(unigram.data)
    kinds = [p.kind for p in before.pieces]
    assert with_kinds(unigram.data, kinds) == unigram.data
    place = kinds.index(NORMAL)
    kinds[place] = CONTROL
    changed = with_kinds(unigram.data, kinds)
    after = PieceModel.of(changed)
    pieces = list(before.pieces)
    pieces[place] = replace(pieces[place], kind=CONTROL)
    assert after == replace(before, pieces=tuple(pieces))
    assert SentencePieceProcessor(model_proto=changed).is_control(place)


def test_a_truncated_model_is_an_error(unigram: Tokenizer) -> None:
    with pytest.raises(ValueError, match="it is truncated"):
        PieceModel.of(unigram.data + b"\x0a")

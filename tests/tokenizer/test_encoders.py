import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flancompile.tokenizer.encoders import BytesEncoder, HubEncoder, PieceEncoder
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.tokenizer import Tokenizer

TEXTS = ["", "The fox doesn't.", "漢 🙂 é\n\n", " ", ""]


@given(st.lists(st.text(max_size=20), max_size=5))
def test_bytes_are_utf8_and_three(texts: list[str]) -> None:
    encoder = BytesEncoder()
    found = encoder.encode(texts)
    assert found.lists() == [[b + 3 for b in t.encode()] for t in texts]
    assert encoder.decode(found) == texts


def test_bytes_show_special_tokens_or_skip_them() -> None:
    encoder = BytesEncoder()
    ids = Ragged.of([[1, 100, 101, 2], [2], [3 + 0xC3]])
    assert encoder.decode(ids) == ["<s>ab</s>", "</s>", "\ufffd"]
    skip = np.zeros(encoder.size(), dtype=np.bool_)
    skip[:3] = True
    assert encoder.decode(ids, skip) == ["ab", "", "\ufffd"]
    assert (encoder.id_of("</s>"), encoder.id_of("x"), encoder.text_of(2)) == (2, None, "</s>")


def test_hub_encoder_is_the_library_one_text_at_a_time(bpe: Tokenizer) -> None:
    from tokenizers import Tokenizer as Model

    model = Model.from_str(bpe.data.decode())
    expected = [model.encode(t, add_special_tokens=False).ids for t in TEXTS]
    encoder = HubEncoder(bpe.data)
    assert encoder.encode(TEXTS).lists() == expected
    assert encoder.decode(encoder.encode(TEXTS)) == TEXTS
    assert len(encoder.encode([])) == 0


def test_hub_encoder_ignores_the_files_own_truncation_and_frame(bpe: Tokenizer) -> None:
    from tokenizers import Tokenizer as Model
    from tokenizers.processors import TemplateProcessing

    model = Model.from_str(bpe.data.decode())
    model.enable_truncation(2)
    model.enable_padding(length=50)
    model.post_processor = TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    encoder = HubEncoder(str(model.to_str()).encode())
    assert encoder.encode(TEXTS).lists() == HubEncoder(bpe.data).encode(TEXTS).lists()


def test_piece_encoder_is_the_library_one_text_at_a_time(pieces: Tokenizer) -> None:
    encoder = PieceEncoder(pieces.data)
    assert encoder.encode(TEXTS).lists() == [encoder.model.encode(t) for t in TEXTS]
    assert len(encoder.encode([])) == 0
    assert encoder.id_of("no such piece") is None


def test_piece_encoder_shows_control_tokens_or_skips_them(pieces: Tokenizer) -> None:
    encoder = PieceEncoder(pieces.data)
    fox = encoder.model.encode("The fox")
    ids = Ragged.of([[1, *fox, 2, *fox, 2], fox, [], [2, 2]])
    assert encoder.decode(ids) == ["<s>The fox</s>The fox</s>", "The fox", "", "</s></s>"]
    skip = np.zeros(encoder.size(), dtype=np.bool_)
    skip[[1, 2]] = True
    assert encoder.decode(ids, skip) == ["The fox The fox", "The fox", "", ""]

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flancompile.errors import FlancompileError
from flancompile.tokenizer import tokenizer as module
from flancompile.tokenizer.load import from_bytes
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

TEXTS = ["", "The fox", "new \U000323b0 letter", "", "a </s> b", " 🙂 ", ""]
KINDS = ["bpe", "unigram", "pieces", "bytes"]


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param == "bytes":
        return from_bytes("bytes", b"", "bytes")
    found: Tokenizer = request.getfixturevalue(request.param)
    return found


def test_ids_are_the_references_and_nothing_is_added(each: Tokenizer) -> None:
    found = each.encode(TEXTS)
    assert found.lists() == each.reference(TEXTS).lists()
    assert [len(x) for x in found][0::3] == [0, 0, 0]
    assert found.ids.dtype == np.uint32 and int(found.ids.max()) < each.vocab_size
    assert len(each.encode([])) == 0


def test_exact_is_what_decoding_says(each: Tokenizer) -> None:
    found = each.encode(TEXTS)
    expected = [each.decode(ids) == text for text, ids in zip(TEXTS, found, strict=True)]
    assert each.exact(TEXTS, found).tolist() == expected
    if each.lossless:
        assert all(expected)
    assert expected[1]


def test_it_pickles_as_its_bytes(each: Tokenizer) -> None:
    each.encode(["warm"])
    other = pickle.loads(pickle.dumps(each))
    assert (other.digest, other.name, other.eos_id) == (each.digest, each.name, each.eos_id)
    assert other.encode(TEXTS).lists() == each.encode(TEXTS).lists()


def test_special_tokens_in_text_are_found(bpe: Tokenizer, pieces: Tokenizer) -> None:
    texts = ["plain", "", "an </s> in data", "</s"]
    reading = bpe.reading_special(True)
    assert reading.has_special(reading.encode(texts)).tolist() == [False, False, True, False]
    assert not bpe.has_special(bpe.encode(texts)).any(), "a text stays text"
    assert reading.digest != bpe.digest
    assert not pieces.has_special(pieces.encode(texts)).any(), "SentencePiece sees letters"


def test_special_tokens_are_shown_or_skipped(each: Tokenizer) -> None:
    assert each.eos_id is not None
    ids = [*each.encode(["The fox"])[0].tolist(), each.eos_id]
    assert each.decode(ids) == "The fox</s>"
    assert each.decode(np.array(ids), skip_special=True) == "The fox"
    assert each.token_text(each.eos_id) == "</s>"
    assert each.token_id("</s>") == each.eos_id and each.token_id("no such") is None


def test_the_text_of_a_piece_has_spaces(pieces: Tokenizer) -> None:
    token = pieces.token_id("\u2581the")
    assert token is not None and pieces.token_text(token) == " the"


def test_the_digest_tells_bytes_and_specials_and_no_name(bpe: Tokenizer) -> None:
    other = Tokenizer("hf", bpe.data, "another", Specials(1, 2, 0))
    assert other.digest == bpe.digest
    assert bpe.with_specials(Specials(1, 1, 0)).digest != bpe.digest
    assert Tokenizer("hf", bpe.data + b" ", "x", Specials(1, 2, 0)).digest != bpe.digest


def test_other_specials_share_the_encoders(bpe: Tokenizer) -> None:
    bpe.encode(["warm"])
    other = bpe.with_specials(Specials(eos=300))
    assert other._reference is bpe._reference and other._fast is bpe._fast
    assert other.has_special(Ragged.of([[300]])).tolist() == [True]
    assert bpe.has_special(Ragged.of([[300]])).tolist() == [False]


def test_paths_count_texts(bpe: Tokenizer) -> None:
    fresh = pickle.loads(pickle.dumps(bpe))
    fresh.encode(["a", "\U000323b0", "b"])
    assert fresh.encoder_counts == {"gigatoken": 2, "tokenizers": 1}


def test_half_a_character_is_an_error_that_says_where(each: Tokenizer) -> None:
    with pytest.raises(FlancompileError) as caught:
        each.encode(["good", "é", "bad \ud83d."])
    assert caught.value.code == "FC309"
    assert "text 2 contains half a character" in str(caught.value)
    assert "'bad \\ud83d.'" in str(caught.value)


def test_the_reference_can_be_asked_for(bpe: Tokenizer, monkeypatch: Any) -> None:
    monkeypatch.setenv(module.REFERENCE_ONLY, "1")
    fresh: Tokenizer = pickle.loads(pickle.dumps(bpe))
    assert fresh.encoder == f"tokenizers: {module.REFERENCE_ONLY} is set"
    assert fresh.encode(TEXTS).lists() == bpe.encode(TEXTS).lists()


@pytest.mark.parametrize(
    ("keys", "lossless"),
    [
        ({}, True),
        ({"normalizer": {"type": "NFC"}}, False),
        ({"normalizer": {"type": "Lowercase"}}, False),
        ({"decoder": None}, False),
        (
            {
                "pre_tokenizer": {
                    "type": "ByteLevel",
                    "add_prefix_space": True,
                    "trim_offsets": True,
                    "use_regex": True,
                }
            },
            False,
        ),
    ],
)
def test_what_is_lossless(
    keys: dict[str, Any], lossless: bool, bpe: Tokenizer, changed: Callable[..., Tokenizer]
) -> None:
    tokenizer = changed(bpe, **keys)
    assert tokenizer.lossless is lossless
    texts = ["Word", "e\u0301 x", " y"]
    if lossless:
        assert tokenizer.decode_all(tokenizer.encode(texts)) == texts
    else:
        assert not tokenizer.exact(texts, tokenizer.encode(texts)).all()


@pytest.mark.slow
def test_workers_give_the_same_ids(bpe: Tokenizer, tmp_path: Path) -> None:
    """Another process, with other threads and another hash seed."""
    bpe.save(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from flancompile.tokenizer.load import load_folder\n"
        "print(load_folder(Path(sys.argv[1])).encode(['The fox 🙂', '', 'x </s>']).lists())"
    )
    for threads in ("1", "3"):
        found = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "RAYON_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == str(bpe.encode(["The fox 🙂", "", "x </s>"]).lists())


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_worker_started_after_encoding_does_not_hang(start: str, each: Tokenizer) -> None:
    """Threads do not outlive a fork; the encoders must not wait for them."""
    texts = [*TEXTS, "é \U000323b0"] * 50
    expected = each.encode(texts).lists()
    with multiprocessing.get_context(start).Pool(1) as pool:
        found = pool.apply_async(each.encode, (texts,)).get(timeout=60)
    assert found.lists() == expected


@pytest.mark.slow
def test_t5_as_sentencepiece_has_it(real: Callable[[str], Tokenizer]) -> None:
    from sentencepiece import SentencePieceProcessor

    t5 = real("t5.model")
    model = SentencePieceProcessor(model_proto=t5.data)
    texts = ["Translate  this: ａ\n ½", "", "The house is wonderful.", "</s> <extra_id_0>"]
    assert t5.encode(texts).lists() == [model.encode(t) for t in texts]
    assert (t5.vocab_size, t5.eos_id, t5.bos_id, t5.pad_id) == (32_000, 1, None, 0)
    assert not t5.lossless
    assert t5.exact(texts, t5.encode(texts)).tolist() == [False, True, True, False]

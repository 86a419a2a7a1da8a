"""Ids by segments against whole encoding, for strings of fragments of every kind."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flancompile.compiler.columns.ropes import segments as module
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.tokenizer.load import load_file
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

FUZZ = int(os.environ.get("FLANCOMPILE_FUZZ", "3000"))
BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))
LITERALS = (
    "", "\n", "\n\n", " ", "Question: ", "\nAnswer:", "Options:\n- ", "\n- ", ". ", ": ", "\"", "(A) ",
    "</s>", "<|endoftext|>", "###", " \u2581", "'s", "1. ", " 2", "yes", "no ", "\u0301", "\t", "\r\n",
)  # fmt: skip


def agree(tokenizer: Tokenizer, texts: list[str], count: int, seed: int) -> SegmentCache:
    """Strings of these texts and literals, in several goes over one bank."""
    chance, segment_cache = random.Random(seed), SegmentCache(tokenizer)
    known = [*LITERALS, *texts]
    numbers = segment_cache.fragments.intern(pa.array(known, pa.string()))
    for _ in range(4):
        lists = [  # a field or more between literals, as prompts have them
            [chance.randrange(len(LITERALS) if chance.random() < 0.6 else len(known))
             for _ in range(chance.randrange(9))]
            for _ in range(count // 4)
        ]  # fmt: skip
        ends = np.cumsum([0, *map(len, lists)])
        flat = numbers[[i for one in lists for i in one]].astype(np.int32)
        found = segment_cache.encode(Ropes(flat, ends))
        whole = ["".join(known[i] for i in one) for one in lists]
        wanted = tokenizer.reference(whole)
        assert found.lengths.tolist() == wanted.lengths.tolist()
        for text, one, other in zip(whole, found.take(np.arange(len(whole))), wanted, strict=True):
            assert one.tolist() == other.tolist(), ascii(text)
    return segment_cache


@pytest.mark.parametrize(
    "name", ["bpe", "unigram", "pieces", "crossing_pieces", "normalising_pieces"]
)
def test_small_tokenizers(name: str, odd_texts: Any, request: pytest.FixtureRequest) -> None:
    tokenizer = request.getfixturevalue(name)
    segment_cache = agree(tokenizer, odd_texts(400, 41), FUZZ, 1)
    assert segment_cache.count[0] > 500
    assert any("spliced" in path for path in tokenizer.encoder_counts)


@pytest.mark.parametrize("name", ["cl100k", "qwen2", "o200k"])
def test_families(name: str, odd_texts: Any, family: Callable[[str], Tokenizer]) -> None:
    agree(family(name), odd_texts(400, 42), FUZZ, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2.json", "t5.model", "bpe_32k_c4.model"])
def test_real_ones(
    name: str, odd_texts: Any, real: Callable[[str], Tokenizer], real_fields: list[str]
) -> None:
    agree(real(name), [*odd_texts(400, 43), *real_fields], FUZZ, 3)


def test_tekken(odd_texts: Any, real_fields: list[str]) -> None:
    about = pytest.importorskip("mistral_common", reason="mistral-common is not installed")
    file = Path(about.__file__).parent / "data" / "tekken_240911.json"
    agree(load_file(file), [*odd_texts(400, 44), *real_fields], FUZZ, 5)


def test_without_cuts_texts_are_encoded_whole(
    bpe: Tokenizer, odd_texts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLANCOMPILE_REFERENCE_ENCODER", "1")
    plain = Tokenizer(bpe.kind, bpe.data, "plain", bpe.specials)
    assert agree(plain, odd_texts(50, 44), 200, 4).count[0] == 202


def test_segments_are_encoded_once(odd_texts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    parts = Tokenizer.encode_parts

    def counted(self: Tokenizer, texts: pa.Array, begins: Any) -> Any:
        asked.append(len(texts))
        return parts(self, texts, begins)

    monkeypatch.setattr(Tokenizer, "encode_parts", counted)
    segment_cache = SegmentCache(BYTES)
    some = Ropes.single(segment_cache.fragments.intern(pa.array(odd_texts(100, 45))))
    one, two = segment_cache.encode(some), segment_cache.encode(some)
    assert len(asked) == 1
    assert one.take(np.arange(100)).ids.tolist() == two.take(np.arange(100)).ids.tolist()


def test_a_text_takes_the_place_of_another() -> None:
    segment_cache = SegmentCache(BYTES)
    texts = segment_cache.encode(
        Ropes.single(segment_cache.fragments.intern(pa.array(["ab", "c", ""])))
    )
    texts.put(
        np.array([1, 2]),
        segment_cache.encode(Ropes.single(segment_cache.fragments.intern(pa.array(["", "de"])))),
    )
    assert texts.lengths.tolist() == [2, 0, 2]
    assert BYTES.decode_all(texts.take(np.array([2, 1, 0]))) == ["de", "", "ab"]
    out = np.zeros(7, np.uint16)
    texts.copy_to(np.array([0, 2]), out, np.array([4, 1]))
    assert (out > 0).tolist() == [False, True, True, False, True, True, False]


def test_its_size_is_told(odd_texts: Any) -> None:
    segment_cache = SegmentCache(BYTES)
    before = segment_cache.nbytes
    segment_cache.encode(
        Ropes.single(segment_cache.fragments.intern(pa.array([t * 50 for t in odd_texts(500, 46)])))
    )
    assert segment_cache.nbytes > 2 * before
    assert module.ROUNDING > 0

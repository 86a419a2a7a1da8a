"""Cuts of texts: derived for families of split rules, and compared with whole encoding."""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from flancompile.tokenizer import selection
from flancompile.tokenizer import tokenizer as tokenizer_module
from flancompile.tokenizer.cuts import byte_level_cuts, cut_places, cuts_hold, no_cuts
from flancompile.tokenizer.load import from_bytes
from flancompile.tokenizer.ragged import Ragged
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

FUZZ = int(os.environ.get("FLANCOMPILE_FUZZ", "2000"))
SMALL = ["bpe", "unigram", "pieces", "crossing_pieces", "normalising_pieces"]
WORDS = ("</s>", "<|endoftext|>", "Answer:", " the ", "\n\n", ".\n", ": ", "I'll", "123 4567")


def agree(tokenizer: Tokenizer, texts: list[str]) -> None:
    """Parts at every cut, encoded one by one, against the reference's whole encoding."""
    cuts = tokenizer.cuts
    assert cuts is not None
    ends = [[0, *cut_places(t, cuts), len(t)] for t in texts]
    parts = [t[a:b] for t, e in zip(texts, ends, strict=True) for a, b in pairwise(e)]
    begins = np.array([i == 0 for e in ends for i in range(len(e) - 1)], np.bool_)
    assert len(parts) > 1.5 * len(texts)
    found = tokenizer.encode_parts(Texts.of(parts).array, begins)
    edges = np.cumsum([0, *(len(e) - 1 for e in ends)])
    expected = tokenizer.reference(texts)
    skipped = 0
    for n, (text, ids) in enumerate(zip(texts, expected, strict=True)):
        own = slice(edges[n], edges[n + 1])
        before = 1.0 + np.cumsum(found.sums[own]) - found.sums[own]
        if found.uncertain[own].any() or (before > found.slack[own] - 1e-3).any():
            skipped += 1
            continue
        first, last = found.encoded.offsets[[edges[n], edges[n + 1]]]
        assert found.encoded.ids[first:last].tolist() == ids.tolist(), ascii(text)
    assert skipped < 0.8 * len(texts)


@pytest.mark.parametrize("name", SMALL)
def test_parts_of_small_tokenizers(
    name: str, odd_texts: Any, request: pytest.FixtureRequest
) -> None:
    agree(request.getfixturevalue(name), odd_texts(FUZZ, 31, WORDS))


@pytest.mark.parametrize("name", ["cl100k", "qwen2", "o200k"])
def test_parts_of_families(name: str, odd_texts: Any, family: Callable[[str], Tokenizer]) -> None:
    agree(family(name), odd_texts(FUZZ, 32, WORDS))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2.json", "t5.model", "bpe_32k_c4.model"])
def test_parts_of_real_ones(name: str, odd_texts: Any, real: Callable[[str], Tokenizer]) -> None:
    agree(real(name), odd_texts(FUZZ, 33, WORDS))


def test_bytes_are_cut_anywhere() -> None:
    agree(Tokenizer("bytes", b"", "bytes", Specials()), ["a é 東"])


def test_what_is_not_known_is_not_cut(bpe: Tokenizer, family: Callable[[str], Tokenizer]) -> None:
    about = json.loads(family("cl100k").data)
    assert byte_level_cuts(about) is not None
    steps = about["pre_tokenizer"]["pretokenizers"]
    pattern = steps[0]["pattern"]["Regex"]
    for other in (r"\w+|\W+", pattern + r"|\p{Han}+", pattern.removesuffix(r"|\s+(?!\S)|\s+")):
        split = {**steps[0], "pattern": {"Regex": other}}
        changed = {
            **about,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, steps[1]]},
        }
        assert byte_level_cuts(changed) is None
    for step in ({**steps[0], "behavior": "Removed"}, {**steps[0], "invert": True}):
        changed = {
            **about,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [step, steps[1]]},
        }
        assert byte_level_cuts(changed) is None
    level = {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}
    assert byte_level_cuts({**json.loads(bpe.data), "pre_tokenizer": level}) is None


def test_a_token_that_holds_a_cut_forbids_all(family: Callable[[str], Tokenizer]) -> None:
    about = json.loads(family("cl100k").data)
    token = {**about["added_tokens"][0], "content": "<end of text>"}
    assert byte_level_cuts({**about, "added_tokens": [token]}) is None


def test_a_wrong_table_is_found_out(bpe: Tokenizer, unigram: Tokenizer) -> None:
    for tokenizer in (bpe, unigram):
        fast = tokenizer._fast[0]
        assert fast is not None and tokenizer.cuts is not None
        wrong = no_cuts()
        wrong[:128, :128] = True

        def parts(texts: Any, begins: Any, fast: Any = fast) -> Any:
            return fast.encode_parts(Texts.of(texts), begins)

        assert cuts_hold(tokenizer.cuts, tokenizer.reference, parts)
        assert not cuts_hold(wrong, tokenizer.reference, parts)


def test_the_reference_alone_cuts_nothing(bpe: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLANCOMPILE_REFERENCE_ENCODER", "1")
    plain = Tokenizer(bpe.kind, bpe.data, "plain", bpe.specials)
    assert plain.cuts is None
    assert (
        plain.encode(["a b"]).ids.tolist() == Ragged.joined([bpe.encode(["a b"])[0]]).ids.tolist()
    )


def test_threads_that_ask_at_once_share_an_encoder(
    unigram: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python 3.12 has it, whose cached properties hold no lock of their own."""
    monkeypatch.setattr(tokenizer_module, "exact_cuts", selection.exact_cuts.__wrapped__)
    barrier = threading.Barrier(4)

    def compute_cuts(_: int) -> Any:
        barrier.wait()
        return Tokenizer.__dict__["cuts"].func(unigram).tolist()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(compute_cuts, range(4)))
    assert found == [found[0]] * 4
    texts = [f"the text number {i} of the library" for i in range(400)]
    with ThreadPoolExecutor(4) as pool:
        encoded = list(pool.map(lambda _: unigram.encode(texts).ids.tolist(), range(8)))
    assert encoded == [unigram.reference(texts).ids.tolist()] * 8


def test_added_tokens_that_overlap_across_kinds_go_to_the_reference(bpe: Tokenizer) -> None:
    about = json.loads(bpe.data)
    size = max(about["model"]["vocab"].values()) + 1
    base = {"single_word": False, "lstrip": False, "rstrip": False, "special": False}
    about["added_tokens"] += [
        {**base, "id": size + 50, "content": "ab", "normalized": True},
        {**base, "id": size + 51, "content": "bc", "normalized": False},
    ]
    odd = from_bytes("hf", json.dumps(about).encode(), "odd")
    texts = ["xabc", "ab bc abc", "a b c"]
    assert odd.encode(texts).lists() == odd.reference(texts).lists()

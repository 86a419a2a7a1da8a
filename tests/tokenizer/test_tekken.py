"""Mistral's tekken.json, against byte-pair merging by rank, and against mistral-common itself."""

import base64
import importlib
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from flancompile.errors import FlancompileError
from flancompile.tokenizer.load import load_file
from flancompile.tokenizer.tokenizer import Tokenizer

FUZZ = int(os.environ.get("FLANCOMPILE_FUZZ", "1500"))
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
START = r"[^\r\n\p{L}\p{N}]?"
PATTERN = (
    rf"{START}[{UPPER}]*[{LOWER}]+|{START}[{UPPER}]+[{LOWER}]*|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = ("<s>", "</s>", "[INST]", "<|endoftext|>", "<SPECIAL_7>", "quick", "brown fox", "1234")
SPECIALS, NO_RANK = 20, 1 << 30


def tokens_of(bpe: Tokenizer) -> list[bytes]:
    """The bytes of a byte-level BPE's tokens, in the order in which they were learnt."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {chr(b): b for b in plain}
    letters |= {chr(0x100 + i): b for i, b in enumerate(b for b in range(256) if b not in plain)}
    vocabulary = json.loads(bpe.data)["model"]["vocab"]
    learnt = [t for t, _ in sorted(vocabulary.items(), key=lambda p: p[1])][3:]  # three special
    found = [bytes(letters[c] for c in t) for t in learnt]
    return sorted(found, key=lambda t: len(t) > 1)


@pytest.fixture
def tekken(bpe: Tokenizer, tmp_path: Path) -> Path:
    tokens = tokens_of(bpe)
    vocabulary = [
        {"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
        for i, t in enumerate(tokens)
    ]
    about = {
        "config": {"pattern": PATTERN, "default_vocab_size": len(tokens) + SPECIALS,
                   "default_num_special_tokens": SPECIALS, "version": "v3"},
        "vocab": [*vocabulary, {"rank": len(tokens), "token_bytes": "enp6", "token_str": "zzz"}],
    }  # fmt: skip
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(about))
    return path


def merged(word: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Ids of a word of the split: neighbours are joined, the least rank first."""
    parts = [word[i : i + 1] for i in range(len(word))]
    if word in ranks:
        return [ranks[word]]
    while len(parts) > 1:
        pairs = [(ranks.get(a + b, NO_RANK), i) for i, (a, b) in enumerate(pairwise(parts))]
        rank, at = min(pairs)
        if rank == NO_RANK:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [ranks[p] for p in parts]


def test_ids_are_ranks_after_the_special_tokens(
    tekken: Path, bpe: Tokenizer, odd_texts: Any
) -> None:
    tokenizer = load_file(tekken)
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, 11)
    assert tokenizer.lossless and tokenizer.encoder.startswith("gigatoken")
    ranks = {t: SPECIALS + i for i, t in enumerate(tokens_of(bpe))}
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated")
    texts = odd_texts(300, 21, WORDS)
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        words = [w.encode() for w, _ in split.pre_tokenize_str(text)]
        assert ids.tolist() == [i for w in words for i in merged(w, ranks)], ascii(text)
    assert tokenizer.decode_all(tokenizer.encode(texts)) == texts


def test_a_folder_with_one_is_found_and_a_broken_one_told(tekken: Path) -> None:
    assert load_file(tekken.parent).name == tekken.parent.name
    about = json.loads(tekken.read_text())
    del about["config"]["default_vocab_size"]
    tekken.write_text(json.dumps(about))
    with pytest.raises(FlancompileError, match="tekken is not a tokenizer: KeyError"):
        load_file(tekken, name="tekken")


def test_real_ones_are_as_mistral_common_has_them(odd_texts: Any) -> None:
    common = pytest.importorskip("mistral_common.tokens.tokenizers.tekken")
    mistral_common = importlib.import_module("mistral_common")

    path = Path(str(mistral_common.__file__)).parent / "data" / "tekken_240911.json"
    tokenizer, reference = load_file(path), common.Tekkenizer.from_file(path)
    texts = odd_texts(FUZZ, 22, WORDS)
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        assert ids.tolist() == reference.encode(text, False, False), ascii(text)

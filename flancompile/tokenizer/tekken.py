"""Convert Mistral's tekken.json to a tokenizer.json with the same ids.

A tekken.json lists tokens by rank, like tiktoken. A word of the split that is a token becomes that
token; else the two adjacent parts whose union has the least rank are merged repeatedly. A BPE with
`ignore_merges` gives the same ids if its merges are all pairs of tokens whose union is a token,
ordered by the rank of the union. Ids are ranks plus the number of special tokens, which become
added tokens.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["converted", "is_tekken"]

# Special tokens of files that do not list them. Source: mistral-common's documentation.
_KNOWN = {0: "<unk>", 1: "<s>", 2: "</s>", 3: "[INST]", 4: "[/INST]", 11: "<pad>"}


def is_tekken(tekken: Mapping[str, Any]) -> bool:
    """Whether a parsed JSON file is a tekken.json."""
    vocabulary = tekken.get("vocab")
    return isinstance(vocabulary, list) and "pattern" in (tekken.get("config") or {})


def converted(tekken: Mapping[str, Any]) -> bytes:
    """Convert a parsed tekken.json to a tokenizer.json. Raises ValueError, KeyError if invalid."""
    config = tekken["config"]
    specials = int(config["default_num_special_tokens"])
    count = int(config["default_vocab_size"]) - specials
    tokens = [base64.b64decode(t["token_bytes"]) for t in tekken["vocab"][:count]]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    if len(ranks) < len(tokens):
        raise ValueError("two tokens have the same bytes")
    letters = _letters()
    spelled = ["".join(letters[b] for b in token) for token in tokens]
    vocabulary = {text: specials + rank for rank, text in enumerate(spelled)}
    listed = {int(t["rank"]): str(t["token_str"]) for t in tekken.get("special_tokens") or []}
    added = []
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    for rank in range(specials):
        text = (listed or _KNOWN).get(rank, f"<SPECIAL_{rank}>")
        text = text if text not in vocabulary else f"<SPECIAL_{rank}>"
        vocabulary[text] = rank
        added.append({"id": rank, "content": text, **flags, "special": True})
    merges = []
    for token, text in zip(tokens, spelled, strict=True):
        pairs = [
            (ranks[token[:i]], ranks[token[i:]], text[:i], text[i:])
            for i in range(1, len(token))
            if token[:i] in ranks and token[i:] in ranks
        ]
        merges += [[left, right] for _, _, left, right in sorted(pairs)]
    split = {"type": "Split", "pattern": {"Regex": config["pattern"]}, "behavior": "Isolated",
             "invert": False}  # fmt: skip
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": False}  # fmt: skip
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
        "post_processor": None, "decoder": level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": True, "vocab": vocabulary, "merges": merges,
        },
    }).encode()  # fmt: skip


def _letters() -> list[str]:
    """Character of each byte in a byte-level vocabulary. Source: GPT-2's encoder.py."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]

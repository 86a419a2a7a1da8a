"""Encoders of a tokenizer's file: the reference, the fastest exact one, and positions for cuts.

Results are cached by the file's bytes, across compiles.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal

from flancompile.marks import CLOSE, OPEN, unmarked
from flancompile.tokenizer.cuts import Cuts, byte_level_cuts, cuts_hold
from flancompile.tokenizer.encoders import BytesEncoder, Encoder, HubEncoder, PieceEncoder
from flancompile.tokenizer.fast import PROBES, FastEncoder, fast_encoder
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.words import WordEncoder, word_encoder

__all__ = ["Kind", "byte_level", "exact_cuts", "fastest_encoder", "reference_encoder"]

Kind = Literal["hf", "sentencepiece", "bytes"]


@lru_cache(maxsize=4)
def reference_encoder(kind: Kind, data: bytes) -> Encoder:
    """Reference encoder of a tokenizer; cached across compiles."""
    if kind == "hf":
        return HubEncoder(data)
    return PieceEncoder(data) if kind == "sentencepiece" else BytesEncoder()


@lru_cache(maxsize=2)
def fastest_encoder(kind: Kind, data: bytes) -> tuple[FastEncoder | WordEncoder | None, str]:
    """Fastest encoder that is exact for a tokenizer, or None. -> (encoder, reason)"""
    reference, why = reference_encoder(kind, data), ""
    if isinstance(reference, PieceEncoder):
        words, why = word_encoder(reference, data, list(PROBES))
        if words is not None:
            return words, why
    controls, added = _added_texts(reference, data)
    fast, fast_why = fast_encoder(kind, data, reference, controls, added)
    return fast, fast_why if fast is not None or not why else f"{fast_why}; {why}"


@lru_cache(maxsize=2)
def exact_cuts(kind: Kind, data: bytes, fast: FastEncoder | WordEncoder) -> Cuts | None:
    """Cuts of a tokenizer, if they are exact on texts made of odd pieces."""
    if isinstance(fast, WordEncoder):
        cuts: Cuts | None = fast.cuts
    else:
        known = kind == "hf" and byte_level(data)
        cuts = byte_level_cuts(_parsed(data)) if known else None
    if cuts is None or not cuts_hold(
        cuts,
        lambda texts: reference_encoder(kind, data).encode(texts),
        lambda texts, begins: fast.encode_parts(Texts.of(texts), begins),
    ):
        return None
    return cuts


def _added_texts(reference: Encoder, data: bytes) -> tuple[list[str], list[str]]:
    """(texts that only the reference encodes exactly, texts of all added tokens)."""
    if isinstance(reference, PieceEncoder):
        controls = [*reference.not_text(), OPEN, CLOSE]
        return controls, controls[:-2]
    parsed = _parsed(data)
    added: list[dict[str, Any]] = parsed.get("added_tokens") or []
    # These flags depend on the characters around the token, or on the normalised text.
    odd = ("single_word", "lstrip", "rstrip", *(["normalized"] if parsed.get("normalizer") else []))
    controls = [t["content"] for t in added if any(t.get(flag) for flag in odd)]
    # Normalised tokens are matched after the others, which matters where the two overlap.
    kinds: list[list[str]] = [
        [t["content"] for t in added if bool(t.get("normalized")) is k] for k in (True, False)
    ]
    if all(kinds):
        controls += kinds[0] if len(kinds[0]) < len(kinds[1]) else kinds[1]
    return controls, list(dict.fromkeys(n for t in added for n in _spellings(t["content"])))


def _spellings(text: str) -> tuple[str, ...]:
    """Text of a token, marked or not, and its unmarked text."""
    return (text, unmarked(text))


@lru_cache(maxsize=1)
def _parsed(data: bytes) -> dict[str, Any]:
    """Parsed tokenizer.json; cached because parsing takes up to half a second."""
    parsed: dict[str, Any] = json.loads(data)
    return parsed


def byte_level(data: bytes) -> bool:
    """Whether a tokenizer.json is byte-level BPE that preserves every byte of a text."""
    parsed = _parsed(data)
    model, before = parsed["model"], parsed.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers", [before])
    added: list[dict[str, Any]] = parsed.get("added_tokens") or []
    # The 256 characters of bytes; an added token made only of these is decoded as bytes.
    letters = {chr(c) for c in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144))}
    return (
        parsed.get("normalizer") is None
        and model.get("type", "BPE") == "BPE"
        and not (model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"))
        and letters <= set(model["vocab"])
        and {s.get("type") for s in steps} <= {"ByteLevel", "Split", "Digits", "Punctuation"}
        and any(s.get("type") == "ByteLevel" for s in steps)
        and not any(s.get("add_prefix_space") or s.get("behavior") == "Removed" for s in steps)
        and (parsed.get("decoder") or {}).get("type") == "ByteLevel"
        and not any(t.get("lstrip") or t.get("rstrip") for t in added)
        and all(t["content"].isascii() or not set(t["content"]) <= letters for t in added)
    )

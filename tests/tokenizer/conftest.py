"""Small tokenizers, the real ones, and odd texts."""

from tokenizer_fixtures import (
    bpe,
    changed,
    crossing_pieces,
    family,
    normalising_pieces,
    odd_texts,
    pieces,
    real,
    real_fields,
    unigram,
)

__all__ = [
    "bpe",
    "changed",
    "crossing_pieces",
    "family",
    "normalising_pieces",
    "odd_texts",
    "pieces",
    "real",
    "real_fields",
    "unigram",
]

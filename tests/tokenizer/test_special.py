"""Text that spells a special token is text, under every kind of tokenizer and every encoder."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_fixtures import CONTROLS

from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.marks import CLOSE, OPEN, marked, replaced, unmarked
from flancompile.tokenizer.special import without_marks
from flancompile.tokenizer.tokenizer import Tokenizer

KINDS = (
    "cl100k", "qwen2", "o200k", "gpt2", "normalized", "normalizer", "single_word", "lstrip",
    "rstrip", "undeclared", "learnt bpe", "learnt unigram", "bytes", "llama2", "gemma", "t5",
    "tekken", "wordpiece", "wordlevel", "t5 json", "llama2 json",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_of_data_has_a_special_id(
    zoo: dict[str, Tokenizer], kind: str, odd_texts: Callable[..., list[str]]
) -> None:
    tokenizer = zoo[kind]
    own = list(tokenizer.special_texts)
    assert own or kind == "bytes"
    cases = [f"a{t}b {t} {t}\n{t[:-1]}{t}" for t in own] + [*own, "".join(own), " ".join(own)]
    texts = cases + odd_texts(60, 31, [*CONTROLS, *own])
    ids = {i for t in own if (i := tokenizer.token_id(t)) is not None}
    ids -= {tokenizer.unknown_id}  # the unknown token
    found = tokenizer.encode(texts)
    for text, one in zip(texts, found, strict=True):
        assert not ids & set(one.tolist()), text
    assert found.lists() == tokenizer.reference(texts).lists(), "fast path and reference"
    if tokenizer.lossless:
        assert tokenizer.decode_all(found) == texts
    segment_cache = SegmentCache(tokenizer)
    for text, one in zip(texts, found, strict=True):
        parts = [text[i : i + 3] for i in range(0, len(text), 3)]
        numbers = segment_cache.fragments.intern(pa.array(parts, pa.string())).astype(np.int32)
        strings = Ropes(numbers, np.array([0, len(numbers)], np.int64))
        assert segment_cache.encode(strings).take(np.array([0])).lists()[0] == one.tolist(), (
            "segments"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_text_without_special_tokens_has_the_ids_it_has_in_the_file(
    zoo: dict[str, Tokenizer], kind: str, odd_texts: Callable[..., list[str]]
) -> None:
    """Differential: against the same file unchanged, on texts that spell no special token."""
    tokenizer = zoo[kind]
    reading = tokenizer.reading_special(True)
    texts = [t for t in odd_texts(300, 32) if not any(c in t for c in tokenizer.special_texts)]
    assert len(texts) > 200
    assert tokenizer.encode(texts).lists() == reading.reference(texts).lists()
    assert tokenizer.vocab_size == reading.vocab_size
    ordinary = ["<think>", "    x"]
    assert tokenizer.encode(ordinary).lists() == reading.reference(ordinary).lists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_marked_token_is_that_token_wherever_it_stands(
    zoo: dict[str, Tokenizer], kind: str
) -> None:
    tokenizer = zoo[kind]
    own = list(tokenizer.special_texts) or ["<s>"]
    texts = [f"{marked(t)}user\nHi {t}{marked(t)}" for t in own]
    found = tokenizer.encode(texts)
    for name, ids in zip(own, found, strict=True):
        token = tokenizer.token_id(name)
        assert ids[0] == token and ids[-1] == token, name
        if token != tokenizer.unknown_id:
            assert ids.tolist().count(token) == 2
    assert found.lists() == tokenizer.reference(texts).lists()
    if kind in ("gpt2", "cl100k", "tekken", "bytes", "learnt bpe"):
        assert tokenizer.decode_all(found) == [unmarked(t) for t in texts]
    segment_cache = SegmentCache(tokenizer)
    for text, one in zip(texts, found, strict=True):
        numbers = segment_cache.fragments.intern(pa.array([*text], pa.string())).astype(np.int32)
        strings = Ropes(numbers, np.array([0, len(numbers)], np.int64))
        assert segment_cache.encode(strings).take(np.array([0])).lists()[0] == one.tolist(), (
            "segments"
        )


values: Any = st.recursive(
    st.none() | st.text(st.sampled_from("ab" + OPEN + CLOSE + "\ufdd2é"), max_size=6),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab" + OPEN + CLOSE + "\ufdd2é")) | st.none()), st.data())
def test_data_holds_no_marks(texts: list[str | None], data: Any) -> None:
    expected = [replaced(t) for t in texts]
    assert not any(OPEN in t or CLOSE in t for t in expected if t is not None)
    start = data.draw(st.integers(0, len(texts)))
    for kind in (pa.string(), pa.large_string()):
        flat = pa.array(texts, kind)
        assert without_marks(flat[start:]).to_pylist() == expected[start:]
        lists = pa.array([texts, None, texts[start:]], pa.list_(kind))[
            data.draw(st.integers(0, 2)) :
        ]
        assert without_marks(lists).to_pylist() == replaced(lists.to_pylist())
        maps = pa.array(
            [{"a": [{"b": t}]} for t in texts],
            pa.struct([("a", pa.list_(pa.struct([("b", kind)])))]),
        )
        assert without_marks(maps).to_pylist() == replaced(maps.to_pylist())
        assert without_marks(maps).type == maps.type
    assert without_marks(pa.array(texts).dictionary_encode()).to_pylist() == expected


def test_a_column_without_marks_is_itself() -> None:
    for column in (pa.array(["a", "\ufdcf"]), pa.array([0x90B7EF] * 4), pa.array([["x"], None])):
        assert without_marks(column) is column


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2.json", "t5.model", "bpe_32k_c4.model"])
def test_real_tokenizers_read_no_special_tokens_out_of_data(
    real: Callable[[str], Tokenizer], name: str, odd_texts: Callable[..., list[str]]
) -> None:
    tokenizer = real(name)
    own = list(tokenizer.special_texts)
    assert own
    texts = odd_texts(300, 33, [*CONTROLS, *own])
    found = tokenizer.encode(texts)
    special = {i for t in own if (i := tokenizer.token_id(t)) is not None}
    assert not (special - {tokenizer.unknown_id}) & set(found.ids.tolist())
    assert found.lists() == tokenizer.reference(texts).lists()
    plain = [t for t in texts if not any(c in t for c in own)]
    assert (
        tokenizer.encode(plain).lists() == tokenizer.reading_special(True).reference(plain).lists()
    )
    ids = tokenizer.encode([marked(t) for t in own])
    assert [i.tolist()[-1] for i in ids] == [tokenizer.token_id(t) for t in own]

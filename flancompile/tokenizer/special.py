"""Encode data that spells a special token as text, not as the special token.

An encoder turns `<|im_start|>` in any text into a control token, so a row could forge a turn.
`text_data` rewrites a tokenizer's file: each special token is renamed to its text between two
Unicode noncharacters (`marked`), in the added tokens, the vocabulary and the merges. Every encoder
built from the new file reads the bare text as ordinary characters, and ids do not change. Chat
templates and layouts write the marked text for a control token. Data cannot contain the marks:
`without_marks` replaces them when a block is loaded.

Special tokens are the added tokens that a tokenizer.json declares special or that have the form
`<|...|>`, the tokens of the frame, SentencePiece's control pieces, and its user-defined pieces of
the form of a control token. Other added tokens (`<think>`, runs of spaces) are ordinary vocabulary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.marks import CLOSE, OPEN, REPLACEMENT, marked, replaced
from flancompile.tokenizer.pieces import CONTROL, USER_DEFINED, PieceModel, with_kinds
from flancompile.tokenizer.uncertain import quoted

__all__ = [
    "USUAL",
    "special_texts",
    "special_token_rows",
    "special_tokens_in",
    "text_data",
    "without_marks",
]

_BARS = re.compile(r"<[|｜].*[|｜]>")
_BRACKETS = re.compile(r"<.+>|\[.+\]")
_FORM = re.compile(
    r"<[|｜].*[|｜]>|</?(s|pad|unk|bos|eos|mask|sep|cls|(start|end)_of_\w+|unused_?\d+|extra_id_\d+)>"
    r"|\[/?(INST|PAD|UNK|CLS|SEP|MASK|BOS|EOS|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS"
    r"|AVAILABLE_TOOLS)\]",
    re.IGNORECASE,
)
# Special tokens of common tokenizers, for checks without a tokenizer.
USUAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|end_of_text|>",
    "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|user|>", "<|assistant|>",
    "<|system|>", "<|end|>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<s>", "</s>",
    "<pad>", "<unk>", "<mask>", "<extra_id_0>", "[INST]", "[/INST]", "[CLS]", "[SEP]", "[MASK]",
    "[PAD]", "[UNK]", "<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>",
)  # fmt: skip
_START = OPEN.encode()[:2]  # also of CLOSE, and of few other characters


@lru_cache(maxsize=8)
def special_texts(kind: str, data: bytes, roles: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Texts of a tokenizer's special tokens, longest first.

    roles: texts of the frame's tokens; included if they are in brackets: `<s>`, `[SEP]`.
    """
    if kind == "hf":
        found = set(_special_added(json.loads(data)))
    elif kind == "sentencepiece":
        found = {p.text for p in PieceModel.of(data).pieces if _is_control(p.text, p.kind)}
    else:
        found = set()
    found |= {t for t in roles if _BRACKETS.fullmatch(t)}
    return tuple(sorted(found, key=lambda t: (-len(t), t)))


@lru_cache(maxsize=4)
def text_data(kind: str, data: bytes, roles: tuple[str, ...] = ()) -> bytes:
    """Tokenizer file with the same ids that reads only marked special tokens.

    In a SentencePiece model the special pieces become control pieces, to which no text encodes;
    `PieceEncoder` reads the marks.
    """
    names = frozenset(special_texts(kind, data, roles))
    if not names or kind == "bytes":
        return data
    if kind == "sentencepiece":
        kinds = [
            CONTROL if p.kind == USER_DEFINED and p.text in names else p.kind
            for p in PieceModel.of(data).pieces
        ]
        return with_kinds(data, kinds)
    parsed = json.loads(data)
    _rename(parsed, names)
    return json.dumps(parsed, ensure_ascii=False).encode()


def _special_added(parsed: dict[str, Any]) -> Iterable[str]:
    """Texts of special added tokens. A single character encodes to the same id as text."""
    for token in parsed.get("added_tokens") or []:
        text = token["content"]
        if (token.get("special") or _BARS.fullmatch(text)) and len(text) > 1:
            yield text


def _is_control(text: str, kind: int) -> bool:
    return kind == CONTROL or (kind == USER_DEFINED and _FORM.fullmatch(text) is not None)


def _rename(parsed: dict[str, Any], names: frozenset[str]) -> None:
    """Mark the names of tokens throughout a tokenizer.json, in place."""
    model = parsed["model"]
    known = {t["content"] for t in parsed.get("added_tokens") or []}
    added: list[dict[str, Any]] = parsed.setdefault("added_tokens", [])
    vocabulary = model.get("vocab") or {}
    ids = (
        vocabulary if isinstance(vocabulary, dict)
        else {v[0]: i for i, v in enumerate(vocabulary)}
    )  # fmt: skip
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added += [
        {"id": ids[n], "content": n, **flags, "special": True}
        for n in sorted(names - known)
        if n in ids
    ]
    added.sort(key=lambda t: t["id"])
    for token in added:
        if token["content"] in names:
            flags = {"single_word": False, "normalized": False, "special": True}
            token |= {"content": marked(token["content"]), **flags}
    if isinstance(vocabulary, dict):
        model["vocab"] = {_new(t, names): i for t, i in vocabulary.items()}
    else:
        model["vocab"] = [[_new(t, names), score] for t, score in vocabulary]
    if model.get("merges"):
        model["merges"] = [m for m in model["merges"] if not _makes(m, names)]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = _new(model["unk_token"], names)
    parsed["post_processor"] = None  # it only adds special tokens, by their old names


def _new(text: str, names: frozenset[str]) -> str:
    return marked(text) if text in names else text


def _makes(merge: str | list[str], names: frozenset[str]) -> bool:
    """Whether a special token is the result of a merge, or a part of it."""
    left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
    return left + right in names or left in names or right in names


def special_token_rows(
    columns: Iterable[Any], special: Sequence[str], rows: int
) -> npt.NDArray[np.bool_]:
    """Find rows that spell a special token in one of their columns. -> bool[rows]

    columns: of `rows` values each, Arrow arrays or sequences of Python values.
    """
    found = np.zeros(rows, np.bool_)
    if not special:
        return found
    pattern = "|".join(map(quoted, special))
    compiled = re.compile("|".join(map(re.escape, special)))
    starts = tuple({t.encode()[:2] for t in special})
    for column in columns:
        if not isinstance(column, pa.Array):
            found |= np.fromiter((_spells(v, compiled) for v in column), np.bool_, rows)
        elif any(_holds(t, starts) for t in _texts(column)):
            if _is_text(column.type):
                matches = pc.fill_null(pc.match_substring_regex(column, pattern), False)
                found |= matches.to_numpy(zero_copy_only=False).astype(np.bool_)
            else:
                values = column.to_pylist()
                found |= np.fromiter((_spells(v, compiled) for v in values), np.bool_, rows)
    return found


def special_tokens_in(value: Any, special: Sequence[str]) -> set[str]:
    """Special tokens that the texts of a value spell, at any depth."""
    if isinstance(value, str):
        return set(_any_of(tuple(special)).findall(value))
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    if not isinstance(inner, list | tuple):
        return set()
    return set().union(*(special_tokens_in(v, special) for v in inner))


@lru_cache(maxsize=8)
def _any_of(special: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, special)) or r"(?!)")


def _spells(value: Any, special: re.Pattern[str]) -> bool:
    if isinstance(value, str):
        return special.search(value) is not None
    if isinstance(value, dict):
        return any(_spells(v, special) for pair in value.items() for v in pair)
    return isinstance(value, list | tuple) and any(_spells(v, special) for v in value)


def _holds(array: pa.Array, starts: Sequence[bytes]) -> bool:
    """Whether the bytes of a text array contain one of `starts`."""
    data = array.buffers()[2]
    content = b"" if data is None else data.to_pybytes()
    return any(s in content for s in starts)


def without_marks(array: pa.Array) -> pa.Array:
    """Replace marks by U+FFFD in the texts of a column, at any depth."""
    if not any(map(_holds_marks, _texts(array))):
        return array
    if pa.types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, without_marks(array.dictionary))
    if _is_text(array.type):
        found: pa.Array = array
        for mark in (OPEN, CLOSE):
            found = pc.replace_substring(found, mark, REPLACEMENT)
        return found
    return pa.array([replaced(v) for v in array.to_pylist()], array.type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(array: pa.Array) -> Iterator[pa.Array]:
    """Text arrays within a column, at any depth."""
    kind = array.type
    if _is_text(kind):
        yield array
    elif pa.types.is_dictionary(kind):
        yield from _texts(array.dictionary)
    elif pa.types.is_struct(kind):
        for at in range(kind.num_fields):
            yield from _texts(array.field(at))
    elif pa.types.is_map(kind):
        yield from _texts(array.keys)
        yield from _texts(array.items)
    elif (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        yield from _texts(array.values)


def _holds_marks(array: pa.Array) -> bool:
    """Whether the bytes of a text array contain a mark."""
    return _holds(array, [_START]) and _holds(array, [OPEN.encode(), CLOSE.encode()])

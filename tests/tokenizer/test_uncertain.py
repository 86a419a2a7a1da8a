from collections.abc import Callable

import numpy as np
import pytest

from flancompile.tokenizer.fast import FastEncoder
from flancompile.tokenizer.text import Texts
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.uncertain import NEWER, UncertainTexts

SURROGATES = range(0xD800, 0xE000)


def test_finds_controls_and_newer_characters_only() -> None:
    texts = ["plain", "a</s>b", "漢字 é 🙂", "x\u323b0", "x\U000323b0", "", "</s", "\U000110ff"]
    assert UncertainTexts(["</s>", "<s>"]).indices(texts) == [1, 4, 7]
    assert UncertainTexts([]).indices(texts) == [4, 7]
    assert UncertainTexts([]).indices([]) == []


def test_a_control_is_not_found_across_texts() -> None:
    assert UncertainTexts(["ab"]).indices(["a", "b", "xabx"]) == [2]


def test_the_text_that_holds_the_character_is_the_one_found() -> None:
    new = chr(NEWER[-1][0])
    for place in range(4):
        texts = ["é", "ascii", "éé", "ü"]
        texts[place] += new
        assert UncertainTexts([]).indices(texts) == [place]
        assert UncertainTexts([]).indices(
            [new + t if i == place else t for i, t in enumerate(texts)]
        ) == [place]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cl100k", "qwen2", "o200k"])
def test_every_code_point(name: str, family: Callable[[str], Tokenizer]) -> None:
    """The list of uncertain characters has every character on which the encoders differ."""
    tokenizer = family(name)
    fast, why = tokenizer._fast
    assert isinstance(fast, FastEncoder), why
    codes = [c for c in (*range(1, 0x34000), *range(0xE0000, 0xE1000)) if c not in SURROGATES]
    differ: list[int] = []
    for start in range(0, len(codes), 20_000):
        some = [chr(c) for c in codes[start : start + 20_000]]
        texts = [f"{c}1234 a{c}b's {c}'s 5{c}67 Ab{c}Cd !{c}\n\n!/{c}/\n {c} x{c}{c}" for c in some]
        pairs = zip(some, tokenizer.reference(texts), fast._encode(Texts.of(texts)), strict=True)
        differ += [ord(c) for c, a, b in pairs if not np.array_equal(a, b)]
    assert differ, "the encoders' tables agree: the list of newer characters can go"
    assert UncertainTexts([]).indices([chr(c) for c in differ]) == list(range(len(differ)))
    assert {c for c in differ if not any(a <= c <= b for a, b in NEWER)} == set()

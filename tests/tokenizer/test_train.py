import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizer_fixtures import TEXTS

from flancompile.errors import FlancompileError
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.train import LINE, WORD, _lines, _parts, train

ODD = ["unseen Ω 🜚 \x00 \u2028", "", "  two  spaces\t\n\n", "漢字", "e\u0301é"]
CODE = """
import random
from flancompile.tokenizer.train import train
rng = random.Random(5)
words = ["".join(rng.choice("abcdefgh") for _ in range(rng.randrange(2, 7))) for _ in range(800)]
texts = [" ".join(rng.sample(words, 50)) for _ in range(300)] + ["é漢字🙂 " + w for w in words]
print(train("bpe", texts, 900).digest, train("unigram", texts, 700).digest)
"""


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_nothing_is_unknown_or_lost(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id) == (0, 1, 2)
    found = tokenizer.encode(ODD)
    assert tokenizer.decode_all(found) == ODD
    assert tokenizer.exact(ODD, found).all()
    if kind == "unigram":
        assert 3 not in found.ids, "<unk>"


def test_sizes(bpe: Tokenizer, unigram: Tokenizer) -> None:
    assert (bpe.vocab_size, unigram.vocab_size) == (420, 375)
    text = ["The quick brown fox jumps over the lazy dog"]
    assert all(len(t.encode(text)[0]) < 0.8 * len(text[0]) for t in (bpe, unigram))


def test_the_same_texts_give_the_same_bytes_whatever_the_threads() -> None:
    """The texts are full of pairs that are equally frequent."""
    found = set()
    for threads, seed in (("1", "1"), ("4", "2"), ("2", "3")):
        env = {
            **os.environ,
            "RAYON_NUM_THREADS": threads,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        run = subprocess.run(
            [sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True
        )
        found.add(run.stdout)
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_too_little_text(kind: str) -> None:
    with pytest.raises(FlancompileError) as caught:
        train(kind, ["a few words"], 5000)  # type: ignore[arg-type]
    assert caught.value.code == "FC413"
    assert "train_rows" in str(caught.value) and "INTERNAL" not in str(caught.value)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize(
    "long",
    ["a" * 200_000, "a" * 1_000_000, " " * 300_000, "ab" * 300_000, "漢字" * 100_000, "7" * 200_000,
     "".join(chr(97 + i * i * 31 % 26) for i in range(400_000)), "word " * 100_000],
    ids=["200,000", "million", "spaces", "pairs", "han", "digits", "mixed", "line"],
)  # fmt: skip
def test_long_words_and_lines_cost_no_more_than_their_text(kind: Any, long: str) -> None:
    began = time.process_time()
    made = train(kind, [*TEXTS * 40, long], 375)
    assert time.process_time() - began < 20, "a million letters took minutes"
    text = f"{TEXTS[0]} {long[:50]}"
    assert made.decode(made.encode([text])[0]) == text


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_texts_of_usual_words_are_learnt_as_they_are(kind: Any) -> None:
    """The ids of words as long as any in a dictionary do not depend on where a text is cut."""
    words = [f"w{'x' * (i % 100)} {i}" for i in range(400)]
    text = " ".join(words)
    assert [p for t in (text, *TEXTS) for p in _parts(t)] == [text, *TEXTS]
    assert "".join(_lines(text * 9)) == text * 9


@given(st.text(st.sampled_from("ab \n漢\t")), st.integers(1, 400))
def test_cutting_loses_nothing(text: str, times: int) -> None:
    long = text * times
    parts = [*_parts(long)]
    assert "".join(parts) == long
    runs = [r for p in parts for r in re.findall(r"\S+|\s+", p)]
    assert all(len(r) <= WORD + 1 for r in runs)
    lines = [*_lines(long)]
    assert all(len(line) <= LINE and "\n" not in line for line in lines)
    letters = [c for line in long.split("\n") for c in line if not c.isspace()]
    assert [c for line in lines for c in line if not c.isspace()] == letters

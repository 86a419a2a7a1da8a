"""Small tokenizers learnt on the spot, the real ones where they are, and a source of odd texts."""

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flancompile.tokenizer.load import from_bytes, load_file
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.train import train

TEXTS = [
    "The quick brown fox jumps over the lazy dog, doesn't it? They'll see 1234 of 56.",
    "Question: who wrote the book?\nAnswer: it's not known.\n\nContext: the library was closed.",
    "def f(x):\n    return {x: [1, 2, 3]}  # café naïve\n\n\n",
    "Москва — столица России. 東京は日本の首都です。 नमस्ते दुनिया 🙂🙂",
    "</s> <|endoftext|> <pad> are tokens' texts; I'm, we've, he'd, you're, I'll.",
]
# The split rules of three families, by the names of their first tokenizers.
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
START, SPACES = r"[^\r\n\p{L}\p{N}]?", r"\s*[\r\n]+|\s+(?!\S)|\s+"
FAMILIES = {
    "cl100k": rf"{CONTRACTIONS}|{START}\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}",
    "qwen2": rf"{CONTRACTIONS}|{START}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}",
    "o200k": rf"{START}[{UPPER}]*[{LOWER}]+{CONTRACTIONS}?|{START}[{UPPER}]+[{LOWER}]*{CONTRACTIONS}?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}",
}  # fmt: skip
POOLS = (
    "abcdefghijklmnop", "ABCXYZ", "0123456789", " ", " \t", "\n\r", "'\"`´’", "sStTmMdDlLrReEvV'",
    ".,:;!?-_()[]{}<>/\\|#@$%^&*+=~", "éàüßñÀÉ", "漢字かなカナ한국", "مرحباשלום", "नमस्तेไทย",
    "🙂👩‍👧🏽", "\u0301\u0300\u20dd", "\u2028\u2029\u00a0\u3000\u200b\u200d\ufeff\u0085",
    "½²Ⅷ٣५", "\x00\x01\x1f\x7f", "\u2581", "ſǅʰﬁÅ",
)  # fmt: skip


@pytest.fixture(scope="session")
def bpe() -> Tokenizer:
    return train("bpe", TEXTS * 4, 420)


@pytest.fixture(scope="session")
def unigram() -> Tokenizer:
    return train("unigram", TEXTS * 40, 375)


@pytest.fixture(scope="session")
def pieces() -> Tokenizer:
    """A SentencePiece BPE with a dummy prefix and no normalisation, as Llama 2's."""
    return _pieces(normalization_rule_name="identity", remove_extra_whitespaces=False)


@pytest.fixture(scope="session")
def normalising_pieces() -> Tokenizer:
    """A SentencePiece BPE with SentencePiece's own defaults: NFKC, single spaces."""
    return _pieces()


@pytest.fixture(scope="session")
def crossing_pieces() -> Tokenizer:
    """The same with pieces that run over spaces."""
    return _pieces(
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        split_by_whitespace=False,
    )  # fmt: skip


def _pieces(**options: Any) -> Tokenizer:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([line for t in TEXTS * 40 for line in t.split("\n") if line]),
        model_writer=model, model_type="bpe", vocab_size=450, byte_fallback=True,
        num_threads=1, minloglevel=2, **options,
    )  # fmt: skip
    return from_bytes("sentencepiece", model.getvalue(), "pieces")


@pytest.fixture(scope="session")
def family() -> Callable[[str], Tokenizer]:
    """Makes a byte-level BPE with a family's split rule."""
    return _family


def _family(name: str) -> Tokenizer:
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Model

    model = Model(models.BPE())
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(FAMILIES[name]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    numbers = [f"x{i} {i * i}" for i in range(300)]
    model.train_from_iterator(TEXTS * 4 + numbers, trainer)
    return from_bytes("hf", str(model.to_str()).encode(), name)


@pytest.fixture(scope="session")
def real(shared: Path) -> Callable[[str], Tokenizer]:
    """Loads one of the real tokenizers by its file's name."""
    return lambda name: load_file(shared / "tokenizers" / name)


@pytest.fixture(scope="session")
def real_fields(shared: Path) -> list[str]:
    """Passages, questions and answers in twelve languages, as their files have them."""
    found: dict[str, None] = {}
    for path in sorted((shared / "xquad").glob("xquad.*.json")):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"][:6]:
            for paragraph in article["paragraphs"]:
                found[paragraph["context"]] = None
                for asked in paragraph["qas"]:
                    found |= dict.fromkeys([asked["question"], asked["answers"][0]["text"]])
    return list(found)


@pytest.fixture(scope="session")
def changed() -> Callable[..., Tokenizer]:
    """A tokenizer.json with some of its keys replaced."""

    def make(tokenizer: Tokenizer, **keys: Any) -> Tokenizer:
        about = json.loads(tokenizer.data) | keys
        return from_bytes("hf", json.dumps(about).encode(), "changed")

    return make


@pytest.fixture(scope="session")
def odd_texts() -> Callable[..., list[str]]:
    """Seeded texts of runs that tokenizers disagree on, with `words` strewn in."""

    def make(count: int, seed: int, words: Sequence[str] = ()) -> list[str]:
        rng = random.Random(seed)
        return ["".join(_run(rng, words) for _ in range(rng.randrange(30))) for _ in range(count)]

    return make


def _run(rng: random.Random, words: Sequence[str]) -> str:
    share = rng.random()
    if share < 0.08 and words:
        return rng.choice(words)
    if share < 0.1:
        return chr(rng.choice([rng.randrange(1, 0xD800), rng.randrange(0xE000, 0x34000)]))
    pool = rng.choice(POOLS)
    return "".join(rng.choice(pool) for _ in range(rng.choice([1, 1, 1, 2, 3, 5, 12])))

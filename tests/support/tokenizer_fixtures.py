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


# What rows spell: no tokenizer here may make a special id of it.
CONTROLS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<pad>", "<unk>", "<extra_id_0>",
    "[INST]", "[/INST]", "<|begin_of_text|>", "<|eot_id|>", "[CLS]", "[SEP]", "[MASK]", "[UNK]",
    "<start_of_turn>", "<｜end▁of▁sentence｜>",
)  # fmt: skip


def _added(contents: Sequence[str], first: int, **flags: bool) -> list[dict[str, Any]]:
    base = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True} | flags  # fmt: skip
    return [{"id": first + i, "content": t, **base} for i, t in enumerate(contents)]


def _with_added(tokenizer: Tokenizer, name: str, **flags: bool) -> Tokenizer:
    """A tokenizer with all of `CONTROLS` as special tokens, and ordinary added tokens beside."""
    about = json.loads(tokenizer.data)
    known = {t["content"] for t in about["added_tokens"]}
    first = tokenizer.vocab_size
    news = [t for t in CONTROLS if t not in known]
    about["added_tokens"] += _added(news, first, **flags)
    about["added_tokens"] += _added(["<think>", "    "], first + len(news), special=False)
    return from_bytes("hf", json.dumps(about).encode(), name)


def _hub(model: Any, name: str, **parts: Any) -> Tokenizer:
    from tokenizers import Tokenizer as Model

    made = Model(model)
    for part, value in parts.items():
        setattr(made, part, value)
    return from_bytes("hf", str(made.to_str()).encode(), name)


def _wordpiece() -> Tokenizer:
    """BERT's: lower case, punctuation apart, [CLS] and its like in the vocabulary."""
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    letters = [chr(c) for c in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    model = models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]")
    made = _hub(
        model, "wordpiece", normalizer=normalizers.BertNormalizer(),
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(), decoder=decoders.WordPiece(),
    )  # fmt: skip
    about = json.loads(made.data) | {"added_tokens": _added(words[:5], 0)}
    return from_bytes("hf", json.dumps(about).encode(), "wordpiece")


def _wordlevel() -> Tokenizer:
    from tokenizers import models, pre_tokenizers

    words = ["<unk>", "<s>", "</s>", "[INST]", "the", "a", "<", ">", "s"]
    model = models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    made = _hub(model, "wordlevel", pre_tokenizer=pre_tokenizers.WhitespaceSplit())
    about = json.loads(made.data) | {"added_tokens": _added(words[:4], 0)}
    return from_bytes("hf", json.dumps(about).encode(), "wordlevel")


def _t5_json() -> Tokenizer:
    """A unigram tokenizer.json whose special tokens are pieces too, with the best of scores."""
    from tokenizers import decoders, models, pre_tokenizers

    special = ["<pad>", "</s>", "<unk>"]
    letters = sorted({c for t in TEXTS for c in t if c not in " \n{}<"})
    pieces = [(t, 0.0) for t in special]
    pieces += [("\u2581", -2.0), *((c, -5.0) for c in letters), ("\u2581the", -3.0)]
    pieces += [(f"<extra_id_{i}>", 0.0) for i in range(3)]
    space = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    made = _hub(
        models.Unigram(pieces, unk_id=2, byte_fallback=False), "t5 json",
        pre_tokenizer=space, decoder=decoders.Metaspace(),
    )  # fmt: skip
    added = _added(special, 0) + _added([f"<extra_id_{i}>" for i in range(3)], len(pieces) - 3)
    about = json.loads(made.data) | {"added_tokens": added}
    return from_bytes("hf", json.dumps(about).encode(), "t5 json")


def _llama2_json() -> Tokenizer:
    """A BPE tokenizer.json whose merges make the special tokens, as a conversion writes them."""
    from tokenizers import decoders, models, normalizers

    special = ["<unk>", "<s>", "</s>"]
    letters = sorted({c for t in TEXTS for c in t if c not in " \n"} | {"\u2581"})
    words = [*special, *letters, "s>", "</", "<u", "<un", "k>", "th"]
    merges = [("s", ">"), ("<", "/"), ("<", "s>"), ("</", "s>"), ("<s", ">"), ("t", "h"),
              ("k", ">"), ("<", "u"), ("<u", "n"), ("<un", "k>")]  # fmt: skip
    known = set(words)
    merges = [m for m in merges if m[0] in known and m[1] in known and "".join(m) in known]
    model = models.BPE(
        {w: i for i, w in enumerate(words)}, merges, unk_token="<unk>", fuse_unk=True
    )
    made = _hub(
        model, "llama2 json",
        normalizer=normalizers.Sequence(
            [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
        ),
        decoder=decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Strip(" ", 1, 0)]),
    )  # fmt: skip
    about = json.loads(made.data) | {"added_tokens": _added(special, 0)}
    return from_bytes("hf", json.dumps(about).encode(), "llama2 json")


def _gemma() -> Tokenizer:
    return _pieces(
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        user_defined_symbols=["<start_of_turn>", "[INST]", "<|im_start|>", "\u2581\u2581"],
    )  # fmt: skip


def _changed(tokenizer: Tokenizer, **keys: Any) -> Tokenizer:
    return from_bytes("hf", json.dumps(json.loads(tokenizer.data) | keys).encode(), "changed")


def _tekken() -> Tokenizer:
    """A tekken.json: special tokens are in the vocabulary, and words of it are taken whole."""
    bpe = _family("o200k")
    special = {t: i for i, t in enumerate(CONTROLS)}
    about = json.loads(bpe.data)
    vocabulary = {
        t: i + len(special) for t, i in about["model"]["vocab"].items() if t not in special
    }
    about["model"] |= {"vocab": vocabulary | special, "ignore_merges": True}
    about["added_tokens"] = _added(CONTROLS, 0)
    return from_bytes("hf", json.dumps(about).encode(), "tekken")


@pytest.fixture(scope="session")
def zoo(bpe: Tokenizer, unigram: Tokenizer) -> dict[str, Tokenizer]:
    """A tokenizer of each kind that is in use, by a name."""
    byte_level = {
        name: _with_added(_family(name), name) for name in FAMILIES
    }  # as Llama 3, Qwen and GPT-4o
    gpt2 = _with_added(bpe, "gpt2")
    neox = _with_added(bpe, "neox", normalized=True)
    nfc = _changed(_with_added(bpe, "nfc", normalized=True), normalizer={"type": "NFC"})
    return byte_level | {
        "gpt2": gpt2,
        "normalized": neox,
        "normalizer": nfc,
        "single_word": _with_added(bpe, "single_word", single_word=True),
        "lstrip": _with_added(bpe, "lstrip", lstrip=True),
        "rstrip": _with_added(bpe, "rstrip", rstrip=True),
        "undeclared": _with_added(bpe, "undeclared", special=False).with_specials(bpe.specials),
        "learnt bpe": bpe,
        "learnt unigram": unigram,
        "bytes": from_bytes("bytes", b"", "bytes"),
        "llama2": _pieces(normalization_rule_name="identity", remove_extra_whitespaces=False),
        "gemma": _gemma(),
        "t5": _pieces(),
        "tekken": _tekken(),
        "wordpiece": _wordpiece(),
        "wordlevel": _wordlevel(),
        "t5 json": _t5_json(),
        "llama2 json": _llama2_json(),
    }

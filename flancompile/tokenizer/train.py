"""Learn a lossless tokenizer, without unknown tokens, from the text of a mixture.

BPE is byte-level, by Hugging Face `tokenizers`; unigram has byte fall-back and no normalisation, by
SentencePiece (the unigram trainer of `tokenizers` is not deterministic). The same texts in the same
order give the same bytes: BPE counts integers and breaks ties by id, so threads do not matter;
SentencePiece sums floats, so it runs in one thread. 1.8 million characters and 8,000 tokens take
1 s for BPE, 4 s for unigram.

Long words and lines are cut, because the time of both trainers is quadratic in the length of a
word, and SentencePiece skips long lines.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from flancompile.errors import fail
from flancompile.tokenizer.load import from_bytes
from flancompile.tokenizer.tokenizer import Kind, Tokenizer

__all__ = ["train"]

SPECIALS = ("<pad>", "<s>", "</s>")
WORD, LINE = 128, 4096  # characters; longer than any token, and at most 16 KiB
_LONG = re.compile(rf"\S{{{WORD}}}(?=\S)|\s{{{WORD}}}(?=\s)")


def train(kind: Literal["bpe", "unigram"], texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn a tokenizer whose ids 0, 1, 2 are <pad>, <s>, </s>.

    Raises FC413 if there is too little text for the vocabulary.
    """
    file: tuple[Kind, bytes] = (
        ("hf", _bpe(texts, vocab_size))
        if kind == "bpe"
        else ("sentencepiece", _unigram(texts, vocab_size))
    )
    tokenizer = from_bytes(*file, name=f"trained {kind} {vocab_size}")
    if tokenizer.vocab_size < vocab_size // 2:
        raise _too_few(f"the texts give only {tokenizer.vocab_size} of {vocab_size} tokens")
    return tokenizer


def _bpe(texts: Iterable[str], vocab_size: int) -> bytes:
    from tokenizers import Tokenizer as Model
    from tokenizers import decoders, models, pre_tokenizers, trainers

    model = Model(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    model.train_from_iterator((part for t in texts for part in _parts(t)), trainer)
    return str(model.to_str(pretty=False)).encode()


def _unigram(texts: Iterable[str], vocab_size: int) -> bytes:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=(line for text in texts for line in _lines(text)),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            byte_fallback=True,
            max_sentence_length=1 << 16,
            hard_vocab_limit=False,
            num_threads=1,
            pad_id=0, bos_id=1, eos_id=2, unk_id=3,
            pad_piece="<pad>", bos_piece="<s>", eos_piece="</s>",
            minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        # "INTERNAL: trainer.cc(744) [condition] readable message"
        raise _too_few(str(error).strip().rpartition("] ")[2]) from None
    return model.getvalue()


def _parts(text: str) -> Iterator[str]:
    """Cut a text within long words and long runs of white space."""
    start = 0
    for match in _LONG.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]


def _lines(text: str) -> Iterator[str]:
    """Lines of a text that are not blank. Long lines are cut, between words if possible."""
    for line in text.split("\n"):
        for part in _parts(line):
            start = 0
            while len(part) - start > LINE:
                end = part.rfind(" ", start + LINE // 2, start + LINE) + 1 or start + LINE
                yield part[start:end]
                start = end
            if part[start:].strip():
                yield part[start:]


def _too_few(message: str) -> Exception:
    hint = "set more rows (`train_rows`) or another `vocab_size`"
    return fail("FC413", f"the tokenizer cannot be trained: {message}", hint=hint)

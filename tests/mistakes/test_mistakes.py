"""Seeded mistakes: files in, diagnostics out, as pairs in the .txt files beside this one.

A case is `### name`, then `@ file NAME` with the file's text for each file, then `@ says` with what
`check` prints, `@ says of rows` with what `check --data --all` prints, or `@ says without data`.
Under `@ says` the data files that a dataset file names are there, and empty. Run with FIXTURES=write
to record the printed text, and read the difference by eye.
"""

import re
from pathlib import Path

import pytest
import tokenizers
from fixture_pairs import Pair, pairs

from flancompile import check
from flancompile.lint.reading import Reading
from flancompile.tokenizer.load import from_bytes

SAYS, OF_ROWS, WITHOUT = "says", "says of rows", "says without data"
DATA = re.compile(r"[\w./-]+\.(?:jsonl|json|csv|tsv|txt)\b(?:\.gz)?")


def tokenizer_json() -> bytes:
    """A tokenizer of single characters that knows neither capitals nor accents."""
    known = "abcdefghijklmnopqrstuvwxyz0123456789 .,:;?!'\"-()[]{}%\n"
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({c: i for i, c in enumerate(["?", *known])}, "?")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    made.decoder = tokenizers.decoders.Fuse()
    return made.to_str().encode()


# Words of lower case letters alone: everything else is lost.
BERT_LIKE = from_bytes("hf", tokenizer_json(), "lower")
CASES = pairs(Path(__file__).parent)


def said(texts: dict[str, str], root: Path) -> str:
    for part, text in texts.items():
        if part.startswith("file "):
            path = root / part.removeprefix("file ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.rstrip("\n") + "\n")
    if SAYS in texts:
        for part, text in texts.items():
            if part.startswith("file datasets/"):
                for name in DATA.findall(text):
                    path = (root / part.removeprefix("file ")).parent / name
                    if not path.exists():
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.touch()
    reading = Reading(rows=None, tokenizer=BERT_LIKE, length=40) if OF_ROWS in texts else None
    found = [d.render() for d in check(root, data=reading)]
    return "\n".join(found).replace(f"{root}/", "") + "\n"


@pytest.mark.parametrize("pair", CASES, ids=[f"{p.path.stem}: {p.name}" for p in CASES])
def test_a_mistake_is_told_at_its_place(pair: Pair, tmp_path: Path) -> None:
    part = next(k for k in (SAYS, OF_ROWS, WITHOUT) if k in pair.parts)
    pair.check(part, said(pair.parts, tmp_path))


NEWCOMERS = [p for p in CASES if p.path.stem == "newcomers"]


@pytest.mark.parametrize("pair", NEWCOMERS, ids=[p.name for p in NEWCOMERS])
def test_a_newcomers_mistake_is_one_error_with_its_place(pair: Pair) -> None:
    """No cascade: as many errors as mistakes, on lines of their own; each with its place."""
    name, texts = pair.name, pair.parts
    heads = [
        line for line in texts[SAYS].splitlines() if re.search(r": (?:error|warning) FC", line)
    ]
    assert len(heads) == (2 if name in ("members as task ids", "shots with names as keys") else 1)
    assert all(re.match(r"\S+\.yaml:\d+:\d+: error ", line) for line in heads)


def test_there_are_enough() -> None:
    assert len(CASES) >= 60

"""Seeded mistakes: files in, diagnostics out, as pairs in the .txt files beside this one.

A case is `### name`, then `@ file NAME` with the file's text for each file, then `@ says` with what
`check` prints, `@ says of rows` with what `check --data --all` prints, or `@ says without data`.
Under `@ says` the data files that a dataset file names are there, and empty. Run with MISTAKES=write to write what is printed now, and read the difference by eye.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokenizers

from flancompile import check
from flancompile.lint.task import Reading
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
HERE = Path(__file__).parent
CASE = re.compile(r"^### (.+)$", re.MULTILINE)
PART = re.compile(r"^@ (.+)$", re.MULTILINE)


def cases() -> Iterator[tuple[Path, str, dict[str, str]]]:
    for path in sorted(HERE.glob("*.txt")):
        _, *pieces = CASE.split(path.read_text())
        for name, body in zip(pieces[::2], pieces[1::2], strict=True):
            _, *parts = PART.split(body)
            texts = {k: v.removeprefix("\n") for k, v in zip(parts[::2], parts[1::2], strict=True)}
            yield path, name, texts


CASES = list(cases())


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


@pytest.mark.parametrize(
    ("path", "name", "texts"), CASES, ids=[f"{p.stem}: {n}" for p, n, _ in CASES]
)
def test_a_mistake_is_told_at_its_place(
    path: Path, name: str, texts: dict[str, str], tmp_path: Path
) -> None:
    found = said(texts, tmp_path)
    kind = next(k for k in (SAYS, OF_ROWS, WITHOUT) if k in texts)
    if os.environ.get("MISTAKES") == "write":
        whole = path.read_text()
        start = whole.index(f"### {name}\n")
        mark = f"@ {kind}\n"
        at = whole.index(mark, start) + len(mark)
        end = whole.find("\n### ", at)
        end = len(whole) if end < 0 else end
        path.write_text(whole[:at] + found + whole[end:])
        return
    assert found.strip() == texts[kind].strip()


@pytest.mark.parametrize(("name", "texts"), [(n, t) for p, n, t in CASES if p.stem == "newcomers"])
def test_a_newcomers_mistake_is_one_error_with_its_place(name: str, texts: dict[str, str]) -> None:
    """No cascade: as many errors as mistakes, on lines of their own; each with its place."""
    heads = [
        line for line in texts[SAYS].splitlines() if re.search(r": (?:error|warning) FC", line)
    ]
    assert len(heads) == (2 if name in ("members as task ids", "shots with names as keys") else 1)
    assert all(re.match(r"\S+\.yaml:\d+:\d+: error ", line) for line in heads)


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
    assert len({(p, n) for p, n, _ in CASES}) == len(CASES)

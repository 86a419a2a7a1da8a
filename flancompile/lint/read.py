"""Lints of reading: the commonest drop reason, header mistakes, characters a tokenizer loses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from flancompile.drop_reasons import Dropped
from flancompile.sources.files import format_of, read_rows
from flancompile.sources.place import Resolved
from flancompile.sources.rows import BadRow
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["commonest", "empty_files", "header_hint", "lost_characters"]

_LONG_NAME = 60
_NAMES = 4  # of columns in a hint


def commonest(reasons: Sequence[str]) -> str:
    """The first of the most frequent reasons; reasons of one general text are counted together."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(Dropped.of(reason).general, []).append(reason)
    return max(kinds.values(), key=len)[0]


def empty_files(place: Resolved) -> list[str]:
    """Names of a place's empty files."""
    return [Path(f).name for f in place.all_files() if Path(f).stat().st_size == 0]


def header_hint(place: Resolved) -> str | None:
    """Advice where the names of a CSV or TSV file's columns look like the values of a row."""
    if not place.files or not place.read.header or place.read.columns:
        return None
    path = Path(place.files[0])
    if format_of(path, place.format) not in ("csv", "tsv"):
        return None
    row = next(read_rows(path, format_of(path, place.format), place.read), None)
    if row is None or isinstance(row, BadRow) or not looks_like_values(row):
        return None
    listed = ", ".join(repr(n if len(n) < 30 else f"{n[:27]}...") for n in list(row)[:_NAMES])
    return (
        f"the first line is read as column names: {listed}; if it is a row, set "
        "`read: {header: false, columns: [...]}`"
    )


def looks_like_values(names: Iterable[str]) -> bool:
    """Whether a column name looks like a value: a number (other than 0, 1, 2, …) or a sentence."""
    names = list(names)
    counted = names[:1] in (["0"], ["1"]) and all(n.isdigit() for n in names)
    return not counted and any(
        re.fullmatch(r"[-+]?\d+(\.\d+)?", n) or len(n) > _LONG_NAME or n.endswith((".", "?", "!"))
        for n in names
    )


def lost_characters(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """Characters that encoding and decoding lose, each counted once."""
    every = sorted(set("".join(texts)))
    probes = [f"a{char}a" for char in every]
    exact = tokenizer.exact(probes, tokenizer.encode(probes))
    return Counter(
        char for char, is_exact in zip(every, exact.tolist(), strict=True) if not is_exact
    )

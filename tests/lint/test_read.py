"""Advice on rows that cannot be read, and characters that a tokenizer loses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import Format, ReadOptions
from flancompile.lint.read import (
    commonest,
    empty_files,
    header_hint,
    looks_like_values,
    lost_characters,
)
from flancompile.sources.place import Resolved
from flancompile.tokenizer.load import from_bytes


@pytest.mark.parametrize(
    ("reasons", "found"),
    [
        (["no 'a'"], "no 'a'"),
        (["no 'a'", "no item 3", "no item 4"], "no item 3"),
        (["no 'a'", "no item 3"], "no 'a'"),
        (["x", "y", "y"], "y"),
    ],
)
def test_reasons_of_one_kind_are_counted_together(reasons: list[str], found: str) -> None:
    assert commonest(reasons) == found


def place(*files: Path, format_: Format | None = None, **read: Any) -> Resolved:
    names = tuple(map(str, files))
    options = ReadOptions(**read)
    return Resolved("train", None, None, None, names, format_, options, (), {}, (), {}, None)


@pytest.mark.parametrize(
    ("name", "text", "read", "hinted"),
    [
        ("d.csv", "What is it?,3\nWho?,4\n", {}, True),
        ("d.tsv", "12.5\tyes\n1\tno\n", {}, True),
        ("d.csv", "text,label\na,1\n", {}, False),
        ("d.csv", "0,1,2\na,b,c\n", {}, False),
        ("d.csv", "1,2\na,b\n", {}, False),
        ("d.csv", "1,7,x\na,b,c\n", {}, True),
        ("d.csv", "a,1\nb,2\n", {"header": False, "columns": ("t", "n")}, False),
        ("d.csv", "12.5,x\n", {}, False),
        ("d.csv", "", {}, False),
        ("d.jsonl", '{"12.5": 1}\n', {}, False),
    ],
)  # fmt: skip
def test_a_first_line_that_reads_like_a_row(
    tmp_path: Path, name: str, text: str, read: dict[str, Any], hinted: bool
) -> None:
    path = tmp_path / name
    path.write_text(text)
    hint = header_hint(place(path, **read))
    assert (hint is not None) is hinted
    if hint is not None:
        assert (
            "header: false" in hint
            and repr(text.split("\n")[0].replace("\t", ",").split(",")[0]) in hint
        )


def test_a_place_without_files_has_no_header(tmp_path: Path) -> None:
    assert header_hint(place()) is None
    path = tmp_path / "d.data"
    path.write_text("12.5,x\n1,2\n")
    assert header_hint(place(path, format_="csv")) is not None


@pytest.mark.parametrize(
    ("names", "found"),
    [(["label", "text"], False), (["It rains.", "x"], True), (["-3", "x"], True), (["x", "y" * 61], True),
     (["2019_total"], False), ([], False), (["0", "1", "2"], False), (["1", "3.5"], True)],
)  # fmt: skip
def test_names_that_look_like_values(names: list[str], found: bool) -> None:
    assert looks_like_values(iter(names)) is found


def test_empty_files_are_named_joined_ones_too(tmp_path: Path) -> None:
    for name, text in (("a.csv", ""), ("b.csv", "x"), ("c.csv", "")):
        (tmp_path / name).write_text(text)
    one = place(*(tmp_path / f"{n}.csv" for n in "abc"))
    assert empty_files(one) == ["a.csv", "c.csv"]
    assert empty_files(replace(one, files=(str(tmp_path / "b.csv"),))) == []


KNOWN = "abcdefgh "


def of_characters() -> bytes:
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({c: i for i, c in enumerate(["?", *KNOWN])}, "?")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    made.decoder = tokenizers.decoders.Fuse()
    return made.to_str().encode()


TOKENIZER = from_bytes("hf", of_characters(), "characters")


@settings(max_examples=20)
@given(st.lists(st.text(KNOWN + "ABzé\U0001f600", max_size=6), max_size=3))
def test_lost_characters_are_those_that_the_vocabulary_lacks(texts: list[str]) -> None:
    wanted = set("".join(texts)) - set(KNOWN)
    assert lost_characters(TOKENIZER, texts) == dict.fromkeys(wanted, 1)

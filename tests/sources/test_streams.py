"""Streams: compression, encodings, byte order marks and damage."""

import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import FlancompileError
from flancompile.sources.streams import (
    bare_name,
    is_decoded,
    numbered_lines,
    open_bytes,
    open_text,
)

TEXT = "one\r\nzwei ü\n\n\u2028four\x85\n"
LINES = [(1, "one"), (2, "zwei ü"), (3, ""), (4, "\u2028four\x85")]


def packed(path: Path, data: bytes) -> Path:
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":  # two frames, as tools that append write them
        half = len(data) // 2
        data = b"".join(map(zstandard.ZstdCompressor().compress, (data[:half], data[half:])))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_lines_of_any_encoding_and_compression(tmp_path: Path, name: str, encoding: str) -> None:
    path = packed(tmp_path / name, TEXT.encode(encoding))
    assert list(numbered_lines(path, ReadOptions(encoding=encoding))) == LINES
    assert list(numbered_lines(path, ReadOptions(encoding=encoding, skip=2))) == LINES[2:]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_byte_order_mark_is_removed_once(tmp_path: Path, encoding: str) -> None:
    path = packed(tmp_path / "a", f"\ufeff{TEXT}\ufeff".encode(encoding))
    for read in (lambda f: f.read(), lambda f: "".join(f), lambda f: f.readline() + f.read()):
        with open_text(path, encoding, "strict", "") as text:
            assert read(text) == TEXT + "\ufeff"


@hypothesis_settings(deadline=None)
@given(st.one_of(st.binary(max_size=40), st.binary(max_size=3).map(lambda b: b"\xef\xbb\xbf" + b)))
@example(b"\xef")
@example(b"\xef\xbb")
@example(b"\xef\xbb\xbf")
def test_undecoded_bytes_are_detected(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("streams") / "a"
    path.write_bytes(data)
    try:
        data.decode("utf-8-sig")
        valid = True
    except UnicodeDecodeError:
        valid = False
    with open_text(path, "utf-8", "strict", "") as text:
        assert is_decoded(text.read()) == valid
    with open_text(path, "utf-8", "replace", "") as text:
        assert text.read() == data.decode("utf-8-sig", "replace")


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_a_truncated_file_is_damaged(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, TEXT.encode() * 100)
    with open_bytes(path) as stream:
        assert stream.read() == TEXT.encode() * 100
    path.write_bytes(path.read_bytes()[:-5])
    damaged = pytest.raises(FlancompileError, match="damaged or incomplete")
    with damaged as caught, open_bytes(path) as stream:
        stream.read()
    assert caught.value.code == "FC304"


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a", b"x")
    refused = pytest.raises(FlancompileError, match="no encoding 'utf-9'")
    with refused, open_text(path, "utf-9", "strict", ""):
        pass


def test_bare_names() -> None:
    names = ["b/a.jsonl.zst", "a.json", "a.b.csv.gz", "a"]
    assert [bare_name(Path(n)) for n in names] == ["a", "a", "a.b", "a"]

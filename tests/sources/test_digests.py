"""File digests: those of the bytes, hashed again only when the file has changed."""

import json
from pathlib import Path

import blake3
import pytest

from flancompile.sources.digests import DIGESTS, file_digest


@pytest.mark.parametrize("data", [b"x", b"rows\n" * 50_000])
def test_the_digest_is_that_of_the_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    cache = tmp_path / "cache"
    expected = blake3.blake3(data).hexdigest()
    assert file_digest(tmp_path / "a", cache) == expected == file_digest(tmp_path / "a", cache)
    (tmp_path / "a").write_bytes(data + b"!")
    assert file_digest(tmp_path / "a", cache) == blake3.blake3(data + b"!").hexdigest()


def test_an_unchanged_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"rows")
    found = file_digest(tmp_path / "a", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("flancompile.sources.digests.blake3.blake3", None)
        assert file_digest(tmp_path / "a", tmp_path) == found
    (memo,) = (tmp_path / DIGESTS).iterdir()
    for damage in ("", "[]", json.dumps({"stamp": []})):
        memo.write_text(damage)
        assert file_digest(tmp_path / "a", tmp_path) == found

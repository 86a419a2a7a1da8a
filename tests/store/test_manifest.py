"""The manifest: canonical text, sealed entries, digests of files and of the whole build."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blake3
import pytest

from flancompile.store.build import Build
from flancompile.store.manifest import FileEntry, Manifest, canonical, file_entry, root_digest_of


def test_the_manifest_is_canonical(build: Build) -> None:
    text = (build.path / "manifest.json").read_text()
    value: Any = json.loads(text)
    assert text == json.dumps(value, sort_keys=True, indent=2) + "\n"


def test_a_written_manifest_reads_back_with_its_seal(
    planned: Callable[..., Any], tmp_path: Path
) -> None:
    sealed = planned(5).manifest().sealed()
    sealed.write(tmp_path / "manifest.json")
    again = Manifest.model_validate(json.loads((tmp_path / "manifest.json").read_text()))
    assert again == sealed == again.sealed()
    assert again.model_copy(update={"pad_id": 7}).sealed().manifest_digest != sealed.manifest_digest


@pytest.mark.parametrize("data", [b"", b"tokens" * 1000])
def test_the_entry_of_a_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "packs").mkdir()
    path = tmp_path / "packs" / "0.arrow"
    path.write_bytes(data)
    digest = blake3.blake3(data).hexdigest()
    expected = FileEntry(path="packs/0.arrow", rows=3, bytes=len(data), blake3=digest)
    assert file_entry(tmp_path, path, 3) == expected


def test_the_root_digest_depends_on_all_that_fixes_the_tokens() -> None:
    files = [FileEntry(path=f"{n}", rows=n, bytes=n, blake3=f"{n}") for n in range(3)]
    digests = {
        root_digest_of("decoder", {"tokens": 8}, files[:2], files[2:]),
        root_digest_of("encoder_decoder", {"tokens": 8}, files[:2], files[2:]),
        root_digest_of("decoder", {"tokens": 9}, files[:2], files[2:]),
        root_digest_of("decoder", {"tokens": 8}, files[1::-1], files[2:]),
        root_digest_of("decoder", {"tokens": 8}, files[:2], []),
        root_digest_of(
            "decoder", {"tokens": 8}, files[:2], [files[2].model_copy(update={"blake3": "x"})]
        ),
    }
    assert len(digests) == 6
    grown = [f.model_copy(update={"bytes": 99}) for f in files]  # sizes follow from the digests
    assert root_digest_of("decoder", {"tokens": 8}, grown[:2], grown[2:]) in digests


def test_canonical_json_has_one_text() -> None:
    assert canonical({"b": 1, "a": [1, "ü"]}) == canonical({"a": [1, "ü"], "b": 1})
    assert canonical({"b": 1, "a": "ü"}) == '{"a":"\\u00fc","b":1}'

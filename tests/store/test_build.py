"""Compiled builds: examples and packs agree, damage is found, other folders are refused."""

import json
from pathlib import Path

import pytest

from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.manifest import Manifest
from flancompile.store.verify import verify


def test_a_sound_build_has_no_problems(build: Build) -> None:
    assert verify(build) == []


def copy(build: Build, folder: Path) -> Build:
    import shutil

    shutil.copytree(build.path, folder / "copy")
    return Build.open(folder / "copy")


def test_one_byte_anywhere_is_found(build: Build, tmp_path: Path) -> None:
    broken = copy(build, tmp_path)
    for entry in broken.manifest.files():
        path = broken.path / entry.path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert entry.path in [p.file for p in verify(Build.open(broken.path))]
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert verify(Build.open(broken.path)) == []


def test_a_wrong_count_is_found(build: Build, tmp_path: Path) -> None:
    broken = copy(build, tmp_path)
    path = broken.path / "manifest.json"
    about = json.loads(path.read_text())
    about["counts"]["tokens"] += 1
    path.write_text(json.dumps(about))
    (problem,) = verify(Build.open(broken.path))
    assert "an entry was changed" in problem.message
    Manifest.model_validate(about).sealed().write(path)
    messages = [p.message for p in verify(Build.open(broken.path))]
    assert len(messages) == 2  # against the packs, and against the tasks
    assert all(" tokens, " in message for message in messages)


def test_other_folders_are_refused_with_a_hint(build: Build, tmp_path: Path) -> None:
    broken = copy(build, tmp_path)
    with pytest.raises(FlancompileError, match="did you mean 'copy'"):
        Build.open(tmp_path / "cpoy")
    (broken.path / broken.manifest.shards[0].path).unlink()
    with pytest.raises(FlancompileError, match="has lost packs/00000"):
        Build.open(broken.path)
    path = broken.path / "manifest.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "format_version": 99}))
    with pytest.raises(FlancompileError, match="upgrade flancompile"):
        Build.open(broken.path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(FlancompileError, match="is damaged"):
        Build.open(broken.path)


def test_examples_and_packs_agree(build: Build) -> None:
    seen = []
    for pack in range(len(build.packs)):
        for segment, example_id in enumerate(build.packs[pack].examples.tolist()):
            about = build.example(example_id)
            assert (about["pack"], about["segment"]) == (pack, segment)
            found, tokens = build.example_ids(pack, segment)
            assert found == example_id
            last = list(tokens.values())[-1]
            assert last[-1] == build.manifest.tokenizer.eos_id
            seen.append(example_id)
    assert sorted(seen) == list(range(build.manifest.counts["examples"]))
    for bad in (-1, len(seen)):
        with pytest.raises(FlancompileError):
            build.example(bad)
    with pytest.raises(FlancompileError, match="no segment"):
        build.example_ids(0, 99)
    with pytest.raises(FlancompileError, match="no pack"):
        build.example_ids(len(build.packs), 0)


def test_polars_reads_the_files(build: Build) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.scan_ipc(build.path / "examples" / "00000.arrow").select("task").collect()
    assert len(frame) == build.manifest.counts["examples"]


def test_the_report_shows_the_samples(build: Build) -> None:
    text = (build.path / "report.html").read_text()
    assert build.manifest.root_digest in text
    assert "toy/qa" in text
    assert '<span class="loss">' in text
    assert "http" not in text.replace("http-equiv", "")

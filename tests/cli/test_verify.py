"""`verify`: sound and damaged builds."""

import shutil
from pathlib import Path

import pytest
from commands import call, call_json

from flancompile.errors import FlancompileError
from flancompile.store.build import Build


def test_verify_fails_on_a_broken_build(home: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(home / "build", tmp_path / "b")
    path = next((tmp_path / "b" / "packs").iterdir())
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    assert "packs/00000" in call("verify", "b", cwd=tmp_path, ok=1)


@pytest.mark.parametrize("name", ["ledger.parquet", "examples", "packs", "eval"])
def test_damaged_files_of_a_build_are_named(home: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(home / "build", tmp_path / "b")
    (path,) = [
        p for p in (tmp_path / "b").rglob("*") if p.is_file() and name in (p.name, p.parent.name)
    ]
    path.write_bytes(path.read_bytes()[:-20])
    commands: dict[str, list[tuple[str, ...]]] = {
        "ledger.parquet": [("inspect", "b")],
        "examples": [
            ("inspect", "b", "--pack", "0"),
            ("explain", "b", "--pack", "0"),
            ("export", "b", "--to", "jsonl", "--out", "x"),
        ],
        "packs": [("export", "b", "--to", to, "--out", "x") for to in ("parquet", "hf-disk")],
        "eval": [],
    }
    for words in commands[name]:
        said = call(*words, cwd=tmp_path, ok=2)
        assert "FC506" in said and path.name in said and "Traceback" not in said
    assert path.name in call("verify", "b", cwd=tmp_path, ok=1)
    if name == "eval":
        with pytest.raises(FlancompileError, match=r"FC506.*damaged"):
            Build.open(tmp_path / "b").evaluation("toy/qa")


def test_a_sound_build(home: Path) -> None:
    root = Build.open(home / "build").manifest.root_digest
    assert call("verify", "build", cwd=home) == f"sound: {root}\n"
    assert call_json("verify", "build", cwd=home) == {"root_digest": root, "problems": []}
    assert "is not a build" in call("verify", "nothing", cwd=home, ok=2)

"""`cache`: size, folder and removal of what was not used."""

from pathlib import Path

from commands import call, call_json


def test_cache(home: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "c")
    call("compile", "r", "--out", str(tmp_path / "b"), "--cache", folder, cwd=home)
    assert call_json("cache", "--cache", folder, cwd=home)["entries"] >= 3
    swept = call_json("cache", "gc", "--limit", "0", "--cache", folder, cwd=home)
    assert swept["removed"] == swept["entries"]
    call("compile", "r", "--out", str(tmp_path / "b"), "--cache", folder, cwd=home)
    assert "is not a size" in call("cache", "gc", "--limit", "much", cwd=home, ok=2)


def test_the_folder_and_the_actions(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    assert call("cache", "path", "--cache", str(folder), cwd=tmp_path) == f"{folder}\n"
    about = call_json("cache", "--cache", str(folder), "--limit", "2KiB", cwd=tmp_path)
    assert about == {"path": str(folder), "limit_bytes": 2048, "entries": 0, "bytes": 0}
    assert "0 entries, 0 B of 2.0 KiB" in call(
        "cache", "--limit", "2KiB", "--cache", str(folder), cwd=tmp_path
    )
    told = call("cache", "inf", cwd=tmp_path, ok=2)
    assert "FC416" in told and "did you mean 'info'" in told

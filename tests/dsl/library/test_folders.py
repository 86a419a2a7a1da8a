"""Library folders, and those that would be ignored."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flancompile.dsl.library.folders import holds_library, unseen
from flancompile.dsl.library.library import KINDS


def test_a_folder_without_a_library_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "lib" / "datasets" / "more").mkdir(parents=True)
    assert unseen(tmp_path / "lib") == []
    for folder, advice in (
        (tmp_path / "lib" / "datasets", f"contains it: '{tmp_path / 'lib'}'"),
        (tmp_path / "lib" / "datasets" / "more", f"contains it: '{tmp_path / 'lib'}'"),
        (tmp_path, "it contains the libraries lib"),
    ):
        (found,) = unseen(folder)
        assert found.code == "FC107" and advice in str(found.hint)
    (tmp_path / "lib" / "recipe").mkdir()
    assert unseen(tmp_path / "lib") == []  # as it holds no YAML
    (tmp_path / "lib" / "recipe" / "r.yaml").touch()
    assert [d.hint for d in unseen(tmp_path / "lib")] == ["did you mean 'recipes'?"]


def test_runs_and_builds_make_no_library(tmp_path: Path) -> None:
    for folder in ("runs/x", "build/packs", "datasets", "recipes/old"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "runs" / "x" / "run.yaml").write_text("run: x")
    (tmp_path / "datasets" / "rows.jsonl").write_text("{}")
    assert not holds_library(tmp_path)
    (tmp_path / "recipes" / "old" / "r.yaml").write_text("recipe: r")
    assert holds_library(tmp_path)


@pytest.mark.parametrize("kind", [*KINDS, "runs"])
@pytest.mark.parametrize("edit", [lambda n: n[:-1], lambda n: n + "_", lambda n: n.capitalize()])
def test_a_misspelt_folder_with_files_is_named(
    tmp_path: Path, kind: str, edit: Callable[[str], str]
) -> None:
    (tmp_path / "datasets").mkdir()
    folder = tmp_path / edit(kind)
    folder.mkdir()
    (folder / "rows.csv").touch()
    assert unseen(tmp_path) == []
    (folder / "a.yml").touch()
    (found,) = unseen(tmp_path)
    assert (found.code, found.hint) == ("FC107", f"did you mean {kind!r}?")
    assert repr(str(folder)) in found.message


@pytest.mark.parametrize("make", [None, Path.touch])
def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, make: Callable[[Path], None] | None
) -> None:
    path = tmp_path / "lib"
    if make is not None:
        make(path)
    (found,) = unseen(path)
    assert (found.code, found.severity) == ("FC107", "error")
    assert "cannot be read" in found.message
    assert not holds_library(path)


def test_a_folder_of_another_purpose_is_ignored(tmp_path: Path) -> None:
    for name in ("recipes", "notes", "docs"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes" / "a.yaml").touch()
    assert unseen(tmp_path) == []
    assert not holds_library(tmp_path)

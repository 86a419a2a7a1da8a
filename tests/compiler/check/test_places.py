"""Splits and files that dataset files name, against what reading them finds."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile.compiler.check.places import check_places, named_splits
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.source import Source
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.sources.place import resolve_place

ROW = '{"question": "?", "answer": "1"}\n'


def found(root: Path, about: dict[str, Any], **files: str) -> list[Diagnostic]:
    """The diagnostics of one dataset file. files: texts by their name without `.jsonl`."""
    made = Library(root)
    made.write("datasets/toy.yaml", about)
    for name, text in files.items():
        made.write(f"datasets/{name}.jsonl", text)
    library, errors = load_library([root])
    assert errors == []
    return list(check_places(library))


def toy(source: dict[str, Any], **task: Any) -> dict[str, Any]:
    about = dataset_of("toy")
    about["tasks"]["qa"] |= task
    return {**about, "source": source}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ({"files": "a.jsonl"}, None),
        ({"files": {"train": "a.jsonl", "dev": ["b.jsonl"]}}, ["train", "dev"]),
        ({"hub": "a/b"}, None),
        ({"hub": "a/b", "splits": {"train": "train[:90%]"}}, ["train"]),
    ],
)
def test_the_splits_that_a_place_names(source: dict[str, Any], wanted: list[str] | None) -> None:
    assert named_splits(Source.model_validate(source)) == wanted


SPLITS = st.sampled_from(["train", "validation", "test", "dev", "trian", "other"])


@settings(max_examples=25)
@given(st.sets(SPLITS, max_size=3), SPLITS)
def test_a_split_is_an_error_if_reading_finds_none(
    tmp_path_factory: pytest.TempPathFactory, named: set[str], asked: str
) -> None:
    """For local files the check and the read pass agree, wherever the split is asked for."""
    root = tmp_path_factory.mktemp("places")
    source = {"files": dict.fromkeys(sorted(named), "a.jsonl") or "a.jsonl"}
    about = toy(source, eval={"metric": "exact_match", "split": asked})
    diagnostics = found(root, about, a=ROW)
    try:
        resolve_place(Source.model_validate(source), None, asked, root / "datasets", None)
        is_read = True
    except FlancompileError as error:
        assert error.code == "FC301"
        is_read = False
    assert is_read or named  # one file is every split
    assert [d.code for d in diagnostics] == ([] if is_read else ["FC301"])


@pytest.mark.parametrize(
    ("split", "hint"),
    [
        ("train", None),
        ("test", None),  # a usual name: the repository may have it
        ("another", None),
        ("trian", "did you mean 'train'?"),
    ],
)
def test_a_split_of_a_hub_is_an_error_if_it_seems_misspelt(
    tmp_path: Path, split: str, hint: str | None
) -> None:
    about = toy(
        {"hub": "a/b", "splits": {"train": "train"}}, exemplars={"from": "split", "split": split}
    )
    assert [d.hint for d in found(tmp_path, about)] == ([hint] if hint else [])


def test_a_split_that_any_place_has_is_there(tmp_path: Path) -> None:
    places = {"far": {"files": {"train": "a.jsonl", "gold": "b.jsonl"}}}
    source = {"files": {"train": "a.jsonl"}, "places": places}
    for split, count in (("gold", 0), ("silver", 1)):
        about = toy(source, eval={"metric": "exact_match", "split": split})
        diagnostics = found(tmp_path / split, about)  # with several places no file is sought
        assert len(diagnostics) == count
        assert all(d.hint == "splits here: gold, train" for d in diagnostics)


def test_an_overlay_that_gives_the_files_is_the_place_of_the_data(tmp_path: Path) -> None:
    about = toy({"files": {"train": "gone.jsonl"}})
    assert [d.code for d in found(tmp_path / "a", about)] == ["FC319"]
    sources = {"toy": {"files": {"train": "/far/rows.jsonl"}}}
    Library(tmp_path / "b").write("overlays/lab.yaml", {"overlay": "lab", "sources": sources})
    assert found(tmp_path / "b", about) == []


def test_a_missing_file_is_reported_once_at_its_split(tmp_path: Path) -> None:
    source = {"files": {"train": "{{ part }}.jsonl", "test": "tset.jsonl"}}
    about = {**toy(source), "for_each": {"part": ["x", "far/y", "far/z"]}}
    first, second = sorted(found(tmp_path, about, x=ROW, test=ROW), key=lambda d: d.code)[::-1]
    assert (first.code, first.severity, second.code, second.severity) == (
        "FC319",
        "warning",
        "FC301",
        "error",
    )
    assert "'far/y.jsonl'" in first.message
    assert second.hint == "did you mean 'test.jsonl'?"
    lines = (tmp_path / "datasets/toy.yaml").read_text().splitlines()
    assert first.span is not None and second.span is not None
    assert "train:" in lines[first.span.line - 1] and "test:" in lines[second.span.line - 1]


def test_files_of_joins_are_sought_too(tmp_path: Path) -> None:
    joins = [{"files": {"train": "a.jsonl"}}, {"files": {"train": "gone/b.jsonl"}}]
    about = toy({"files": {"train": "a.jsonl"}, "join": joins})
    (diagnostic,) = found(tmp_path, about, a=ROW)
    assert diagnostic.code == "FC319" and "b.jsonl" in diagnostic.message


def test_a_missing_file_of_exemplars_is_an_error(tmp_path: Path) -> None:
    about = toy({"files": "a.jsonl"}, exemplars={"from": "file", "file": "shot.jsonl"})
    (diagnostic,) = found(tmp_path, about, a=ROW, shots=ROW)
    assert (diagnostic.code, diagnostic.hint) == ("FC301", "did you mean 'shots.jsonl'?")


def test_two_files_with_one_task_id(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.write("datasets/a.jsonl", ROW)
    for name, more in (("one", {"for_each": {"part": ["x"]}}), ("two", {"id": "one.x"})):
        made.write(f"datasets/{name}.yaml", {**toy({"files": "a.jsonl"}), **more})
    library, errors = load_library([tmp_path])
    assert errors == []
    (diagnostic,) = check_places(library)
    assert diagnostic.code == "FC109" and "'one.x/qa' is also a task of" in diagnostic.message

"""The check of whole libraries: all files at once, in order, without what follows from other errors."""

from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

from flancompile.compiler.check.libraries import check_libraries
from flancompile.errors import FlancompileError

TEXTS = [{"name": "plain", "input": "{{ question }}", "target": "{{ answer }}"}]


def dataset(name: str, **task: Any) -> dict[str, Any]:
    about = dataset_of(name)
    about["tasks"]["qa"] = {
        "cluster": "sums",
        "signature": "question -> answer",
        "templates": TEXTS,
        **task,
    }
    return {**about, "source": {"files": {"train": f"{name}.jsonl"}}}


def library(root: Path, **files: dict[str, Any] | str) -> Library:
    """Datasets by name, with an empty file for the rows of each."""
    made = Library(root)
    for name, about in files.items():
        made.write(f"datasets/{name}.yaml", about)
        made.write(f"datasets/{name}.jsonl", "")
    return made


def shown(*paths: Path, **more: Any) -> list[tuple[str, int, str]]:
    found = check_libraries(list(paths), **more)
    return [
        (Path(d.span.path).name if d.span else "", d.span.line if d.span else 0, d.code)
        for d in found
    ]


def test_a_library_without_mistakes(tmp_path: Path) -> None:
    made = library(tmp_path, a=dataset("a"), b=dataset("b"))
    made.mixture()
    made.recipe()
    assert shown(tmp_path) == []


def test_diagnostics_are_in_the_order_of_files_and_lines_and_each_once(tmp_path: Path) -> None:
    wrong = [{"name": "plain", "input": "{{ question }} {{ q }}", "target": "{{ answer }}{{ a }}"}]
    made = library(tmp_path, b=dataset("b", templates=wrong), a=dataset("a", templates=wrong))
    made.mixture({"select": "cluster:smus"})
    made.recipe(mixture="n")
    found = shown(tmp_path, tmp_path)  # a folder that is given twice
    assert found == sorted(found, key=lambda d: d[:2]) and len(set(found)) == len(found)
    assert [(name, code) for name, _, code in found] == [
        ("a.yaml", "FC202"), ("a.yaml", "FC202"), ("b.yaml", "FC202"), ("b.yaml", "FC202"),
        ("m.yaml", "FC406"), ("r.yaml", "FC402"),
    ]  # fmt: skip


def test_paths_that_are_not_there_and_folders_without_a_library(tmp_path: Path) -> None:
    with pytest.raises(FlancompileError) as caught:
        check_libraries([tmp_path / "gone"])
    assert caught.value.code == "FC107"
    (tmp_path / "empty").mkdir()
    assert len(check_libraries([tmp_path / "empty"])) == 1


def test_a_loose_file_is_checked_with_the_library_beside_it(tmp_path: Path) -> None:
    made = library(tmp_path / "lib", a=dataset("a"))
    made.mixture()
    recipe = {"recipe": "r", "mixture": "m", "size": {"examples": 1}, "tokenizer": {"bytes": True},
              "layout": "decoder", "lengths": {"pack": 64}}  # fmt: skip
    loose = Library(tmp_path / "other").write("r.yaml", {**recipe, "seeds": 1})
    assert shown(tmp_path / "lib", loose) == [("r.yaml", 10, "FC105")]


BAD = "source: {files: {train: bad.jsonl}\n"  # a bracket is missing


@pytest.mark.parametrize(
    ("select", "reported"),
    [
        ("bad/qa", False),  # a task of the file that has an error itself
        ("cluster:tests", False),  # a name that is in the text of that file
        ("cluster:smus", True),
        ("other/qa", True),
    ],
)
def test_a_name_that_may_be_in_a_file_with_an_error_is_not_missing_yet(
    tmp_path: Path, select: str, reported: bool
) -> None:
    made = library(tmp_path, a=dataset("a"), bad=f"{BAD}# cluster: tests\n")
    made.mixture({"select": select})
    made.recipe()
    found = shown(tmp_path)
    assert ("bad.yaml" in {name for name, _, _ in found}) and (
        "FC406" in {c for *_, c in found}
    ) == reported


def test_shares_are_not_judged_while_a_file_has_an_error(tmp_path: Path) -> None:
    held = {"hold_out": {"select": "a/qa"}}
    for name, files, codes in (
        ("whole", {}, {"FC407"}), ("faulty", {"bad": BAD}, set()),
    ):  # fmt: skip
        made = library(tmp_path / name, a=dataset("a"), **files)
        made.mixture({"select": "a/qa"}, **held)
        assert {c for file, _, c in shown(tmp_path / name) if file == "m.yaml"} == codes


def test_a_mixture_that_no_recipe_uses_is_resolved_too(tmp_path: Path) -> None:
    made = library(tmp_path, a=dataset("a"))
    made.mixture()
    made.write("mixtures/idle.yaml", {"mixture": "idle", "members": [{"select": "gone/qa"}]})
    made.recipe()
    assert shown(tmp_path) == [("idle.yaml", 3, "FC406")]


def test_files_of_for_each_may_be_elsewhere(tmp_path: Path) -> None:
    about = {**dataset("a"), "for_each": {"part": {"files": "parts/*.jsonl"}}}
    about["source"] = {"files": {"train": "{{ part.path }}"}}
    made = library(tmp_path, a=about)
    made.mixture({"select": "a.one/qa"})
    assert [c for file, _, c in shown(tmp_path) if file == "m.yaml"] == []
    made.write("datasets/parts/two.jsonl", "")
    assert [c for file, _, c in shown(tmp_path) if file == "m.yaml"] == ["FC406"]


def test_a_warning_that_the_file_allows_is_marked(tmp_path: Path) -> None:
    about = {**dataset("a"), "allow": {"FC319": "the data is private"}}
    about["source"] = {"files": {"train": "far/rows.jsonl"}}
    library(tmp_path, a=about)
    (diagnostic,) = check_libraries([tmp_path])
    assert (diagnostic.code, diagnostic.allowed) == ("FC319", "the data is private")

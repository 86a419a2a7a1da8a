"""The read pass: each split once, by any executor; missing splits as the recipe has it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from toys import Library, change, dataset_of

from flancompile.compiler.cache import Cache
from flancompile.compiler.read import missing_for, read_all, split_spec, splits_of
from flancompile.compiler.request import CompileRequest, request_of
from flancompile.errors import FlancompileError

ROWS = 5


def request(root: Path, exemplars: dict[str, Any] | None = None, **recipe: Any) -> CompileRequest:
    """A library of two datasets: `toy` with two tasks, and `absent` without its file."""
    made = Library(root / "lib")
    made.dataset("toy", rows=ROWS)
    about = dataset_of("toy")
    about["source"]["files"] |= {"dev": "toy.jsonl"}
    about["tasks"]["again"] = {**about["tasks"]["qa"]}
    if exemplars:
        about["tasks"]["again"]["exemplars"] = exemplars
    made.write("datasets/toy.yaml", about)
    made.write("datasets/absent.yaml", dataset_of("absent"))
    made.mixture()
    made.recipe(**recipe)
    return request_of("r", library=(made.root,), cache=Cache(root / "cache"))


def read(made: CompileRequest, wanted: list[tuple[str, str]], workers: int = 0) -> Any:
    splits = [(made.tasks[id_], split) for id_, split in wanted]
    if not workers:
        return read_all(made, splits, None)
    with ThreadPoolExecutor(workers) as pool:
        return read_all(made, splits, pool)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_split_is_read_once_for_all_its_tasks(tmp_path: Path, workers: int) -> None:
    told: list[Any] = []
    made = request(tmp_path)
    made.progress = lambda *at: told.append(at)
    wanted = [("toy/qa", "train"), ("toy/again", "train"), ("toy/qa", "dev"), ("toy/qa", "train")]
    reads, missing = read(made, wanted, workers)
    assert list(reads) == [("toy", "train"), ("toy", "dev")] and missing == {}
    assert {blocks.kept for blocks in reads.values()} == {ROWS}
    assert [at for at in told if at[0] == "read"] == [
        ("read", 0, None),
        ("read", 1, 2),
        ("read", 2, 2),
    ]
    assert len([*made.cache.reads.iterdir()]) >= 1


def test_workers_read_what_one_process_reads(tmp_path: Path) -> None:
    wanted = [("toy/qa", "train"), ("toy/qa", "dev")]
    found = [read(request(tmp_path / str(n)), wanted, n)[0] for n in (0, 2)]
    names = [[blocks.folder.name for blocks in reads.values()] for reads in found]
    assert names[0] == names[1]
    batches = [reads["toy", "train"].block(0) for reads in found]
    assert batches[0].equals(batches[1])


def test_no_split_is_no_read(tmp_path: Path) -> None:
    assert read(request(tmp_path), []) == ({}, {})


@pytest.mark.parametrize(("id_", "split"), [("absent/qa", "train"), ("toy/qa", "gone")])
def test_a_missing_split_is_an_error_or_left_out(tmp_path: Path, id_: str, split: str) -> None:
    wanted = [("toy/qa", "train"), (id_, split)]
    with pytest.raises(FlancompileError) as caught:
        read(request(tmp_path / "a"), wanted)
    assert caught.value.code == "FC301"
    reads, missing = read(request(tmp_path / "b", missing="leave_out"), wanted)
    assert list(reads) == [("toy", "train")]
    (reason,) = missing.values()
    assert list(missing) == [(id_.split("/")[0], split)]
    assert split in reason or "absent.jsonl" in reason


def test_rows_that_cannot_be_read_are_never_left_out(tmp_path: Path) -> None:
    made = request(tmp_path, missing="leave_out")
    (tmp_path / "lib/datasets/toy.jsonl").write_bytes(b"\x1f\x8b broken gzip")
    about = yaml.safe_load((tmp_path / "lib/datasets/toy.yaml").read_text())
    about["source"]["files"] = {"train": "toy.jsonl.gz"}
    (tmp_path / "lib/datasets/toy.jsonl").rename(tmp_path / "lib/datasets/toy.jsonl.gz")
    (tmp_path / "lib/datasets/toy.yaml").write_text(yaml.safe_dump(about))
    made = request_of("r", library=(tmp_path / "lib",), cache=made.cache)
    with pytest.raises(FlancompileError, match="damaged or incomplete"):
        read(made, [("toy/qa", "train")])


def test_a_task_needs_its_split_and_that_of_its_exemplars(tmp_path: Path) -> None:
    made = request(tmp_path, {"from": "split", "split": "dev"})
    tasks = [made.tasks[i] for i in ("toy/qa", "toy/again", "absent/qa")]
    assert [(t.id, s) for t, s in splits_of(tasks, "train")] == [
        ("toy/qa", "train"), ("toy/again", "train"), ("toy/again", "dev"), ("absent/qa", "train"),
    ]  # fmt: skip
    assert missing_for(tasks, "train", {("toy", "dev"): "no dev"}) == {"toy/again": "no dev"}
    both = {("toy", "train"): "no train", ("toy", "dev"): "no dev"}
    assert missing_for(tasks, "train", both) == {"toy/qa": "no train", "toy/again": "no train"}
    assert missing_for(tasks, "train", {}) == {}


def test_an_overlay_places_a_split_in_its_own_folder(tmp_path: Path) -> None:
    made = request(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.jsonl").write_text('{"id": 1, "question": "?", "answer": "1"}\n')
    sources = {"absent": {"files": {"train": "rows.jsonl"}}}
    overlay = {"overlay": "here", "root": "../../data", "sources": sources}
    Library(tmp_path / "lib").write("overlays/here.yaml", overlay)
    placed = request_of("r", library=(tmp_path / "lib",), overlay="here", cache=made.cache)
    spec = split_spec(placed, placed.tasks["absent/qa"], "train")
    assert [Path(f).resolve() for f in spec.place.files] == [
        (tmp_path / "data/rows.jsonl").resolve()
    ]
    assert (spec.source_id, spec.seed) == ("absent", 1)
    assert list(spec.fields) == ["question", "answer", "topic", "note"]
    with pytest.raises(FlancompileError, match="FC301"):
        split_spec(made, made.tasks["absent/qa"], "train")


def test_overlays_choose_places(library: Library, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = "".join(f'{{"n": {i}, "q": "overlay {i}?"}}\n' for i in range(50))
    (tmp_path / "data" / "rows.jsonl").write_text(rows)
    library.write("overlays/here.yaml", {
        "overlay": "here", "root": "../../data",
        "sources": {"toy": {"files": {"train": "rows.jsonl"}, "id": "n", "columns": {
            "question": "q", "answer": "n | string", "topic": "'t'", "note": "none"}}},
    })  # fmt: skip
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}])
    build = library.compile(tmp_path / "a", cache, overlay="here")
    assert build.manifest.tasks[0].rows == 50


def test_rows_of_the_hub_are_read_at_a_commit_that_the_lock_names(
    library: Library, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [
        {"id": str(i), "question": f"{i}?", "answer": str(i), "topic": "t", "note": ""}
        for i in range(20)
    ]
    loaded: list[str | None] = []

    def load(*args: Any, revision: str | None = None, **more: Any) -> Any:
        loaded.append(revision)
        return datasets.Dataset.from_list(rows)

    class Api:
        def dataset_info(self, repository: str, revision: str | None) -> Any:
            return SimpleNamespace(sha={"main": "a" * 40, "v2": "b" * 40}[revision or "main"])

    monkeypatch.setattr("flancompile.sources.hub._is_offline", lambda: False)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("datasets.load_dataset", load)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}])
    for revision, commit in ((None, "a" * 40), ("v2", "b" * 40)):
        given = {"hub": "some/one", "id": "id"} | ({"revision": revision} if revision else {})
        change(library, "datasets/toy.yaml", source=given)
        build = library.compile(tmp_path / "a", cache)
        lock = json.loads((build.path / "recipe.lock").read_text())
        about = {"repository": "some/one", "config": None, "revision": revision, "commit": commit}
        assert lock["hub"] == {"toy:train": about}
    assert loaded == ["a" * 40, "b" * 40]

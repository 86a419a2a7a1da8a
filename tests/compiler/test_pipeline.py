"""The compile as a whole: caching, counts, layouts, pools, kills, memory."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.compute as pc
import pytest
from toys import Library, dataset_of

import flancompile
from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.verify import verify


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library")
    made.dataset("toy")
    made.dataset("other", rows=150)
    made.mixture(
        {"select": "source:toy", "rate": 2},
        {"select": "source:other", "rate": 1},
        shots={0: 1, 3: 1},
    )
    made.recipe()
    yield made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def objects(build: Build) -> tuple[int, int]:
    run = json.loads((build.path / "run.json").read_text())
    return run["objects_built"], run["objects_found"]


def change(library: Library, name: str, **more: Any) -> None:
    import yaml

    path = library.root / name
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **more}, sort_keys=False))


def test_a_second_compile_renders_nothing(library: Library, cache: Path, tmp_path: Path) -> None:
    first = library.compile(tmp_path / "a", cache)
    assert objects(first)[0] == 2
    work = json.loads((first.path / "run.json").read_text())["work"]
    rows = sum(work["rows"].values())
    assert work["rows"]["by column"] > 0.9 * rows and sum(work["texts"].values()) >= 2 * 300
    again = library.compile(tmp_path / "b", cache)
    assert objects(again) == (0, 2)
    assert again.manifest == first.manifest
    for entry in first.manifest.files():
        assert (first.path / entry.path).read_bytes() == (again.path / entry.path).read_bytes()


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("mixtures/m.yaml", {"members": [{"select": "source:toy", "rate": 1}, {"select": "source:other", "rate": 5}]}),
        ("mixtures/m.yaml", {"cap_rows": 40}),
        ("recipes/r.yaml", {"packing": {"window": 50, "max_examples": 3}}),
        ("recipes/r.yaml", {"shards": {"packs": 7}}),
        ("recipes/r.yaml", {"lengths": {"pack": 1024, "example": 512}}),
        ("recipes/r.yaml", {"size": {"examples": 180}}),
        ("recipes/r.yaml", {"packing": {"enabled": False}}),
    ],
)  # fmt: skip
def test_what_only_links_builds_no_object(
    library: Library, cache: Path, tmp_path: Path, file: str, more: dict[str, Any]
) -> None:
    first = library.compile(tmp_path / "a", cache)
    change(library, file, **more)
    again = library.compile(tmp_path / "b", cache)
    new_passes = sum(t.passes > 1 for t in again.manifest.tasks)
    assert objects(again)[0] <= 8 * new_passes
    if new_passes == 0:
        assert objects(again)[0] == 0
    assert again.manifest.root_digest != first.manifest.root_digest
    assert verify(again) == []


def test_both_layouts_share_objects(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "recipes/r.yaml", lengths={"pack": 512, "example": 402})
    library.compile(tmp_path / "a", cache)
    library.recipe("e", layout="encoder_decoder", lengths={"input": 400, "target": 400})
    build = library.compile(tmp_path / "b", cache, "e")
    assert verify(build) == []
    assert build.manifest.lengths == {"inputs": 400, "targets": 400}


def test_a_change_of_one_task_builds_that_task_alone(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    library.compile(tmp_path / "a", cache)
    about = dataset_of("other")
    about["tasks"]["qa"]["templates"][0]["input"] = "{{ question }} Say."
    library.write("datasets/other.yaml", about)
    assert objects(library.compile(tmp_path / "b", cache)) == (1, 1)
    about["tasks"]["qa"]["tags"] = ["new"]
    about["tasks"]["qa"]["cluster"] = "sums"
    library.write("datasets/other.yaml", about)
    assert objects(library.compile(tmp_path / "c", cache)) == (0, 2)


def test_another_task_moves_no_draw(library: Library, cache: Path, tmp_path: Path) -> None:
    def of_toy(build: Build) -> dict[int, Any]:
        rows = [e for b in build.examples() for e in b.to_pylist() if e["task"] == "toy/qa"]
        return {
            e["row"]: (e["template"], e["shots"], tuple(e["exemplars"]), e["options"])
            for e in rows
            if e["pass"] == 0
        }

    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}])
    alone = of_toy(library.compile(tmp_path / "a", cache))
    change(library, "mixtures/m.yaml", members=[{"select": "all"}])
    together = of_toy(library.compile(tmp_path / "b", cache))
    shared = alone.keys() & together.keys()
    assert len(shared) > 50
    assert all(alone[r] == together[r] for r in shared)


def test_the_folder_and_the_workers_do_not_matter(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    one = library.compile(tmp_path / "a", cache)
    moved = Library(tmp_path / "elsewhere" / "lib")
    for path in library.root.rglob("*"):
        if path.is_file():
            moved.write(str(path.relative_to(library.root)), path.read_text())
    four = moved.compile(
        tmp_path / "elsewhere" / "b", tmp_path / "cache2", workers=4, memory_bytes=1 << 16
    )
    assert four.manifest == one.manifest


def test_another_seed_is_another_build(library: Library, cache: Path, tmp_path: Path) -> None:
    one = library.compile(tmp_path / "a", cache)
    change(library, "recipes/r.yaml", seed=2)
    assert library.compile(tmp_path / "b", cache).manifest.root_digest != one.manifest.root_digest


@pytest.mark.parametrize("examples", [1, 7, 299, 1000])
def test_counts_are_exact(library: Library, cache: Path, tmp_path: Path, examples: int) -> None:
    change(library, "recipes/r.yaml", size={"examples": examples})
    build = library.compile(tmp_path / "a", cache)
    tasks = {t.task: t for t in build.manifest.tasks}
    assert sum(t.examples for t in tasks.values()) == examples
    assert abs(tasks["toy/qa"].examples - examples * 2 / 3) < 1
    assert verify(build) == []


def test_passes_are_counted_over_a_member(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "recipes/r.yaml", size={"passes": 2, "over": "source:other"})
    build = library.compile(tmp_path / "a", cache)
    tasks = {t.task: t for t in build.manifest.tasks}
    assert tasks["other/qa"].examples == 300
    assert tasks["toy/qa"].examples == 600


def test_blocks_beyond_a_cap_are_not_built(library: Library, cache: Path, tmp_path: Path) -> None:
    library.dataset("toy", rows=13_000)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy", "cap_rows": 100}])
    change(library, "recipes/r.yaml", size={"passes": 3})
    build = library.compile(tmp_path / "a", cache)
    assert objects(build) == (3, 0)
    assert build.manifest.counts["examples"] == 300
    lines = build.ledger().to_pylist()
    assert {r["reason"] for r in lines if r["disposition"] == "unused"} == {"beyond the cap"}
    assert verify(build) == []


def test_passes_draw_anew(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "recipes/r.yaml", size={"passes": 3, "over": "source:toy"})
    build = library.compile(tmp_path / "a", cache)
    rows = [e for b in build.examples() for e in b.to_pylist() if e["task"] == "toy/qa"]
    assert Counter(e["pass"] for e in rows) == {0: 200, 1: 200, 2: 200}
    by_row: dict[int, list[str]] = {}
    for example in sorted(rows, key=lambda e: e["pass"]):
        by_row.setdefault(example["row"], []).append(example["template"])
    assert len(by_row) == 200
    assert len({tuple(sorted(v)) for v in by_row.values()}) > 1


@pytest.mark.parametrize("unit", ["tokens", "target_tokens"])
def test_a_size_in_tokens_is_reached_and_not_passed_by(
    library: Library, cache: Path, tmp_path: Path, unit: str
) -> None:
    wanted = 20_000 if unit == "tokens" else 2_000
    change(library, "recipes/r.yaml", size={unit: wanted})
    manifest = library.compile(tmp_path / "a", cache).manifest
    got = manifest.counts["tokens" if unit == "tokens" else "target_tokens"]
    change(library, "recipes/r.yaml", size={"examples": manifest.counts["examples"] - 1})
    one_less = library.compile(tmp_path / "b", cache).manifest.counts
    assert one_less["tokens" if unit == "tokens" else "target_tokens"] < wanted <= got


def test_rates_in_target_tokens_are_kept(library: Library, cache: Path, tmp_path: Path) -> None:
    about = dataset_of("other")
    about["tasks"]["qa"]["templates"] = [
        {
            "name": "long",
            "input": "{{ question }}",
            "target": "The sum that was asked for is {{ answer }}, I am sure.",
        }
    ]
    library.write("datasets/other.yaml", about)
    change(library, "mixtures/m.yaml", rate_in="target_tokens", members=[
        {"select": "source:toy", "rate": 1}, {"select": "source:other", "rate": 1}])  # fmt: skip
    change(library, "recipes/r.yaml", size={"examples": 2000})
    build = library.compile(tmp_path / "a", cache)
    tasks = {t.task: t for t in build.manifest.tasks}
    assert tasks["toy/qa"].examples > 3 * tasks["other/qa"].examples
    assert abs(tasks["toy/qa"].target_tokens - tasks["other/qa"].target_tokens) < 60


def test_a_limit_on_passes_is_kept_and_reported(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    change(library, "mixtures/m.yaml", members=[
        {"select": "source:toy", "rate": 1}, {"select": "source:other", "rate": 1, "max_passes": 0.5}])  # fmt: skip
    change(library, "recipes/r.yaml", size={"examples": 400})
    tasks = {t.task: t for t in library.compile(tmp_path / "a", cache).manifest.tasks}
    assert (tasks["other/qa"].examples_requested, tasks["other/qa"].examples) == (200, 75)


def test_an_empty_task_does_not_end_the_mixture(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    about = dataset_of("other")
    about["tasks"]["qa"]["where"] = "question == 'never'"
    library.write("datasets/other.yaml", about)
    build = library.compile(tmp_path / "a", cache)
    assert build.manifest.empty == ("other/qa",)
    assert build.manifest.counts["examples"] == 300
    assert verify(build) == []


def test_a_mixture_without_any_example_is_an_error(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    for name in ("toy", "other"):
        library.write(f"datasets/{name}.yaml", {**dataset_of(name), "where": "false"})
    with pytest.raises(FlancompileError) as caught:
        library.compile(tmp_path / "a", cache)
    assert caught.value.code == "FC408"
    assert "toy/qa: 200 rows: where" in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_where_it_may_not_write_is_told_before_any_work(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes").write_text("mine")
    stages: list[str] = []
    with pytest.raises(FlancompileError, match="FC501"):
        library.compile(tmp_path / "a", cache, progress=lambda name, *_: stages.append(name))
    assert stages == []


def test_a_build_tells_why_rows_were_dropped(library: Library, cache: Path, tmp_path: Path) -> None:
    with (library.root / "datasets/toy.jsonl").open("a") as rows:
        rows.write('{"id": 1, \n{"id": 999, "question": "?"}\n')
    change(library, "mixtures/m.yaml", members=[{"select": "toy/qa"}])
    build = library.compile(tmp_path / "a", cache)
    found = {d["reason"]: d["rows"] for d in build.dropped() if d["task"] == "toy/qa"}
    assert list(found.values()) == [1, 1]
    assert any("not JSON" in reason for reason in found)


def test_hold_outs(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "mixtures/m.yaml", members=[{"select": "all"}],
           hold_out={"select": "other/qa", "scope": "source"})  # fmt: skip
    manifest = library.compile(tmp_path / "a", cache).manifest
    assert [t.task for t in manifest.tasks] == ["toy/qa"]
    assert manifest.held_out == {"other/qa": "other/qa"}


def test_the_ledger_accounts_for_every_row(library: Library, cache: Path, tmp_path: Path) -> None:
    about = dataset_of("toy")
    about["where"] = "topic != 'topic 3'"
    about["fields"]["note"] = "note | trim"
    about["tasks"]["qa"]["exemplars"] = {"from": "reserved", "count": 10}
    library.write("datasets/toy.yaml", about)
    change(library, "recipes/r.yaml", size={"examples": 120})
    build = library.compile(tmp_path / "a", cache)
    ledger = build.ledger().filter(pc.equal(build.ledger()["task"], "toy/qa"))
    found: Counter[str] = Counter()
    for line in ledger.to_pylist():
        found[line["disposition"]] += line["rows"]
    assert found["dropped"] >= 50
    assert found["reserved"] == 10
    assert found["kept"] == 80
    assert sum(found.values()) == 200
    reserved = {line["row"] for line in ledger.to_pylist() if line["disposition"] == "reserved"}
    shown = {
        e
        for b in build.examples()
        for r in b.to_pylist()
        if r["task"] == "toy/qa"
        for e in r["exemplars"]
    }
    assert shown
    assert shown <= reserved


def test_exemplars_from_another_split_in_file_order(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    rows = [
        {
            "id": f"d{i}",
            "question": f"dev {i}?",
            "answer": str(i),
            "topic": f"topic {i % 4}",
            "note": "",
        }
        for i in range(12)
    ]
    library.write("datasets/dev.jsonl", rows)
    about = dataset_of("toy")
    about["source"]["files"]["dev"] = "dev.jsonl"
    about["tasks"]["qa"]["templates"] = about["tasks"]["qa"]["templates"][:1]
    about["tasks"]["qa"]["exemplars"] = {
        "from": "split",
        "split": "dev",
        "order": "file",
        "same": "topic",
    }
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    names = build.exemplar_names("toy/qa")
    for batch in build.examples():
        for example in batch.to_pylist():
            _, tokens = build.example_ids(example["pack"], example["segment"])
            text = bytes(int(t) - 3 for t in tokens["tokens"] if t > 2).decode()
            topic = int(example["row_id"]) % 4
            assert f"dev {topic}?" in text
            assert f"dev {topic + 4}?" in text
            assert example["shots"] == 2
            assert [names[e] for e in example["exemplars"]] == [
                f"dev:d{topic}",
                f"dev:d{topic + 4}",
            ]
    assert verify(build) == []


@pytest.mark.parametrize(
    "settings", [{"order": "file"}, {"order": "file", "same": "topic"}, {"same": "topic"}]
)
def test_a_long_split_s_pool_is_of_all_its_blocks(
    library: Library, cache: Path, tmp_path: Path, settings: dict[str, str]
) -> None:
    dev = [
        {"id": f"d{i}", "question": f"dev {i}?", "answer": str(i), "note": "",
         "topic": f"topic {i % 4}" if i < 20 else "another"}
        for i in range(9000)
    ]  # fmt: skip
    library.write("datasets/dev.jsonl", dev)
    about = dataset_of("toy")
    about["source"]["files"]["dev"] = "dev.jsonl"
    about["tasks"]["qa"]["templates"] = about["tasks"]["qa"]["templates"][:1]
    about["tasks"]["qa"]["exemplars"] = {"from": "split", "split": "dev", **settings}
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    examples = [e for batch in build.examples() for e in batch.to_pylist()]
    assert len(examples) == 300
    for example in examples:
        _, tokens = build.example_ids(example["pack"], example["segment"])
        text = bytes(int(t) - 3 for t in tokens["tokens"] if t > 2).decode()
        shown = [int(n) for n in re.findall(r"dev (\d+)\?", text)]
        topic = int(example["row_id"]) % 4
        if settings == {"order": "file"}:
            assert shown == [0, 1]
        elif "order" in settings:
            assert shown == [topic, topic + 4]
        else:
            assert len(shown) == 2
            assert all(n < 20 and n % 4 == topic for n in shown)


def test_exemplars_from_a_fixed_file(library: Library, cache: Path, tmp_path: Path) -> None:
    library.write("datasets/fixed.yaml.txt", "")
    library.write(
        "datasets/shots/fixed.jsonl",
        '\ufeff{"q": "one plus one?\u2028", "a": "2"}\n{"q": "two plus two?", "a": "4"}\n',
    )
    about = dataset_of("toy")
    about["tasks"]["qa"]["templates"] = about["tasks"]["qa"]["templates"][:1]
    about["tasks"]["qa"]["exemplars"] = {
        "from": "file", "file": "shots/fixed.jsonl", "order": "file",
        "fields": {"question": "item.q", "answer": "item.a"},
    }  # fmt: skip
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    _, tokens = build.example_ids(0, 0)
    text = bytes(int(t) - 3 for t in tokens["tokens"] if t > 2).decode()
    assert text.index("one plus one?") < text.index("two plus two?")
    shown = {e for b in build.examples() for r in b.to_pylist() for e in r["exemplars"]}
    names = build.exemplar_names("toy/qa")
    assert {names[e].split(":")[0] for e in shown} == {"shots/fixed.jsonl"}
    assert verify(build) == []


def test_a_missing_exemplar_file_has_a_place(library: Library, cache: Path, tmp_path: Path) -> None:
    about = dataset_of("toy")
    about["tasks"]["qa"]["exemplars"] = {"from": "file", "file": "gone.jsonl"}
    library.write("datasets/toy.yaml", about)
    with pytest.raises(FlancompileError, match=r"toy\.yaml:\d+:\d+: error FC301"):
        library.compile(tmp_path / "a", cache)


def test_one_row_s_error_drops_that_row(library: Library, cache: Path, tmp_path: Path) -> None:
    lines = (library.root / "datasets/toy.jsonl").read_text().splitlines()
    lines[3] = '{"id": 3, "question": "no answer"}'
    lines[5] = "{broken"
    library.write("datasets/toy.jsonl", "\n".join(lines))
    build = library.compile(tmp_path / "a", cache)
    reasons = Counter(build.ledger()["reason"].to_pylist())
    passes = len(set(build.ledger()["pass"].to_pylist()))
    assert reasons["field answer: no 'answer'"] == passes
    assert any(str(r).startswith("not JSON") and "toy.jsonl:6" in r for r in reasons)


def test_a_task_s_mistake_stops_before_anything_is_written(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    about = dataset_of("toy")
    about["tasks"]["qa"]["templates"][0]["input"] = "{{ questoin }}"
    library.write("datasets/toy.yaml", about)
    with pytest.raises(FlancompileError, match="did you mean 'question'"):
        library.compile(tmp_path / "a", cache)
    assert not (tmp_path / "a").exists()


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


def test_another_recipe_s_build_is_not_replaced_unasked(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    library.compile(tmp_path / "a", cache)
    library.compile(tmp_path / "a", cache)  # the same recipe may
    library.recipe("second", seed=5)
    with pytest.raises(FlancompileError, match="contains a build of the recipe 'r'"):
        library.compile(tmp_path / "a", cache, "second")
    assert Build.open(tmp_path / "a").manifest.recipe["recipe"] == "r"
    library.compile(tmp_path / "a", cache, "second", overwrite=True)
    assert Build.open(tmp_path / "a").manifest.recipe["recipe"] == "second"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(FlancompileError, match="is not a build"):
        library.compile(tmp_path / "mine", cache, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.2, 2.0, 3.0])
def test_a_killed_compile_leaves_nothing_that_looks_whole(tmp_path: Path, seconds: float) -> None:
    library = Library(tmp_path / "library")
    library.dataset("toy", rows=9000)
    library.mixture(shots={0: 1, 5: 1})
    library.recipe(size={"examples": 30_000}, lengths={"pack": 1024})
    out, cache = tmp_path / "out", tmp_path / "cache"
    code = (
        "import flancompile\n"
        f"flancompile.compile('r', {str(out)!r}, library=[{str(library.root)!r}], cache=__import__('pathlib').Path({str(cache)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if out.exists():  # it was quicker than the kill
        assert verify(Build.open(out)) == []
    build = library.compile(out, cache)
    assert verify(build) == []
    clean = library.compile(tmp_path / "clean", tmp_path / "cache2")
    assert build.manifest == clean.manifest
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


MEMORY_TEST = """
import contextlib, resource, sys, pathlib
import flancompile.api
from flancompile.compiler import pipeline
from flancompile.compiler.packing import histogram as pack_histogram
with contextlib.suppress(ImportError):
    import scipy.linalg  # numba loads it where it is installed, and its BLAS takes threads' stacks
def peak():
    return int([l for l in open('/proc/self/status') if l.startswith('VmData')][0].split()[1]) * 1024
before = peak()
limit = before + int(sys.argv[4])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
flancompile.api.compile('r', sys.argv[2], library=[sys.argv[1]], cache=pathlib.Path(sys.argv[3]), memory_bytes=16 << 20)
"""


@pytest.mark.slow
def test_a_source_ten_times_the_memory_limit_compiles(tmp_path: Path) -> None:
    """The process may not allocate more than a tenth of the source beyond what it starts with."""
    library = Library(tmp_path / "library")
    library.dataset("toy", rows=10)
    limit = 200 << 20
    text = "word " * 1000
    with (library.root / "datasets/toy.jsonl").open("w") as file:
        written = row = 0
        while written < 10 * limit:
            line = json.dumps(
                {
                    "id": row,
                    "question": f"{row}?",
                    "answer": str(row),
                    "topic": "t",
                    "note": f"{row} {text}",
                }
            )
            written += file.write(line + "\n")
            row += 1
    library.mixture()
    library.recipe(size={"examples": 5000})
    run = [
        sys.executable,
        "-c",
        MEMORY_TEST,
        str(library.root),
        str(tmp_path / "out"),
        str(tmp_path / "cache"),
        str(limit),
    ]
    # the system's allocator gives freed memory back, so that the limit sees what is in use
    env = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    build = Build.open(tmp_path / "out")
    assert build.manifest.tasks[0].rows == row
    assert build.manifest.counts["examples"] == 5000
    for folder in tmp_path.iterdir():  # gigabytes: they are not left for later runs to pile up
        shutil.rmtree(folder)


@pytest.mark.parametrize("style", ["numbered_examples", "markdown_zero"])
def test_layouts_for_one_arm_alone(
    library: Library, cache: Path, tmp_path: Path, style: str
) -> None:
    change(library, "recipes/r.yaml", styles={"shots": [style]})
    build = library.compile(tmp_path / "a", cache)
    used = {e["shots_style"] for b in build.examples() for e in b.to_pylist()}
    assert style in used
    assert len(used) == 2


def test_plan_foretells_the_compile(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "recipes/r.yaml", size={"examples": 290})
    plan = flancompile.plan("r", library=[library.root], cache=cache)
    manifest = library.compile(tmp_path / "a", cache).manifest
    assert {t.task: t.examples for t in plan.tasks} == {t.task: t.examples for t in manifest.tasks}
    assert abs(plan.tokens - manifest.counts["tokens"]) < 0.1 * manifest.counts["tokens"]
    assert abs(plan.packs - manifest.counts["packs"]) <= 0.15 * manifest.counts["packs"] + 1


@pytest.mark.parametrize(
    "exemplars", [{"from": "reserved", "count": 3}, {"from": "split", "split": "dev"}]
)
@pytest.mark.parametrize("empty", ["toy.jsonl", "dev.jsonl"])
def test_empty_splits_end_in_no_traceback(
    library: Library, cache: Path, tmp_path: Path, exemplars: dict[str, Any], empty: str
) -> None:
    about = dataset_of("toy")
    about["source"]["files"] |= {"dev": "dev.jsonl", "validation": "dev.jsonl"}
    about["tasks"]["qa"]["exemplars"] = exemplars
    library.write("datasets/toy.yaml", about)
    shutil.copy(library.root / "datasets/other.jsonl", library.root / "datasets/dev.jsonl")
    library.write(f"datasets/{empty}", "")
    change(library, "recipes/r.yaml", evaluate=[{"select": "source:toy"}])
    if exemplars["from"] == "split" and empty == "dev.jsonl":
        with pytest.raises(FlancompileError, match="the split 'dev' has no rows") as caught:
            library.compile(tmp_path / "a", cache)
        assert caught.value.code == "FC302"
        return
    build = library.compile(tmp_path / "a", cache)
    assert verify(build) == []
    assert build.manifest.empty == (("toy/qa",) if empty == "toy.jsonl" else ())
    table, _ = build.evaluation("toy/qa")
    assert (len(table) == 0) == (empty == "dev.jsonl")


def test_an_exemplar_file_is_read_as_lines_of_unicode(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    items = [{"question": f"odd\u2028{i}?", "answer": str(i)} for i in range(4)]
    lines = "".join(json.dumps(i, ensure_ascii=False) + "\r\n" for i in items)
    library.write("datasets/shots.jsonl", "\ufeff" + lines)
    about = dataset_of("toy")
    about["tasks"]["qa"]["exemplars"] = {
        "from": "file", "file": "shots.jsonl",
        "fields": {"question": "item.question", "answer": "item.answer"},
    }  # fmt: skip
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    assert build.manifest.tasks[0].shots[2] > 200


def test_passes_over_a_member_are_planned_as_they_are_compiled(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    change(library, "recipes/r.yaml", size={"passes": 1, "over": "source:other"})
    change(library, "mixtures/m.yaml", members=[
        {"select": "source:toy", "rate": 2}, {"select": "task:other/qa", "name": "a/b", "rate": 1},
    ])  # fmt: skip
    for act in (lambda: flancompile.plan("r", library=[library.root], cache=cache),
                lambda: library.compile(tmp_path / "a", cache)):  # fmt: skip
        with pytest.raises(FlancompileError, match=r"FC409.*no member 'source:other'"):
            act()
    change(library, "recipes/r.yaml", size={"passes": 1, "over": "a/b"})
    plan = flancompile.plan("r", library=[library.root], cache=cache)
    assert (
        plan.examples == library.compile(tmp_path / "a", cache).manifest.counts["examples"] == 450
    )

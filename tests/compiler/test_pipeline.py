"""The compile as a whole: caching, layouts, workers, kills and memory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from toys import Library, change, dataset_of

import flancompile
from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.verify import verify


def objects(build: Build) -> tuple[int, int]:
    run = json.loads((build.path / "run.json").read_text())
    return run["objects_built"], run["objects_found"]


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_where_it_may_not_write_is_told_before_any_work(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes").write_text("mine")
    stages: list[str] = []
    with pytest.raises(FlancompileError, match="FC501"):
        library.compile(tmp_path / "a", cache, progress=lambda name, *_: stages.append(name))
    assert stages == []


def test_hold_outs(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "mixtures/m.yaml", members=[{"select": "all"}],
           hold_out={"select": "other/qa", "scope": "source"})  # fmt: skip
    manifest = library.compile(tmp_path / "a", cache).manifest
    assert [t.task for t in manifest.tasks] == ["toy/qa"]
    assert manifest.held_out == {"other/qa": "other/qa"}


def test_a_task_s_mistake_stops_before_anything_is_written(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    about = dataset_of("toy")
    about["tasks"]["qa"]["templates"][0]["input"] = "{{ questoin }}"
    library.write("datasets/toy.yaml", about)
    with pytest.raises(FlancompileError, match="did you mean 'question'"):
        library.compile(tmp_path / "a", cache)
    assert not (tmp_path / "a").exists()


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

"""Evaluation sets: names, arms, and an account of every row."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import load, run
from toys import Library, dataset_of

from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.verify import verify


def library_of(
    root: Path, rows: list[dict[str, Any]], evaluate: list[dict[str, Any]], **task: Any
) -> Library:
    library = Library(root / "lib")
    about = dataset_of("toy")
    about["tasks"]["qa"] |= task
    library.write("datasets/toy.jsonl", rows)
    library.write("datasets/toy.yaml", about)
    library.mixture()
    library.recipe(evaluate=evaluate, size={"examples": 8}, lengths={"pack": 4096})
    return library


def rows_of(count: int, bad: set[int] = frozenset()) -> list[dict[str, Any]]:  # type: ignore[assignment]
    rows: list[dict[str, Any]] = []
    for i in range(count):
        row = {
            "id": i,
            "question": f"What is {i} plus 1?",
            "answer": str(i + 1),
            "topic": "sums",
            "note": "n",
        }
        if i in bad:
            del row["answer"]
        rows.append(row)
    return rows


def compiled(root: Path, library: Library) -> Build:
    return library.compile(root / "build", root / "cache")


def test_each_entry_of_a_task_is_a_set(tmp_path: Path) -> None:
    entries = [
        {"select": "all", "shots": 0},
        {"select": "all", "shots": 2},
        {"name": "first", "select": "all", "max_rows": 5},
        {"select": "source:toy", "shots": 2},
    ]
    build = compiled(tmp_path, library_of(tmp_path, rows_of(30), entries))
    found = {e.name: e for e in build.manifest.evaluation}
    assert list(found) == ["toy/qa@0shot_all", "toy/qa@2shot_all", "toy/qa@first"]
    assert found["toy/qa@2shot_all"].shots == {2: 30}
    assert found["toy/qa@first"].rows == 5 and found["toy/qa@first"].unused == 25
    two, _ = build.evaluation("toy/qa@2shot_all")
    none, _ = build.evaluation("toy/qa@0shot_all")
    assert all("What is" in p and p.count("What is") == 3 for p in two["prompt"].to_pylist())
    assert all(p.count("What is") == 1 for p in none["prompt"].to_pylist())
    assert verify(build) == []


def test_one_entry_is_called_after_its_task(tmp_path: Path) -> None:
    build = compiled(tmp_path, library_of(tmp_path, rows_of(8), [{"select": "all"}]))
    assert [e.name for e in build.manifest.evaluation] == ["toy/qa"]


def test_entries_that_overlap_in_part_keep_one_name_each(tmp_path: Path) -> None:
    library = library_of(
        tmp_path, rows_of(12), [{"select": "all", "shots": 2}, {"select": "source:toy", "shots": 0}]
    )
    library.dataset("other", rows=12)
    build = compiled(tmp_path, library)
    names = [e.name for e in build.manifest.evaluation]
    assert names == ["other/qa@2shot", "toy/qa@0shot", "toy/qa@2shot"]


def test_two_sets_of_one_name_are_an_error(tmp_path: Path) -> None:
    entries = [{"name": "few", "select": "all", "shots": n} for n in (1, 2)]
    with pytest.raises(FlancompileError) as failed:
        compiled(tmp_path, library_of(tmp_path, rows_of(8), entries))
    assert failed.value.code == "FC426"
    assert "'toy/qa@few'" in str(failed.value) and "recipes/r.yaml" in str(failed.value)


@pytest.mark.parametrize("seed", range(6))
def test_every_row_of_a_set_is_accounted_for(tmp_path: Path, seed: int) -> None:
    """Rows that lack a column, rows without options, and rows beyond `max_rows`."""
    draw = random.Random(seed)
    count = draw.randint(9, 40)
    bad = {i for i in range(count) if draw.random() < 0.3}
    rows = rows_of(count, bad)
    for row in rows:
        row["topic"] = draw.choice(("a", "b", f"alone {row['id']}"))
    entries = [
        {"name": "short", "select": "all", "max_rows": draw.randint(1, count)},
        {"name": "whole", "select": "all", "shots": draw.randint(0, 5)},
    ]
    choices = {"gold": "answer", "distractors": 3, "same": "topic"}
    metric = draw.choice(("accuracy", "exact_match"))
    build = compiled(
        tmp_path, library_of(tmp_path, rows, entries, choices=choices, eval={"metric": metric})
    )
    ledger = Counter[tuple[str, str]]()
    for line in build.eval_ledger().to_pylist():
        ledger[line["task"], line["disposition"]] += line["rows"]
    sets = build.manifest.evaluation
    assert len(sets) == 2
    for entry in sets:
        assert entry.rows + entry.dropped + entry.unused == count
        assert sum(entry.reasons.values()) == entry.dropped >= len(bad)
        assert sum(entry.shots.values()) == entry.rows
        counts = {k: ledger[entry.name, k] for k in ("kept", "dropped", "unused")}
        assert counts == {"kept": entry.rows, "dropped": entry.dropped, "unused": entry.unused}
    assert verify(build) == []


@pytest.mark.slow
def test_fewer_shots_than_requested_are_reported(tmp_path: Path) -> None:
    rows = [{**r, "topic": "alone" if r["id"] == 0 else "sums"} for r in rows_of(12)]
    entries = [{"select": "all", "shots": 2}]
    build = compiled(tmp_path, library_of(tmp_path, rows, entries, exemplars={"same": "topic"}))
    (entry,) = build.manifest.evaluation
    assert entry.shots_requested == 2 and entry.shots == {0: 1, 2: 11}
    shown = run("inspect", str(build.path), cwd=tmp_path)
    assert (
        "11 with 2" in shown
        and "1 rows have fewer than 2 exemplars: too few exemplars to draw" in shown
    )
    page = (build.path / "report.html").read_text()
    assert "11 with 2" in page and "fewer shots: too few exemplars to draw" in page
    assert entry.fewer_shots == {"too few exemplars to draw": 1}
    (row,) = [n for n, s in enumerate(build.evaluation("toy/qa")[0]["shots"].to_pylist()) if s == 0]
    printed = run("explain", str(build.path), "--eval", "toy/qa", "--row", str(row), cwd=tmp_path)
    assert "2 requested: too few exemplars to draw" in printed


@pytest.mark.slow
def test_fewer_shots_of_tasks_are_reported_by_reason(tmp_path: Path) -> None:
    rows = [{**r, "topic": "alone" if r["id"] == 0 else "sums"} for r in rows_of(12)]
    rows[1]["question"] = "Is it? " * 30
    library = library_of(tmp_path, rows, [], exemplars={"same": "topic"})
    library.mixture(shots={2: 1.0})
    library.recipe(evaluate=[], size={"passes": 1}, lengths={"pack": 4096, "example": 260})
    build = compiled(tmp_path, library)
    (task,) = build.manifest.tasks
    long, few = "exemplars left out for length", "too few exemplars to draw"
    lacking = sum(n for k, n in task.shots.items() if k < 2)
    assert task.fewer_shots[few] == 1 and task.fewer_shots[long] >= 1
    assert sum(task.fewer_shots.values()) == lacking
    page, shown = (
        (build.path / "report.html").read_text(),
        run("inspect", str(build.path), cwd=tmp_path),
    )
    for why, count in task.fewer_shots.items():
        assert f"{count} examples of toy/qa have fewer exemplars than requested: {why}" in shown
        assert f"<td>{why}</td><td>{count}</td>" in page
    causes = Counter[str]()
    for pack in range(len(build.packs)):
        for segment in range(len(build.packs[pack].examples)):
            place = ("--pack", str(pack), "--segment", str(segment))
            about = load("explain", str(build.path), *place, cwd=tmp_path)
            causes.update([about["fewer_shots"]] if "fewer_shots" in about else [])
    assert causes == task.fewer_shots
    assert verify(build) == []


@pytest.mark.slow
def test_the_command_line_reaches_sets(tmp_path: Path) -> None:
    build = compiled(tmp_path, library_of(tmp_path, rows_of(12), [{"select": "all", "shots": 1}]))
    place = str(build.path)
    assert "What is" in run("inspect", place, "--eval", "toy/qa", cwd=tmp_path)
    line = load("explain", place, "--eval", "toy/qa", "--row", "3", cwd=tmp_path)
    name, number = line["file"].rsplit(":", 1)
    text = (tmp_path / "lib" / name).read_text().splitlines()
    assert line["template"] in text[int(number) - 1]
    run("export", place, "--to", "jsonl", "--out", "rows.jsonl", "--eval", "toy/qa", cwd=tmp_path)
    lines = [json.loads(x) for x in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(lines) == 12 and lines[3]["prompt"] == line["prompt"]
    wrong = run("inspect", place, "--eval", "toy/qb", cwd=tmp_path, ok=2)
    assert "FC507" in wrong and "toy/qa" in wrong
    about = load("explain", place, "--pack", "0", cwd=tmp_path)
    assert about["file"].startswith("datasets/toy.yaml:")


@pytest.mark.slow
def test_show_finds_a_row_by_id_and_a_split_that_exists(tmp_path: Path) -> None:
    library = library_of(tmp_path, rows_of(600), [{"select": "all"}])
    about = dataset_of("toy")
    about["source"]["files"] = {"dev": "toy.jsonl"}
    library.write("datasets/toy.yaml", about)
    means = ("show", "toy/qa", "--library", str(library.root))
    assert "row 555" in run(*means, "--row", "555", cwd=tmp_path)
    assert "row 3 " in run(*means, "--row", "3", cwd=tmp_path)
    assert "FC308" in run(*means, "--row", "no such", cwd=tmp_path, ok=2)


@pytest.mark.slow
@pytest.mark.parametrize("unusable", [0, 3])
def test_rows_given_again_in_place_of_unusable_ones_are_reported(
    tmp_path: Path, unusable: int
) -> None:
    library = library_of(tmp_path, rows_of(20), [], where=f"answer | int > {unusable}")
    library.recipe(size={"passes": 1}, lengths={"pack": 4096})
    build = compiled(tmp_path, library)
    (task,) = build.manifest.tasks
    assert task.examples == 20 and task.passes == pytest.approx(20 / (20 - unusable), abs=1e-5)
    is_reported = "some rows are used again" in run("inspect", str(build.path), cwd=tmp_path)
    assert is_reported == (unusable > 0)

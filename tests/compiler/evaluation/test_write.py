"""Evaluation sets in a build: their entries in the manifest against their rows and their ledger."""

from collections import Counter
from types import SimpleNamespace

import pytest
from toys import Library, dataset_of

from flancompile.compiler.evaluation.write import write_eval_ledger
from flancompile.drop_reasons import Dropped
from flancompile.store.build import Build
from flancompile.store.verify import verify


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Two sets of a task: one with few exemplars and a limit of rows; some rows are dropped."""
    root = tmp_path_factory.mktemp("write")
    made = Library(root / "lib")
    made.dataset(rows=40)
    about = dataset_of("toy")
    about["fields"]["answer"] = "answer if id | int % 5 else ''"
    about["tasks"]["qa"]["where"] = "question != 'What is 7 plus 10?'"
    about["tasks"]["qa"]["exemplars"] = {"same": "topic"}
    about["tasks"]["qa"]["eval"] = {"metric": "exact_match", "group": "sums"}
    made.write("datasets/toy.yaml", about)
    made.mixture()
    made.recipe(
        size={"examples": 5}, lengths={"pack": 1024},
        evaluate=[
            {"select": "toy/qa", "name": "few", "shots": 20, "options": False},
            {"select": "toy/qa", "name": "some", "max_rows": 12},
        ],
    )  # fmt: skip
    return made.compile(root / "build", root / "cache")


def test_entries_are_counts_of_their_rows(build: Build) -> None:
    assert verify(build) == []
    assert [e.name for e in build.manifest.evaluation] == ["toy/qa@few", "toy/qa@some"]
    for entry in build.manifest.evaluation:
        table, about = build.evaluation(entry.name)
        rows = table.to_pylist()
        assert entry.rows == len(rows) > 5
        assert entry.shots == Counter(r["shots"] for r in rows)
        assert (entry.task, entry.split, entry.group) == ("toy/qa", "validation", "sums")
        assert (entry.metric, entry.random_baseline) == (about["metric"], about["random_baseline"])
        assert about["name"] == entry.name and about["entry"] == entry.entry
        assert "fewer_shots" not in table.column_names
    few, some = build.manifest.evaluation
    assert (few.shots_requested, few.options, some.shots_requested, some.options) == (
        20,
        False,
        0,
        True,
    )
    assert max(few.shots) < 20 and sum(few.fewer_shots.values()) == few.rows
    assert some.shots == {0: some.rows} and some.fewer_shots == {}


def test_the_ledger_has_each_row_of_each_set(build: Build) -> None:
    lines = build.eval_ledger().to_pylist()
    for entry in build.manifest.evaluation:
        own = [line for line in lines if line["task"] == entry.name]
        found: Counter[str] = Counter()
        for line in own:
            found[line["disposition"]] += line["rows"]
        assert found["kept"] == entry.rows and found["dropped"] == entry.dropped
        assert found["unused"] == entry.unused
        assert sum(found.values()) == 40
        reasons = Counter(
            Dropped.of(x["reason"]).general for x in own if x["disposition"] == "dropped"
        )
        assert entry.reasons == reasons
        assert [*entry.reasons] == sorted(reasons, key=lambda r: (-reasons[r], r))  # the most first
    few, some = build.manifest.evaluation
    assert few.unused == 0 < some.unused
    assert few.dropped >= 8


def test_without_sets_there_is_no_ledger_of_them() -> None:
    assert write_eval_ledger(SimpleNamespace(folder=None), ()) == {}  # type: ignore[arg-type]

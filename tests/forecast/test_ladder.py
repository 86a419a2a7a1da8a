"""The ladder's rungs: names that tasks cover, and the rows and tokens behind them."""

from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

import flancompile
from flancompile.compiler.request import bare_request
from flancompile.dsl.library.ladder import rungs
from flancompile.dsl.library.library import TaskDef
from flancompile.forecast.forecast import Plan, TaskPlan
from flancompile.forecast.ladder import UNSERVED, ladder_report


def plan_of(*tasks: tuple[str, int, float, float], left_out: dict[str, str] | None = None) -> Plan:
    """A forecast of tasks: id, usable rows and mean lengths."""
    planned = tuple(
        TaskPlan(id_, "m", 9999, 9999, 0.5, 1, 1.0, usable, 0.5, prompt, target)
        for id_, usable, prompt, target in tasks
    )
    numbers: dict[str, Any] = dict.fromkeys(
        ("examples", "tokens", "target_tokens", "packs", "bytes", "templates"), 0
    )
    return Plan(
        "r", "m", "decoder", "bytes", planned, {}, left_out or {}, seconds=0.0, by_row=(), **numbers
    )


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskDef]:
    """Three tasks on names of the first rung; two of them serve the same name."""
    library = Library(tmp_path_factory.mktemp("ladder"))
    first, second = rungs()[1].names[:2]
    for id_, names in (("a", [first]), ("b", [first, second]), ("c", [second]), ("d", [])):
        about = dataset_of(id_)
        about["tasks"]["qa"]["rungs"] = names
        library.write(f"datasets/{id_}.yaml", about)
    return dict(bare_request((library.root,), None).tasks)


def test_each_task_counts_once_in_a_rung(tasks: dict[str, TaskDef]) -> None:
    plan = plan_of(("a/qa", 10, 4.0, 1.0), ("b/qa", 20, 5.0, 2.5), ("d/qa", 1000, 1.0, 1.0))
    found = ladder_report(tasks, plan)
    assert len(found) == len(rungs()) == 5
    assert [(r.served, r.on_hand, r.examples) for r in found[:2]] == [(0, 0, 0), (2, 2, 30)]
    one = found[1]
    assert (one.names, one.tasks) == (len(rungs()[1].names), rungs()[1].tasks)
    assert (one.datasets, one.categories, one.templates) == (3, 1, 6)
    assert (one.tokens, one.target_tokens) == (10 * 5 + 150, 10 + 50)
    assert len(one.missing) == one.names - one.on_hand
    assert {n.why for n in one.missing} == {UNSERVED}
    assert found[-1].examples == 30
    assert found[-1].as_dict()["missing"][0]["tasks"] == ()


def test_why_a_name_is_not_available(tasks: dict[str, TaskDef]) -> None:
    first, second = rungs()[1].names[:2]
    found = ladder_report(tasks, plan_of(left_out={"b/qa": "no file"}))[1]
    missing = {n.name: n for n in found.missing}
    assert (found.served, found.on_hand, found.examples) == (2, 0, 0)
    assert (missing[first].tasks, missing[first].why) == (("a/qa", "b/qa"), "no file")
    found = ladder_report(tasks, plan_of(("b/qa", 1, 1.0, 1.0)))[1]
    assert {first, second}.isdisjoint(n.name for n in found.missing)
    found = ladder_report(tasks, plan_of(("a/qa", 1, 1.0, 1.0)))[1]
    (one,) = [n for n in found.missing if n.name == second]
    assert one.why == "its tasks are not in the mixture"


def test_rungs_contain_the_rungs_below(tasks: dict[str, TaskDef]) -> None:
    found = ladder_report(tasks, plan_of(("a/qa", 10, 4.0, 1.0)))
    for key in ("tasks", "served", "on_hand", "datasets", "examples", "tokens"):
        counts = [getattr(r, key) for r in found]
        assert counts == sorted(counts), key
    assert [r.tasks for r in found] == [0, 9, 89, 282, 1836]


def test_rows_are_counted_within_caps(tmp_path: Path) -> None:
    """A cap that is smaller than a block, where some rows give no example."""
    library = Library(tmp_path)
    library.dataset("toy", rows=100)
    about = dataset_of("toy")
    about["tasks"]["qa"]["rungs"] = [rungs()[1].names[0]]
    about["tasks"]["qa"]["templates"][0]["when"] = "(question | length) % 2 == 0"
    del about["tasks"]["qa"]["templates"][1]
    library.write("datasets/toy.yaml", about)
    library.mixture({"select": "all", "cap_rows": 40})
    report = flancompile.ladder("m", library=[tmp_path], cache=tmp_path / "cache")[1]
    library.recipe(size={"passes": 1})
    plan = flancompile.plan("r", library=[tmp_path], cache=tmp_path / "cache")
    (task,) = plan.tasks
    build = library.compile(tmp_path / "b", tmp_path / "cache")
    (built,) = build.manifest.tasks
    assert 0 < task.usable < 40
    assert report.examples == task.usable
    assert task.usable_share == task.usable / 40
    assert built.passes == pytest.approx(built.examples / task.usable, abs=0.001)
    assert task.passes == pytest.approx(built.passes, abs=0.001)

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

from flancompile.compiler.plan.members import Node, PlannedTask
from flancompile.compiler.plan.plan import resolve, shares
from flancompile.compiler.render.arms import ArmShares
from flancompile.dsl.library.library import load_library
from flancompile.errors import FlancompileError


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = Library(tmp_path)
    for name in ("a", "b", "c"):
        about = dataset_of(name)
        about["tasks"]["qa"]["cluster"] = "x" if name == "a" else "y"
        made.write(f"datasets/{name}.yaml", about)
    return made


ROWS = {"a/qa": 1000, "b/qa": 100, "c/qa": 300}


def plan(library: Library, *members: Any, **more: Any) -> dict[str, float]:
    library.mixture(*members, **more)
    loaded, found = load_library([library.root])
    assert found == []
    node, _ = resolve(loaded, loaded.tasks(), "m")
    return {k: round(v, 4) for k, v in shares(node, ROWS).items()}


def refused(library: Library, *members: Any, **more: Any) -> FlancompileError:
    with pytest.raises(FlancompileError) as caught:
        plan(library, *members, **more)
    return caught.value


def test_rates_between_members_and_rows_within(library: Library) -> None:
    found = plan(library, {"select": "cluster:x", "rate": 1}, {"select": "cluster:y", "rate": 3})
    assert found == {"a/qa": 0.25, "b/qa": 0.1875, "c/qa": 0.5625}


def test_sizes_decide_where_no_rate_is_given(library: Library) -> None:
    assert plan(library, {"select": "all"}, cap_rows=300) == {
        "a/qa": 0.4286,
        "b/qa": 0.1429,
        "c/qa": 0.4286,
    }
    assert plan(library, {"select": "cluster:x"}, {"select": "cluster:y"}, cap_rows=200) == {
        "a/qa": 0.4, "b/qa": 0.2, "c/qa": 0.4,
    }  # fmt: skip


def test_within_equal_and_temperature(library: Library) -> None:
    assert plan(library, {"select": "all", "within": "equal"}) == {
        "a/qa": 0.3333,
        "b/qa": 0.3333,
        "c/qa": 0.3333,
    }
    flat = plan(library, {"select": "all", "temperature": 1e9})
    assert flat == {"a/qa": 0.3333, "b/qa": 0.3333, "c/qa": 0.3333}


def test_nested_mixtures_and_holding_out(library: Library) -> None:
    library.write(
        "mixtures/inner.yaml",
        {"mixture": "inner", "members": [{"select": "cluster:y", "within": "equal"}]},
    )
    members = ({"mixture": "inner", "rate": 1}, {"select": "cluster:x", "rate": 1})
    assert plan(library, *members) == {"a/qa": 0.5, "b/qa": 0.25, "c/qa": 0.25}
    held = plan(library, *members, hold_out={"select": "b/qa"})
    assert held == {"a/qa": 0.5, "c/qa": 0.5}
    held = plan(library, {"select": "all"}, hold_out={"select": "b/qa", "scope": "cluster"})
    assert held == {"a/qa": 1.0}


@pytest.mark.parametrize("first", [True, False])
def test_a_hold_out_of_any_mixture_of_the_tree_holds_everywhere(
    library: Library, first: bool
) -> None:
    inner = {"mixture": "inner", "members": [{"select": "a/qa"}], "hold_out": {"select": "b/qa"}}
    library.write("mixtures/inner.yaml", inner)
    members = [{"mixture": "inner", "rate": 1}, {"select": "cluster:y", "rate": 1}]
    assert plan(library, *(members if first else members[::-1])) == {"a/qa": 0.5, "c/qa": 0.5}


def test_what_has_no_cluster_is_not_held_out_by_one(library: Library) -> None:
    about = dataset_of("c")
    del about["tasks"]["qa"]["cluster"]
    library.write("datasets/c.yaml", about)
    hold_out = {"select": "c/qa", "scope": "cluster"}
    error = refused(library, {"select": "all"}, hold_out=hold_out)
    assert error.code == "FC425"
    assert error.diagnostics[0].span is not None


def limits(library: Library, outer: dict[str, Any], inner: dict[str, Any], own: Any) -> Any:
    member = {"select": "a/qa", **own}
    library.write("mixtures/inner.yaml", {"mixture": "inner", "members": [member], **inner})
    library.mixture({"mixture": "inner", **outer}, cap_rows=500)
    loaded, _ = load_library([library.root])
    node, _ = resolve(loaded, loaded.tasks(), "m")
    (task,) = node.all_tasks()
    return task.cap_rows, task.max_epochs


@pytest.mark.parametrize(
    ("outer", "inner", "own", "wanted"),
    [
        ({"cap_rows": 10}, {"cap_rows": 100}, {}, (10, None)),
        ({"cap_rows": 200}, {"cap_rows": 100}, {}, (100, None)),
        ({"cap_rows": 200}, {"cap_rows": 100}, {"cap_rows": 150}, (150, None)),
        ({}, {}, {"cap_rows": 900}, (500, None)),
        ({"max_passes": 1}, {}, {"max_passes": 3}, (500, 1)),
        ({"max_passes": 3}, {}, {"max_passes": 0.5}, (500, 0.5)),
    ],
)
def test_caps_and_passes_of_outer_and_inner_mixtures_both_hold(
    library: Library, outer: Any, inner: Any, own: Any, wanted: Any
) -> None:
    assert limits(library, outer, inner, own) == wanted


def test_overlaps(library: Library) -> None:
    error = refused(library, {"select": "all"}, {"name": "again", "select": "a/qa"})
    assert error.code == "FC404"
    assert "'again' both select 'a/qa'" in str(error)
    assert (
        plan(
            library,
            {"select": "cluster:y", "rate": 1},
            {"select": "all", "overlap": "exclude", "rate": 1},
        )["a/qa"]
        == 0.5
    )
    kept = plan(
        library,
        {"select": "all", "within": "equal", "rate": 3},
        {"select": "a/qa", "overlap": "keep", "rate": 1},
    )
    assert kept == {"a/qa": 0.5, "b/qa": 0.25, "c/qa": 0.25}
    error = refused(
        library, {"select": "all"}, {"select": "a/qa", "overlap": "keep", "shots": {5: 1}}
    )
    assert "different arms, caps or epochs" in str(error)
    once_more = {"select": "a/qa", "overlap": "keep", "max_passes": 1}
    assert refused(library, {"select": "all"}, once_more).code == "FC404"


@pytest.mark.parametrize(
    ("members", "more", "code"),
    [
        ([{"select": "cluster:z"}], {}, "FC406"),
        ([{"select": "all", "rate": 1}, {"mixture": "gone"}], {}, "FC402"),
        ([{"select": "cluster:x", "rate": 1}, {"select": "cluster:y"}], {}, "FC403"),
        ([{"mixture": "m"}], {}, "FC405"),
        ([{"select": "cluster:x"}], {"hold_out": {"select": "cluster:x"}}, "FC407"),
        ([{"select": "all"}], {"hold_out": {"select": "cluster:q"}}, "FC406"),
    ],
)
def test_mistakes(library: Library, members: list[Any], more: dict[str, Any], code: str) -> None:
    error = refused(library, *members, **more)
    assert error.code == code
    assert error.diagnostics[0].span is not None or code == "FC407"


def test_a_name_of_the_ladder_weighs_as_its_largest_task(library: Library) -> None:
    loaded, _ = load_library([library.root])
    tasks = loaded.tasks()
    names = {"a/qa": ("one",), "b/qa": ("one",), "c/qa": ("two",)}
    node = Node("m", within="rungs")
    for id_, task in tasks.items():
        named = replace(task, task=task.task.model_copy(update={"rungs": names[id_]}))
        node.tasks.append(PlannedTask(named, "m", ArmShares(), 300, None))
    found = shares(node, {"a/qa": 300, "b/qa": 100, "c/qa": 300})
    assert {k: round(v, 4) for k, v in found.items()} == {
        "a/qa": 0.375, "b/qa": 0.125, "c/qa": 0.5,
    }  # fmt: skip

"""The tree of a mixture: caps, order of tasks, trees without some tasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from object_streams import task_def

from flancompile.compiler.plan.members import Node, PlannedTask
from flancompile.compiler.render.arms import ArmShares


def planned(id_: str, cap_rows: int | None = None) -> PlannedTask:
    return PlannedTask(task_def(id_), "m", ArmShares(), cap_rows, None)


@pytest.mark.parametrize(
    ("usable", "epochs", "most"),
    [(100, 0.29, 29), (100, 1.1, 110), (10, 0.7, 7), (3, 1 / 3, 1), (3, 0.3, 0), (5, 2, 10), (0, 3, 0)],
)  # fmt: skip
def test_a_limit_of_epochs_is_not_cut_by_rounding(usable: int, epochs: float, most: int) -> None:
    task = PlannedTask(task_def("a/qa"), "m", ArmShares(), None, epochs)
    assert task.over_epochs(usable) == most
    assert planned("a/qa").over_epochs(usable) is None


def tree() -> Node:
    inner = Node("inner", rate=2.0, tasks=[planned("b/qa"), planned("c/qa")])
    outer = Node("outer", rate=1.0, within="equal", temperature=3.0, children=[inner])
    return Node(
        "m", tasks=[planned("a/qa")], children=[outer, Node("last", tasks=[planned("d/qa")])]
    )


def ids(node: Node) -> list[str]:
    return [t.task.id for t in node.all_tasks()]


def test_tasks_of_a_subtree_are_in_the_order_of_its_members() -> None:
    assert ids(tree()) == ["a/qa", "b/qa", "c/qa", "d/qa"]
    assert ids(Node("empty")) == []


def test_a_tree_without_tasks_keeps_its_members_and_the_given_tree() -> None:
    whole = tree()
    found = whole.without({"b/qa", "c/qa", "unknown"})
    assert ids(found) == ["a/qa", "d/qa"]
    assert [c.name for c in found.children] == ["outer", "last"]
    outer, inner = found.children[0], found.children[0].children[0]
    assert (outer.within, outer.temperature, outer.rate, inner.rate) == ("equal", 3.0, 1.0, 2.0)
    assert ids(whole) == ["a/qa", "b/qa", "c/qa", "d/qa"]


@given(st.sets(st.sampled_from("abcd")))
def test_the_tasks_left_are_the_others(letters: set[str]) -> None:
    found = tree().without({f"{letter}/qa" for letter in letters})
    assert ids(found) == [f"{letter}/qa" for letter in "abcd" if letter not in letters]


def test_a_cap_is_an_upper_limit() -> None:
    assert [planned("a/qa", 10).capped(n) for n in (0, 9, 10, 11)] == [0, 9, 10, 10]
    assert planned("a/qa").capped(11) == 11

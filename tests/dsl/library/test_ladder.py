"""The ladder's names, and the tasks that refer to them."""

from itertools import pairwise

from flancompile.dsl.library.ladder import ladder_names, rungs
from flancompile.dsl.library.library import load_library


def test_each_rung_begins_with_the_one_below_it() -> None:
    steps = list(pairwise(rungs()))
    assert len(steps) == 4
    for below, above in steps:
        assert above.names[: len(below.names)] == below.names
        assert above.adds is not None
        assert above.names[len(below.names) :] == ladder_names()[above.adds]


def test_names_are_as_many_as_the_paper_s_and_each_is_once() -> None:
    counts = [(r.tasks, len(r.names) - r.tasks) for r in rungs()]
    assert counts == [(0, 0), (9, 0), (89, 0), (282, 0), (1836, 2)]
    names = rungs()[-1].names
    assert len(set(names)) == len(names)
    assert all(name == name.strip() and name for name in names)


def test_tasks_of_the_library_refer_to_names_of_the_ladder() -> None:
    named = {name for task in load_library()[0].every_task() for name in task.rungs}
    assert named >= set(rungs()[2].names)
    assert named <= set(rungs()[-1].names)

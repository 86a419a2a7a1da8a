"""`ladder`: the rungs as a table and as JSON, and the names that are missing."""

from pathlib import Path

import pytest
from commands import call, call_json
from toys import Library, dataset_of

from flancompile.dsl.library.ladder import rungs
from flancompile.forecast.ladder import UNSERVED


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One task on the first name of the ladder; the data of a second task is missing."""
    made = Library(tmp_path_factory.mktemp("ladder"))
    made.dataset(rows=30)
    for id_, place in (("toy", 0), ("gone", 1)):
        about = dataset_of(id_)
        about["tasks"]["qa"]["rungs"] = [rungs()[1].names[place]]
        made.write(f"datasets/{id_}.yaml", about)
    made.mixture()
    return made.root


def test_rungs_and_missing_names(library: Path) -> None:
    found = call_json("ladder", "m", cwd=library)
    assert [r["tasks"] for r in found] == [0, 9, 89, 282, 1836]
    assert (found[1]["served"], found[1]["on_hand"], found[1]["examples"]) == (2, 1, 30)
    shown = call("ladder", "m", cwd=library).splitlines()
    assert shown[0].split()[:4] == ["rung", "names", "served", "on"]
    assert shown[2].split()[0] == "9" and "30" in shown[2].split()
    (gone,) = [line for line in shown if line.startswith(f"{rungs()[1].names[1]}: ")]
    assert "gone" in gone
    names = len(rungs()[-1].names)
    assert f"{names - 2:,} names are not covered by any task; --all lists them" in shown
    every = call("ladder", "m", "--all", cwd=library).splitlines()
    missing = [line for line in every if line.endswith(f": {UNSERVED}")]
    assert len(missing) == names - 2


def test_a_mixture_that_is_not_there(library: Path) -> None:
    assert "FC402" in call("ladder", "n", cwd=library, ok=2)

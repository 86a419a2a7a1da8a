"""A field without a value drops its row only for the tasks that read the field."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Library

from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.verify import verify

FIELDS = ("q", "a", "b", "c")
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def task(left: str, right: str, **more: Any) -> dict[str, Any]:
    templates = [{"name": "t", "input": f"{{{{ {left} }}}}?", "target": f"{{{{ {right} }}}}"}]
    return {"signature": f"{left} -> {right}", "templates": templates, **more}


def built(root: Path, tasks: dict[str, Any], fields: Any, rows: list[Any], **more: Any) -> Build:
    library = Library(root)
    library.write("datasets/toy.jsonl", rows)
    source = {"files": {"train": "toy.jsonl"}, "id": "id"}
    named = {n: n for n in fields}
    library.write("datasets/toy.yaml", {"source": source, "fields": named, "tasks": tasks})
    library.mixture(**more)
    library.recipe(size={"passes": 1})
    build = library.compile(root / "build", root / "cache")
    assert verify(build) == []
    return build


def exemplars(build: Build, id_: str) -> Counter[int]:
    """The rows' digests of a task's exemplars, counted."""
    lines = [line for batch in build.examples() for line in batch.to_pylist()]
    return Counter(digest for x in lines if x["task"] == id_ for digest in x["exemplars"])


def fates(build: Build, id_: str) -> dict[int, tuple[str, str | None]]:
    """What became of each row, by its place in the source."""
    lines = [x for x in build.ledger().to_pylist() if x["task"] == id_ and x["pass"] == 0]
    return {x["ordinal"]: (x["disposition"], x["reason"]) for x in lines if x["rows"] == 1}


ROWS = st.lists(
    st.fixed_dictionaries({"q": st.integers(0, 99)}, optional={n: st.text("xyz", min_size=1) for n in "abc"}),
    min_size=3, max_size=12,
)  # fmt: skip


@pytest.mark.slow
@FEW
@given(ROWS, st.sampled_from([{}, {"shots": {0: 1, 2: 1}}]))
def test_each_task_sees_the_rows_that_it_would_see_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], more: Any
) -> None:
    folder = tmp_path_factory.mktemp("gaps")
    whole = {"q": 1, "a": "x", "b": "x", "c": "x"}
    numbered = [{"id": i, **row} for i, row in enumerate([*rows, whole])]
    assert numbered
    pairs = {"first": ("q", "a"), "second": ("q", "b"), "third": ("c", "b")}
    tasks = {name: task(*pair) for name, pair in pairs.items()}
    together = built(folder / "all", tasks, FIELDS, numbered, **more)
    for name, pair in pairs.items():
        lost = {r["id"] for r in numbered if any(n not in r for n in pair)}
        found = fates(together, f"toy/{name}")
        assert set(found) == set(range(len(numbered)))
        assert {i for i, (_, why) in found.items() if (why or "").startswith("field")} == lost
        alone = built(folder / name, {name: tasks[name]}, pair, numbered, **more)
        unlike = {
            i
            for i, fate in fates(alone, f"toy/{name}").items()
            if (fate[1] is None) != (found[i][1] is None)
        }
        assert unlike == set(), pair


def test_a_misnamed_column_empties_its_own_task_alone(tmp_path: Path) -> None:
    rows = [{"id": i, "q": str(i), "a": str(-i)} for i in range(20)]
    tasks = {"good": task("q", "a"), "other": task("a", "q", templates=[
        {"name": "t", "input": "{{ a }}", "target": "{{ q }}{{ b }}"}])}  # fmt: skip
    tasks["other"]["signature"] = "a -> q, b"
    build = built(tmp_path, tasks, ("q", "a", "b"), rows)
    assert {fate for fate, _ in fates(build, "toy/good").values()} == {"kept"}
    assert set(fates(build, "toy/other").values()) == {("dropped", "field b: no 'b'")}


@pytest.mark.parametrize("how", [{"from": "reserved", "count": 9}, {"from": "split", "split": "train", "order": "file"}, {"from": "split", "split": "train", "same": "t"}])  # fmt: skip
def test_rows_without_a_field_are_no_exemplars(tmp_path: Path, how: dict[str, Any]) -> None:
    rows = [
        {"id": i, "q": f"why {i} of them", "t": i % 4 > 1, **({"a": f"<{i}>"} if i % 2 else {})}
        for i in range(40)
    ]
    shown = task("q", "a", exemplars=how)
    shown["templates"][0]["target"] = "{{ a | default('LOST', true) }}"
    build = built(tmp_path, {"one": shown, "other": task("q", "id")}, ("q", "a", "t", "id"), rows,
                  shots={2: 1})  # fmt: skip
    lines = [x for x in build.ledger().to_pylist() if x["task"] == "toy/one" and x["pass"] == 0]
    lost = {x["row"] for x in lines if x["reason"] == "field a: no 'a'"}
    assert len(lost) == 20
    shown_ = exemplars(build, "toy/one")
    assert shown_ and lost.isdisjoint(shown_)
    kept = sum(x["disposition"] == "kept" for x in lines)
    assert kept and sum(shown_.values()) >= kept
    reserved = {x["row"] for x in lines if x["disposition"] == "reserved"}
    assert len(reserved) == how.get("count", 0)
    assert not reserved or reserved == set(shown_)


def test_where_of_the_file_drops_the_row_for_all(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.write("datasets/toy.jsonl", [{"id": i, "q": "x", **({"a": "y"} if i else {})} for i in range(9)])  # fmt: skip
    source = {"files": {"train": "toy.jsonl"}, "id": "id"}
    library.write("datasets/toy.yaml", {"source": source, "fields": {n: n for n in ("q", "a", "id")},
                  "where": "a == 'y'", "tasks": {"one": task("q", "id")}})  # fmt: skip
    library.mixture()
    library.recipe(size={"passes": 1})
    build = library.compile(tmp_path / "build", tmp_path / "cache")
    assert fates(build, "toy/one")[0] == ("dropped", "field a: no 'a'")


def test_rows_are_one_s_own_in_evaluation_too(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.write("datasets/toy.jsonl", [{"id": i, "q": f"q{i}", **({"a": "y"} if i % 3 else {})} for i in range(30)])  # fmt: skip
    source = {"files": {"train": "toy.jsonl"}, "id": "id"}
    fields = {n: n for n in ("q", "a", "id")}
    made = {"one": task("q", "a"), "two": task("q", "id")}
    library.write("datasets/toy.yaml", {"source": source, "fields": fields, "tasks": made})
    library.mixture()
    library.recipe(size={"passes": 1}, evaluate=[{"select": "all", "split": "train"}])
    build = library.compile(tmp_path / "build", tmp_path / "cache")
    counts = {t.task: (t.rows, t.dropped) for t in build.manifest.evaluation}
    assert {k: v[0] for k, v in counts.items()} == {"toy/one": 20, "toy/two": 30}
    assert counts["toy/one"][1] == 10


def test_rows_without_a_field_cannot_be_reserved(tmp_path: Path) -> None:
    rows = [{"id": i, "q": f"q{i}", **({"a": "y"} if i % 4 == 0 else {})} for i in range(20)]
    few = task("q", "a", exemplars={"from": "reserved", "count": 5})
    with pytest.raises(FlancompileError, match="5 reserved rows of 5") as caught:
        built(tmp_path / "few", {"one": few}, ("q", "a"), rows)
    assert caught.value.code == "FC302"
    few["exemplars"]["count"] = 4
    build = built(tmp_path / "more", {"one": few}, ("q", "a"), rows)
    found = Counter(disposition for disposition, _ in fates(build, "toy/one").values())
    assert found == {"dropped": 15, "reserved": 4, "kept": 1}

"""Types of columns in schemas.lock: every split that tasks read, and renewed with the data."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Library

from flancompile import check
from flancompile.errors import Diagnostic
from flancompile.lint.reading import Reading

DATASET: dict[str, Any] = {
    "source": {"files": {s: f"{s}.jsonl" for s in ("train", "test", "dev", "spare")}, "id": "id"},
    "fields": {"q": "q", "a": "a"},
    "tasks": {
        "qa": {
            "signature": "q -> a",
            "eval": {"metric": "exact_match", "split": "test"},
            "exemplars": {"from": "split", "split": "dev", "order": "file"},
            "templates": [{"name": "t", "input": "{{ q }} is", "target": "{{ a }}"}],
        }
    },
}


def rows(split: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"{split}{n}", "q": f"{split} {n}?", "a": f"yes {n}", **more} for n in range(30)]


def made(root: Path, **splits: list[dict[str, Any]]) -> Library:
    library = Library(root)
    library.write("datasets/d.yaml", DATASET)
    for split in ("train", "test", "dev", "spare"):
        library.write(f"datasets/{split}.jsonl", splits.get(split, rows(split)))
    return library


def codes(found: list[Diagnostic]) -> list[tuple[str, str]]:
    return [(d.code, d.severity) for d in found]


def lock(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "schemas.lock").read_text())["sources"]["d"]
    return found


def test_every_split_that_a_task_reads_is_in_the_lock(tmp_path: Path) -> None:
    extra = {"train": rows("train", x=1), "test": rows("test", y="b"), "spare": rows("s", z=1)}
    made(tmp_path, **extra)
    assert check(tmp_path, data=Reading()) == []
    entry = lock(tmp_path)
    assert list(entry["splits"]) == ["dev", "test", "train"]
    assert {s["rows"] for s in entry["splits"].values()} == {30}
    assert set(entry["columns"]) == {"id", "q", "a", "x", "y"}
    assert "absent" not in entry  # a whole split may lack a column


def test_a_column_of_one_split_alone_is_known(tmp_path: Path) -> None:
    library = made(tmp_path, test=rows("test", why="as"))
    library.write("datasets/d.yaml", {**DATASET, "fields": {"q": "q", "a": "a", "w": "why"}})
    check(tmp_path, data=Reading())
    assert [d for d in check(tmp_path) if d.code == "FC222"] == []


def test_types_of_changed_data_are_no_errors_and_are_renewed(tmp_path: Path) -> None:
    library = made(tmp_path)
    check(tmp_path, data=Reading())
    library.write("datasets/d.yaml", {**DATASET, "fields": {"q": "qq", "a": "a"}})
    assert codes(check(tmp_path)) == [("FC222", "error")]
    for split in ("train", "test", "dev"):
        library.write(
            f"datasets/{split}.jsonl",
            [{"qq" if k == "q" else k: v for k, v in row.items()} for row in rows(split)],
        )
        found = check(tmp_path)
        assert codes(found) == [("FC222", "warning")]
        assert "`check --data` updates it" in str(found[0].hint)
    assert check(tmp_path, data=Reading()) == []
    assert check(tmp_path) == []
    (tmp_path / "datasets" / "train.jsonl").unlink()  # what is not here contradicts nothing
    assert "FC222" not in dict(codes(check(tmp_path)))


KINDS = {"text": "x", "integer": 3, "list": ["x"], "map": {"k": "x"}}


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.lists(st.sampled_from(sorted(KINDS)), min_size=3, max_size=3),
    after=st.lists(st.sampled_from(sorted(KINDS)), min_size=3, max_size=3),
    use=st.sampled_from(["v.k", "v | join(' ')", "v[0]", "v + 1", "v", "v | upper"]),
)
def test_an_old_lock_gives_no_error_that_present_rows_do_not(
    before: list[str], after: list[str], use: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("lib")
    splits = ("train", "test", "dev")
    given = {s: rows(s, v=KINDS[k]) for s, k in zip(splits, before, strict=True)}
    library = made(root, **given)
    library.write("datasets/d.yaml", {**DATASET, "fields": {"q": "q", "a": "a", "v": use}})
    check(root, data=Reading())
    for split, kind in zip(splits, after, strict=True):
        library.write(f"datasets/{split}.jsonl", rows(split, v=KINDS[kind]))
    stale = [d.message for d in check(root) if d.severity == "error"]
    present = [d.message for d in check(root, data=Reading()) if d.severity == "error"]
    assert set(stale) <= set(present)
    assert [d.message for d in check(root) if d.severity == "error"] == present


def test_the_evaluation_split_is_linted(tmp_path: Path) -> None:
    bad = rows("test")
    for row in bad[:5]:
        row["q"] = None
    made(tmp_path, test=bad)
    (found,) = check(tmp_path, data=Reading())
    assert "d/qa on 'test'" in found.message and "5 of 30 rows" in found.message
    assert check(tmp_path, data=Reading(split="train")) == []
    assert check(tmp_path, data=Reading(split="spare")) == []
    assert len(check(tmp_path, data=Reading(split="test"))) == 1
    (found,) = check(tmp_path, data=Reading(split="tset"))
    assert found.code == "FC301" and "'test'" in str(found.hint)


def test_rows_of_one_id_are_reported_with_their_count(tmp_path: Path) -> None:
    double = rows("train")
    for row in double[10:14]:
        row["id"] = "train3"
    double[20]["id"] = "train21"
    made(tmp_path, train=double)
    (found,) = check(tmp_path, data=Reading())
    assert (found.code, found.severity) == ("FC337", "warning")
    assert (
        "7 of 30 rows of 'd', 'train', share 2 ids: 'train3' (5 rows), 'train21'" in found.message
    )
    assert found.span is not None and found.span.line == 7

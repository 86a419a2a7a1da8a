"""`check --data` where one data file cannot be read: it is reported once, and the rest is linted."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import zstandard
from commands import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lints import about, linted, task
from toys import Library

from flancompile import check
from flancompile.errors import Diagnostic
from flancompile.lint.data import check_rows
from flancompile.lint.reading import Reading

ROWS = [{"q": f"{n}?", "a": f"{random.Random(n).random()}", "n": n} for n in range(400)]
LINES = "".join(json.dumps(r) + "\n" for r in ROWS).encode()
CSV = "q,a,n\n" + "".join(f"{r['q']},{r['a']},{r['n']}\n" for r in ROWS)


def jsonl(path: Path) -> None:
    """Bytes that end within a character."""
    path.write_bytes(LINES.decode().encode("utf-16")[:-1])


def csv(path: Path) -> None:
    path.write_text(CSV + 'an "open" row,"never closed\n')


def json_(path: Path) -> None:
    path.write_text(json.dumps(ROWS)[:-1] + ", trailing")


def parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=300)
    path.write_bytes(path.read_bytes()[:-9])


def arrow(path: Path) -> None:
    pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), path, compression="uncompressed")
    path.write_bytes(path.read_bytes()[:5_000])


def gz(path: Path) -> None:
    path.write_bytes(gzip.compress(LINES)[:-100])


def zst(path: Path) -> None:
    path.write_bytes(zstandard.compress(LINES)[:-100])


def text_in_place_of(form: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(b"no file of this kind" * 100)

    return write


BROKEN: dict[str, Callable[[Path], None]] = {
    "d.jsonl": jsonl, "d.csv": csv, "d.json": json_, "d.parquet": parquet, "d.arrow": arrow,
    "d.jsonl.gz": gz, "d.jsonl.zst": zst, "whole.parquet": text_in_place_of("parquet"),
    "whole.arrow": text_in_place_of("arrow"), "whole.jsonl.gz": text_in_place_of("gz"),
    "whole.jsonl.zst": text_in_place_of("zst"), "whole.json": text_in_place_of("json"),
}  # fmt: skip


def dataset(files: dict[str, str], **source: Any) -> dict[str, Any]:
    """Two tasks whose inputs end in `??`, which a lint of their rows reports (FC326)."""
    task = {
        "signature": "q -> a",
        "eval": {"metric": "exact_match", "split": "test"} if "test" in files else None,
        "templates": [{"name": "t", "input": "{{ q }}?", "target": "{{ a }}"}],
    }  # fmt: skip
    task = {k: v for k, v in task.items() if v is not None}
    return {
        "source": {"files": files, **source},
        "fields": {"q": "q", "a": "a"},
        "tasks": {"one": task, "two": dict(task)},
    }


def library(root: Path, name: str, files: dict[str, str] | None = None) -> Library:
    """A dataset with a broken file, and two good ones that sort before and after it."""
    made = Library(root)
    for good in ("a", "z"):
        made.write(f"datasets/{good}.jsonl", ROWS[:50])
        made.write(f"datasets/{good}.yaml", dataset({"train": f"{good}.jsonl"}))
    read = {"read": {"encoding": "utf-16"}} if name == "d.jsonl" else {}
    made.write("datasets/m.yaml", dataset(files or {"train": name}, **read))
    BROKEN[name](root / "datasets" / name)
    return made


def codes(found: list[Diagnostic], stem: str) -> list[str]:
    return [d.code for d in found if d.span is not None and Path(d.span.path).stem == stem]


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("rows", [None, 2])
def test_a_broken_file_is_reported_once_and_the_rest_is_linted(
    tmp_path: Path, name: str, rows: int | None
) -> None:
    library(tmp_path, name)
    found = check(tmp_path, data=Reading(rows=rows))
    lints = codes(found, "a")
    assert lints == ["FC326", "FC326"]
    assert codes(found, "z") == lints
    errors = [d for d in found if d.severity == "error"]
    assert [d.code for d in errors] == ["FC304"] * len(errors)
    assert len(errors) <= 1
    assert errors or rows is not None  # a sample may end before the damage
    for error in errors:
        assert name in error.message
        assert codes([error], "m") == ["FC304"]
    if errors and name.startswith("whole"):
        assert codes(found, "m") == ["FC304"]


@given(
    st.fixed_dictionaries({s: st.sampled_from([None, *BROKEN]) for s in ("train", "test", "dev")})
)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_each_broken_split_is_an_error_and_each_good_one_is_linted(
    tmp_path_factory: pytest.TempPathFactory, broken: dict[str, str | None]
) -> None:
    root = tmp_path_factory.mktemp("broken")
    made = Library(root)
    files, read = {}, {}
    for split, name in broken.items():
        name = None if name in ("d.jsonl", "d.csv") else name  # these need options of their own
        files[split] = f"{split}.{(name or 'good.jsonl').split('.', 1)[1]}"
        if name is None:
            made.write(f"datasets/{files[split]}", ROWS[:50])
        else:
            BROKEN[name](root / "datasets" / files[split])
            read[split] = files[split]
    about = dataset(files)
    about["tasks"]["two"]["exemplars"] = {"from": "split", "split": "dev"}
    made.write("datasets/m.yaml", about)
    found = check(root, data=Reading(rows=None))
    errors = [d for d in found if d.severity == "error"]
    assert len(errors) == len(read)
    assert {n for n in read.values() if any(n in e.message for e in errors)} == {*read.values()}
    lints = [d for d in found if d.code == "FC326"]
    assert bool(lints) == ("train" not in read or "test" not in read)


def test_the_command_ends_with_an_error(tmp_path: Path) -> None:
    library(tmp_path, "d.parquet")
    said = run("check", "--data", str(tmp_path), cwd=tmp_path, ok=1)
    assert said.count("FC304") == 1
    assert said.count("FC326") == 4
    assert "m.yaml:2:3" in said


def test_a_dataset_with_a_broken_split_is_not_in_the_lock(tmp_path: Path) -> None:
    made = library(tmp_path, "whole.parquet", {"train": "good.jsonl", "test": "whole.parquet"})
    made.write("datasets/good.jsonl", [{"q": "b?", "a": "c"}])
    made.write("datasets/d.yaml", dataset({"train": "good.jsonl"}))
    check(tmp_path, data=Reading())
    kept = json.loads((tmp_path / "schemas.lock").read_text())["sources"]
    assert sorted(kept) == ["a", "d", "z"]


@pytest.mark.parametrize(("rows", "stopped"), [(1, True), (3, False)])
def test_a_sample_that_stops_early_does_not_call_its_split_empty(
    tmp_path: Path, rows: int, stopped: bool
) -> None:
    """150 rows that `where` leaves out, then one that it keeps."""
    library = Library(tmp_path)
    given = [{"q": f"q{n}?", "a": "yes" if n > 149 else "no"} for n in range(151)]
    text = "".join(json.dumps(row) + "\n" for row in given)
    library.write("datasets/rows.jsonl", text)
    task = {
        "signature": "q -> a",
        "templates": [{"name": "plain", "input": "{{ q }}", "target": "{{ a }}"}],
    }
    library.write(
        "datasets/late.yaml",
        {
            "source": {"files": "rows.jsonl"},
            "fields": {"q": "q", "a": "a"},
            "where": "a == 'yes'",
            "tasks": {"answer": task},
        },
    )
    found = check_rows([library.root], None, Reading(rows=rows, write_lock=False))
    empty = [d for d in found if d.code == "FC320"]
    assert all("has no rows" not in d.message for d in empty)
    assert [("rows that were read" in d.message) for d in empty] == [True] * stopped


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2, 3, 4], None),
        ([1, 2, 2, 4], "2 of 4 rows of 'd', 'train', share 1 id: '2' (2 rows)"),
        ([1, "1", 2, 2], "4 of 4 rows of 'd', 'train', share 2 ids: '1' (2 rows), '2' (2 rows)"),
    ],
)
def test_rows_of_one_id_are_counted(tmp_path: Path, ids: list[Any], message: str | None) -> None:
    rows = [{"id": i, "q": f"q{n}", "a": f"a{n}"} for n, i in enumerate(ids)]
    found = linted(tmp_path, rows, task())
    assert about(found, "FC337") == ([] if message is None else [message])


@given(st.lists(st.sampled_from("abc"), max_size=4), st.lists(st.sampled_from("abcd"), max_size=4))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_inputs_of_two_splits_are_compared_without_case_and_white_space(
    tmp_path: Path, train: list[str], test: list[str]
) -> None:
    rows = {
        "train": [{"id": n, "q": f"Is it {q}?", "a": f"a{n}"} for n, q in enumerate(train)],
        "test": [{"id": n, "q": f" is  IT {q}? ", "a": f"b{n}"} for n, q in enumerate(test)],
    }
    found = about(linted(tmp_path, rows, task()), "FC332")
    both = len({*train} & {*test})
    assert found == [f"{both} inputs occur in both 'train' and 'test'"] * bool(both)


def test_warnings_that_a_task_allows_are_marked(tmp_path: Path) -> None:
    rows = [{"id": n, "q": f"q{n}?", "a": f"a{n}"} for n in range(2)]
    found = linted(tmp_path, rows, task("{{ q }}?", allow={"FC326": "they ask twice"}))
    assert [(d.code, d.allowed) for d in found] == [("FC326", "they ask twice")]


def test_a_file_with_errors_is_not_rendered(tmp_path: Path) -> None:
    rows = [{"id": n, "q": f"q{n}?", "a": f"a{n}"} for n in range(2)]
    assert about(linted(tmp_path, rows, task("{{ q }}? {{ z }}")), "FC326") == []

"""Objects on disk: whole or built again, by content address, with the same bytes by both engines."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_streams import Row, object_table
from toys import Library, dataset_of

from flancompile.compiler.cache import Cache
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects import build
from flancompile.compiler.objects.build import (
    MAX_SEGMENT_CACHES,
    WORK,
    ObjectJob,
    build_object,
    is_built,
    json_digest,
    loss_spans_of,
    read_object,
    write_object,
)
from flancompile.compiler.pipeline import prepare, streams_of
from flancompile.compiler.request import request_of
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))


def job_of(root: Path, rows: list[Any] | None = None, **task: Any) -> ObjectJob:
    """The first object of a toy task."""
    library = Library(root / "lib")
    library.dataset("toy", rows=24)
    if rows is not None:
        library.write("datasets/toy.jsonl", rows)
    about = dataset_of("toy")
    about["tasks"]["qa"] |= task
    library.write("datasets/toy.yaml", about)
    library.mixture(shots={0: 1, 2: 1})
    library.recipe()
    request = request_of("r", library=(library.root,), cache=Cache(root / "cache"))
    return streams_of(prepare(request, None), None).streams["toy/qa"].job(0, 0)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ObjectJob:
    return job_of(tmp_path_factory.mktemp("objects"))


def test_an_object_is_built_once_and_its_use_is_marked(job: ObjectJob) -> None:
    path = Path(job.path)
    assert build_object(job) == job.path
    first, inode = path.read_bytes(), path.stat().st_ino
    os.utime(path, (1, 1))
    assert build_object(job) == job.path
    assert (path.read_bytes(), path.stat().st_ino) == (first, inode)
    assert path.stat().st_mtime > 1  # `cache gc` removes the objects that are not used


@pytest.mark.parametrize("kept", [0, 5, 6, 8, 200, -1])
def test_an_object_that_a_crash_cut_short_is_built_again(job: ObjectJob, kept: int) -> None:
    path = Path(build_object(job))
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    assert not is_built(path)
    build_object(job)
    assert path.read_bytes() == whole and is_built(path)


def test_what_is_no_file_is_not_built(tmp_path: Path) -> None:
    assert not is_built(tmp_path / "missing") and not is_built(tmp_path)


def test_both_engines_give_the_same_object(job: ObjectJob) -> None:
    found = [build.object_table(job, by_columns=by) for by in (True, False)]
    assert len(found[0]) == 24
    assert found[0].replace_schema_metadata(None).equals(found[1].replace_schema_metadata(None))
    work = [json.loads(table.schema.metadata[WORK])["rows"] for table in found]
    assert work[0]["by column"] > 0 == work[1]["by column"]
    assert [sum(w.values()) for w in work] == [24, 24]


def test_rows_with_a_gap_follow_the_others_and_are_not_reserved(tmp_path: Path) -> None:
    rows = [
        {
            "id": i,
            "answer": str(i),
            "topic": "",
            "note": "",
            **({"question": f"{i}?"} if i % 3 else {}),
        }
        for i in range(24)
    ]
    job = job_of(tmp_path, rows, exemplars={"from": "reserved", "count": 9})
    table = build.object_table(job)
    assert table["ordinal"].to_pylist()[16:] == [
        n for n in table["ordinal"].to_pylist() if n % 3 == 0
    ]
    reasons = Counter(table["reason"].to_pylist())
    assert reasons["field question: no 'question'"] == 8
    assert table["reason"].to_pylist()[:9] == ["reserved for exemplars"] * 9
    assert reasons["reserved for exemplars"] == 9
    assert sorted(table["ordinal"].to_pylist()) == list(range(24))


def test_only_the_wanted_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "o.arrow"
    write_object(path, object_table([(3, 1), "where"]))
    assert read_object(path, ("reason", "row")).column_names == ["reason", "row"]
    assert read_object(str(path))["ids"].to_pylist() == [[1, 2, 3, 4], []]


ROWS = st.lists(
    st.sampled_from(["where", (3, 1), (2, 2), (1, 2, 3, 4), (1, 1, 1, 1, 1, 1)]), max_size=8
)


@settings(max_examples=60)
@given(ROWS, st.integers(0, 3))
def test_loss_spans_of_an_object_are_those_of_its_rows(rows: list[Row], start: int) -> None:
    table = object_table(rows)
    wanted = [[0, 0] if isinstance(row, str) else list(row) for row in rows]
    assert loss_spans_of(table).tolist() == wanted
    assert loss_spans_of(table.slice(start)).tolist() == wanted[start:]
    chunks = pa.concat_tables([table.slice(0, start), table.slice(start)])
    assert loss_spans_of(chunks).tolist() == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("aé\u2028\U0001f600", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def ordered(value: Any, backwards: bool) -> Any:
    """The value with the keys of its mappings in an order."""
    if isinstance(value, dict):
        return {k: ordered(value[k], backwards) for k in sorted(value, reverse=backwards)}
    return [ordered(v, backwards) for v in value] if isinstance(value, list) else value


@settings(max_examples=60)
@given(JSON, JSON)
def test_a_digest_is_of_the_value_and_not_of_its_order_of_keys(one: Any, other: Any) -> None:
    assert json_digest(ordered(one, False)) == json_digest(ordered(one, True))
    equal = json.dumps(ordered(one, False)) == json.dumps(ordered(other, False))
    assert (json_digest(one) == json_digest(other)) == equal


def test_a_thread_keeps_the_segment_caches_of_the_last_blocks() -> None:
    caches = build._ThreadCaches()
    first = [caches.segment_cache("s", block, BYTES) for block in range(MAX_SEGMENT_CACHES)]
    assert caches.segment_cache("s", 0, BYTES) is first[0]  # used again: now the last
    caches.segment_cache("s", MAX_SEGMENT_CACHES, BYTES)
    assert caches.segment_cache("s", 0, BYTES) is first[0]
    assert caches.segment_cache("s", 1, BYTES) is not first[1]
    assert caches.segment_cache("another", 0, BYTES) is not first[0]


class Large(SegmentCache):
    """A segment cache that is full."""

    size = 40 << 20

    @property
    def nbytes(self) -> int:
        return self.size


def test_segment_caches_keep_within_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SegmentCache", Large)
    caches = build._ThreadCaches()
    first, second = (caches.segment_cache("s", block, BYTES) for block in range(2))
    assert caches.segment_cache("s", 1, BYTES) is second
    assert caches.segment_cache("s", 0, BYTES) is not first  # two of 40 MiB are over 64
    monkeypatch.setattr(Large, "size", 65 << 20)
    again = caches.segment_cache("s", 0, BYTES)
    assert caches.segment_cache("s", 0, BYTES) is not again  # one alone is over the limit

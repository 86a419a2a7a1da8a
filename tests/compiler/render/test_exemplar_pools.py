"""Exemplar pools of a read split: their rows against the whole split, whatever its blocks."""

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Library, change, dataset_of

from flancompile.compiler.render import exemplar_pools as module
from flancompile.compiler.render.exemplar_pools import (
    PoolRef,
    _first_of_each,
    pool_batch,
    pool_digest,
    pool_names,
)
from flancompile.compiler.render.exemplars import item_digest
from flancompile.dsl.jinja.values import compared_key
from flancompile.dsl.models.source import Source
from flancompile.dsl.models.task import Exemplars
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_split
from flancompile.sources.columns import restored
from flancompile.sources.place import resolve_place
from flancompile.store.verify import verify

POOL, EACH, SCANNED = 6, 2, 25  # in place of the constants
FORMS: dict[str, Any] = {"whole": int, "fraction": float, "text": str}
VALUE = st.sampled_from([1, 1.0, "1", 2, "b", None, [1], [1.0]])
ROW = st.fixed_dictionaries({"s": VALUE}, optional={"a": st.just("x"), "b": st.just("y")})


def split_of(folder: Path, rows: list[dict[str, Any]], block_rows: int) -> SplitBlocks:
    """A read split of rows with fields `id`, `a`, `b` and `s`, of which rows may lack some."""
    lines = [json.dumps({"id": i, **row}) for i, row in enumerate(rows)]
    (folder / "dev.jsonl").write_text("\n".join(lines))
    source = Source.model_validate({"files": "dev.jsonl", "id": "id"})
    place = resolve_place(source, None, "train", folder, None)
    spec = SplitSpec(
        "s", place, {n: n for n in ("id", "a", "b", "s")}, None, 1, block_rows=block_rows
    )
    return read_split(spec, folder / "cache")


def column(blocks: SplitBlocks, name: str) -> list[Any]:
    batches = [blocks.block(i) for i in range(len(blocks.block_rows))]
    return [v for b in batches for v in restored(b.column(name), b.schema.field(name))]


def ids(ref: PoolRef, exemplars: Exemplars) -> list[int]:
    batch = pool_batch(ref, exemplars)
    return list(restored(batch.column("id"), batch.schema.field("id")))


def expected(
    blocks: SplitBlocks, rows: list[dict[str, Any]], exemplars: Exemplars, fields: tuple[str, ...]
) -> list[int]:
    """The ids of a pool, by a walk over all rows."""
    stored = column(blocks, "id")
    in_first = stored[: blocks.block_rows[0]]
    whole = [i for i in stored if all(n in rows[i] for n in fields)]
    if exemplars.source == "reserved":
        return [i for i in whole if i in in_first][: exemplars.count]
    if exemplars.order == "drawn" and exemplars.same is None:
        return [i for i in whole if i in in_first]
    order = sorted(whole) if exemplars.order == "file" else whole
    if exemplars.same is None:
        return order[:POOL]
    groups: dict[str, list[int]] = {}
    for i in order[:SCANNED]:
        groups.setdefault(compared_key(rows[i]["s"]), []).append(i)
    most = max(EACH, POOL // max(1, len(groups)))
    kept = {i for group in groups.values() for i in group[:most]}
    return [i for i in order if i in kept]


@given(
    rows=st.lists(ROW, min_size=1, max_size=40),
    block_rows=st.integers(1, 50),
    exemplars=st.sampled_from([
        {"from": "split", "split": "dev"}, {"from": "split", "split": "dev", "order": "file"},
        {"from": "split", "split": "dev", "same": "s"}, {"from": "reserved", "count": 3},
        {"from": "split", "split": "dev", "same": "s", "order": "file"},
        {"from": "reserved", "count": 2, "same": "s"},
    ]),
    fields=st.sampled_from([(), ("a",), ("a", "s"), ("a", "b")]),
)  # fmt: skip
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_pool_is_that_of_the_whole_split(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    block_rows: int,
    exemplars: dict[str, Any],
    fields: tuple[str, ...],
) -> None:
    rows = [*rows, {"s": 1, "a": "x", "b": "y"}]
    blocks = split_of(tmp_path_factory.mktemp("pool"), rows, block_rows)
    given_ = Exemplars.model_validate(exemplars)
    ref = PoolRef(str(blocks.folder), "", given_.count, fields=fields)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("POOL_ROWS", POOL), ("LEAST_EACH", EACH), ("SCANNED_ROWS", SCANNED)):
            patch.setattr(module, name, value)
        found = ids(ref, given_)
    assert found == expected(blocks, rows, given_, fields)


def test_a_pool_in_file_order_does_not_depend_on_the_blocks(tmp_path: Path) -> None:
    rows = [{"s": i % 3, "a": str(i)} for i in range(30)]
    found, digests = [], []
    for block_rows in (4, 7, 100):
        folder = tmp_path / str(block_rows)
        folder.mkdir()
        blocks = split_of(folder, rows, block_rows)
        for same in (None, "s"):
            about = {"from": "split", "split": "dev", "order": "file", "same": same}
            exemplars = Exemplars.model_validate(about)
            found.append(ids(PoolRef(str(blocks.folder)), exemplars))
            digests.append(pool_digest(blocks, exemplars))
    assert found == [list(range(30))] * 6
    assert len(set(digests)) == 3  # of the stored blocks


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["fraction", "text", "whole"])),
        max_size=40,
    ),
    st.integers(1, 4),
)
def test_a_pool_holds_the_first_rows_of_each_value(rows: list[tuple[int, str]], each: int) -> None:
    keys = [compared_key(FORMS[form](n)) for n, form in rows]
    assert len(set(keys)) == len({n for n, _ in rows})
    places = np.arange(len(rows)) * 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "POOL_ROWS", 1)
        patch.setattr(module, "LEAST_EACH", each)
        kept = _first_of_each(keys, places).tolist()
    first = {
        n: list(islice((i for i, (m, _) in enumerate(rows) if m == n), each)) for n in range(4)
    }
    assert kept == sorted(10 * i for of in first.values() for i in of)
    assert _first_of_each(keys, places).tolist() == places.tolist()  # fewer than a pool may hold


def test_rows_of_a_pool_are_named_by_their_split_and_id(tmp_path: Path) -> None:
    blocks = split_of(tmp_path, [{"s": 1, "a": "x"}, {"s": 2}, {"s": 3, "a": "y"}], 100)
    exemplars = Exemplars.model_validate({"from": "split", "split": "dev", "order": "file"})
    names = pool_names(PoolRef(str(blocks.folder), fields=("a",)), exemplars)
    assert list(names.values()) == ["dev:0", "dev:2"]
    assert set(names) < set(column(blocks, "_row"))


def test_items_of_a_file_are_named_by_their_place() -> None:
    items = [{"q": "1?"}, {"q": "2?"}, "text"]
    exemplars = Exemplars.model_validate({"from": "file", "file": "shots.jsonl"})
    ref = PoolRef(rows=tuple(map(json.dumps, items)), name="shots.jsonl")
    assert pool_names(ref, exemplars) == {
        item_digest(item): f"shots.jsonl:{n}" for n, item in enumerate(items, 1)
    }


def test_exemplars_from_another_split_in_file_order(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    rows = [
        {
            "id": f"d{i}",
            "question": f"dev {i}?",
            "answer": str(i),
            "topic": f"topic {i % 4}",
            "note": "",
        }
        for i in range(12)
    ]
    library.write("datasets/dev.jsonl", rows)
    about = dataset_of("toy")
    about["source"]["files"]["dev"] = "dev.jsonl"
    about["tasks"]["qa"]["templates"] = about["tasks"]["qa"]["templates"][:1]
    about["tasks"]["qa"]["exemplars"] = {
        "from": "split",
        "split": "dev",
        "order": "file",
        "same": "topic",
    }
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    names = build.exemplar_names("toy/qa")
    for batch in build.examples():
        for example in batch.to_pylist():
            _, tokens = build.example_ids(example["pack"], example["segment"])
            text = bytes(int(t) - 3 for t in tokens["tokens"] if t > 2).decode()
            topic = int(example["row_id"]) % 4
            assert f"dev {topic}?" in text
            assert f"dev {topic + 4}?" in text
            assert example["shots"] == 2
            assert [names[e] for e in example["exemplars"]] == [
                f"dev:d{topic}",
                f"dev:d{topic + 4}",
            ]
    assert verify(build) == []


@pytest.mark.parametrize(
    "settings", [{"order": "file"}, {"order": "file", "same": "topic"}, {"same": "topic"}]
)
def test_a_long_split_s_pool_is_of_all_its_blocks(
    library: Library, cache: Path, tmp_path: Path, settings: dict[str, str]
) -> None:
    dev = [
        {"id": f"d{i}", "question": f"dev {i}?", "answer": str(i), "note": "",
         "topic": f"topic {i % 4}" if i < 20 else "another"}
        for i in range(9000)
    ]  # fmt: skip
    library.write("datasets/dev.jsonl", dev)
    about = dataset_of("toy")
    about["source"]["files"]["dev"] = "dev.jsonl"
    about["tasks"]["qa"]["templates"] = about["tasks"]["qa"]["templates"][:1]
    about["tasks"]["qa"]["exemplars"] = {"from": "split", "split": "dev", **settings}
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    examples = [e for batch in build.examples() for e in batch.to_pylist()]
    assert len(examples) == 300
    for example in examples:
        _, tokens = build.example_ids(example["pack"], example["segment"])
        text = bytes(int(t) - 3 for t in tokens["tokens"] if t > 2).decode()
        shown = [int(n) for n in re.findall(r"dev (\d+)\?", text)]
        topic = int(example["row_id"]) % 4
        if settings == {"order": "file"}:
            assert shown == [0, 1]
        elif "order" in settings:
            assert shown == [topic, topic + 4]
        else:
            assert len(shown) == 2
            assert all(n < 20 and n % 4 == topic for n in shown)

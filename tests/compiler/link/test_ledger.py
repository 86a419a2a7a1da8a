"""The ledger: every row of every epoch has one disposition, against a count row by row."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_streams import Row, object_table, stream_of
from toys import Library, change, dataset_of

from flancompile.compiler.evaluation.rows import Lost
from flancompile.compiler.link.ledger import drop_reasons, eval_ledger, ledger_of
from flancompile.compiler.objects.build import write_object
from flancompile.compiler.objects.jobs import task_fields
from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.dsl.models.source import Source
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_split
from flancompile.sources.gaps import split_gaps
from flancompile.sources.place import resolve_place
from flancompile.store.schema import LEDGER

OVER_LONG = "the prompt is over-long"
GAP = "gap"
KINDS = ("example", "truncated", OVER_LONG, GAP, "unread")
Line = tuple[int, str, str | None]  # epoch, disposition, reason


def read(folder: Path, kinds: list[str], block_rows: int = 4) -> SplitBlocks:
    """A split with a row of each given kind. A row with a gap has no question."""
    about = dataset_of("a")
    rows = [
        {"id": str(i), "question": f"{kind} {i}", "answer": "1", "topic": "", "note": kind}
        for i, kind in enumerate(kinds)
    ]
    for row, kind in zip(rows, kinds, strict=True):
        if kind == GAP:
            del row["question"]
    Library(folder).write("a.jsonl", rows)
    place = resolve_place(
        Source.model_validate({"files": "a.jsonl", "id": "id"}), None, "train", folder, None, None
    )
    spec = SplitSpec("a", place, about["fields"], "note != 'unread'", 1, block_rows=block_rows)
    return read_split(spec, folder / "cache")


def stream_over(folder: Path, blocks: SplitBlocks, **limits: Any) -> Stream:
    """A stream over the split's blocks, of which each row gives what its question says."""
    fields = task_fields(stream_of(folder, "a/qa", []).planned.task)
    epoch: list[list[Row]] = []
    tables = []
    for number in range(blocks.batches):
        whole, lost, reasons = split_gaps(blocks.block(number), fields)
        kinds = [text.rsplit(" ", 1)[0] for text in whole.column("question").to_pylist()]
        rows: list[Row] = [k if k == OVER_LONG else (3, 1) for k in kinds]
        cut = [i for i, kind in enumerate(kinds) if kind == "truncated"]
        table = object_table([*rows, *reasons], truncated=cut)
        for name, column in {"row": "_row", "row_id": "_id", "ordinal": "_ordinal"}.items():
            both = pa.concat_arrays([whole.column(column), lost.column(column)])
            table = table.set_column(table.schema.get_field_index(name), name, both)
        epoch.append(rows)
        tables.append(table)
    stream = stream_of(folder, "a/qa", epoch, **limits)
    for number, table in enumerate(tables):
        for pass_ in range(4):
            write_object(Path(stream.job(number, pass_).path), table)
    return stream


def naive_ledger(stream: Stream, blocks: SplitBlocks, taken: int) -> Counter[Line]:
    """The number of rows of each disposition in each epoch, row by row."""
    fields = task_fields(stream.planned.task)
    cap = stream.planned.cap_rows
    found: Counter[Line] = Counter()
    for epoch in range(max((p.epoch for p in stream.pieces), default=0) + 1):
        built = {p.block for p in stream.pieces if p.epoch == epoch}
        reason = "where" if epoch == 0 else "when read"
        found[epoch, "dropped", reason] += blocks.rows - blocks.kept
        before, beyond = 0, Counter[Line]()
        reached_all = True
        for number in range(blocks.batches):
            whole, _, reasons = split_gaps(blocks.block(number), fields)
            for why in reasons:
                found[epoch, "dropped", why] += 1
            within = cap is None or before < cap
            reached_all &= number in built or not within
            for text in whole.column("question").to_pylist():
                kind = text.rsplit(" ", 1)[0]
                if number not in built:
                    beyond[epoch, "unused", ""] += 1
                elif kind == OVER_LONG:
                    found[epoch, "dropped", OVER_LONG] += 1
                elif cap is not None and before >= cap:
                    found[epoch, "unused", "beyond the cap"] += 1
                elif taken == 0:
                    found[epoch, "unused", "beyond the quota"] += 1
                else:
                    taken -= 1
                    found[epoch, "kept" if kind == "example" else kind, None] += 1
                before += 1
        why = "beyond the cap" if reached_all else "not reached"
        found[epoch, "unused", why] += beyond[epoch, "unused", ""]
    return +found


def counted(stream: Stream, blocks: SplitBlocks, taken: int) -> Counter[Line]:
    found: Counter[Line] = Counter()
    for part in ledger_of(stream, blocks, "train", taken):
        assert part.schema.equals(LEDGER)
        for line in part.to_pylist():
            assert (line["task"], line["split"]) == ("a/qa", "train")
            assert line["rows"] == 1 or line["row"] is None
            found[line["pass"], line["disposition"], line["reason"]] += line["rows"]
    return +found


@settings(max_examples=15)
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=20),
    st.none() | st.integers(1, 12),
    st.integers(1, 30),
    st.integers(0, 3),
)
def test_dispositions_are_those_of_a_count_row_by_row(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[str],
    cap: int | None,
    wanted: int,
    spare: int,
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    blocks = read(folder, kinds)
    stream = stream_over(folder, blocks, cap_rows=cap, max_epochs=3)
    Streams({"a/qa": stream}).ensure({"a/qa": wanted})
    taken = max(0, min(wanted, stream.usable) - spare)
    found = counted(stream, blocks, taken)
    assert found == naive_ledger(stream, blocks, taken)
    sums: Counter[int] = Counter()
    for (epoch, _, _), rows in found.items():
        sums[epoch] += rows
    assert set(sums.values()) == {len(kinds)}


def test_rows_of_a_block_that_no_quota_reached_are_not_beyond_the_cap(tmp_path: Path) -> None:
    # Half of the rows have a gap, so an object has more lines than examples.
    blocks = read(tmp_path, ["example", GAP] * 6)
    counts = blocks.rows_for(("question",))
    stream = stream_over(tmp_path, blocks, cap_rows=counts[0] + 1)
    Streams({"a/qa": stream}).ensure({"a/qa": counts[0]})
    assert len(stream.pieces) == 1
    found = counted(stream, blocks, counts[0])
    assert found[0, "unused", "not reached"] == 6 - counts[0]
    assert (0, "unused", "beyond the cap") not in found


def test_lines_name_the_rows_of_the_source(tmp_path: Path) -> None:
    blocks = read(tmp_path, ["example", GAP, "unread", OVER_LONG])
    stream = stream_over(tmp_path, blocks)
    Streams({"a/qa": stream}).ensure({"a/qa": 1})
    lines = pa.concat_tables(ledger_of(stream, blocks, "train", 1)).to_pylist()
    fates = {line["row_id"]: (line["ordinal"], line["disposition"]) for line in lines}
    assert fates == {
        "0": (0, "kept"),
        "1": (1, "dropped"),
        "2": (2, "dropped"),
        "3": (3, "dropped"),
    }
    assert len({line["row"] for line in lines}) == 4
    (gap,) = [line["reason"] for line in lines if line["row_id"] == "1"]
    assert gap.startswith("field question: ")


def test_drop_reasons_are_the_most_frequent_first(tmp_path: Path) -> None:
    kinds = [*["unread"] * 3, *[OVER_LONG] * 2, GAP, "example"]
    blocks = read(tmp_path, kinds, block_rows=20)
    stream = stream_over(tmp_path, blocks)
    Streams({"a/qa": stream}).ensure({"a/qa": 1})
    assert drop_reasons(stream, blocks, most=2) == f"a/qa: 3 rows: where, 2 rows: {OVER_LONG}"
    assert "1 rows: field question" in drop_reasons(stream, blocks)
    clean = read(tmp_path / "clean", ["example"])
    assert drop_reasons(stream_over(tmp_path / "clean", clean), clean) == ""


@pytest.mark.parametrize("unused", [0, 7])
@pytest.mark.parametrize("dropped", [0, 2])
def test_an_evaluation_set_accounts_for_its_rows(dropped: int, unused: int) -> None:
    kept = pa.table(
        {
            "row": pa.array(np.arange(3, dtype=np.uint64)),
            "row_id": pa.array(["a", None, "c"]),
            "fewer_shots": pa.array([None, "too few exemplars to draw", None]),
        }
    )
    lost = [Lost(10 + i, f"l{i}", i, "the target is empty") for i in range(dropped)]
    found = eval_ledger("a/qa@5shot", "test", kept, lost, unused)
    assert found.schema.equals(LEDGER)
    lines = found.to_pylist()
    assert sum(line["rows"] for line in lines) == 3 + dropped + unused
    assert [line["reason"] for line in lines][:3] == [None, "too few exemplars to draw", None]
    dispositions = Counter(line["disposition"] for line in lines)
    assert dispositions == +Counter(kept=3, dropped=dropped, unused=min(unused, 1))
    assert [line["ordinal"] for line in lines if line["disposition"] == "dropped"] == [
        *range(dropped)
    ]
    assert {line["task"] for line in lines} == {"a/qa@5shot"}


def test_an_empty_evaluation_set_has_an_empty_ledger() -> None:
    types = {"row": pa.uint64(), "row_id": pa.string(), "fewer_shots": pa.string()}
    none = pa.table({n: pa.array([], t) for n, t in types.items()})
    assert eval_ledger("a/qa", "test", none, (), 0).equals(LEDGER.empty_table())


def test_a_build_tells_why_rows_were_dropped(library: Library, cache: Path, tmp_path: Path) -> None:
    with (library.root / "datasets/toy.jsonl").open("a") as rows:
        rows.write('{"id": 1, \n{"id": 999, "question": "?"}\n')
    change(library, "mixtures/m.yaml", members=[{"select": "toy/qa"}])
    build = library.compile(tmp_path / "a", cache)
    found = {d["reason"]: d["rows"] for d in build.dropped() if d["task"] == "toy/qa"}
    assert list(found.values()) == [1, 1]
    assert any("not JSON" in reason for reason in found)


def test_the_ledger_accounts_for_every_row(library: Library, cache: Path, tmp_path: Path) -> None:
    about = dataset_of("toy")
    about["where"] = "topic != 'topic 3'"
    about["fields"]["note"] = "note | trim"
    about["tasks"]["qa"]["exemplars"] = {"from": "reserved", "count": 10}
    library.write("datasets/toy.yaml", about)
    change(library, "recipes/r.yaml", size={"examples": 120})
    build = library.compile(tmp_path / "a", cache)
    ledger = build.ledger().filter(pc.equal(build.ledger()["task"], "toy/qa"))
    found: Counter[str] = Counter()
    for line in ledger.to_pylist():
        found[line["disposition"]] += line["rows"]
    assert found["dropped"] >= 50
    assert found["reserved"] == 10
    assert found["kept"] == 80
    assert sum(found.values()) == 200
    reserved = {line["row"] for line in ledger.to_pylist() if line["disposition"] == "reserved"}
    shown = {
        e
        for b in build.examples()
        for r in b.to_pylist()
        if r["task"] == "toy/qa"
        for e in r["exemplars"]
    }
    assert shown
    assert shown <= reserved


def test_one_row_s_error_drops_that_row(library: Library, cache: Path, tmp_path: Path) -> None:
    lines = (library.root / "datasets/toy.jsonl").read_text().splitlines()
    lines[3] = '{"id": 3, "question": "no answer"}'
    lines[5] = "{broken"
    library.write("datasets/toy.jsonl", "\n".join(lines))
    build = library.compile(tmp_path / "a", cache)
    reasons = Counter(build.ledger()["reason"].to_pylist())
    passes = len(set(build.ledger()["pass"].to_pylist()))
    assert reasons["field answer: no 'answer'"] == passes
    assert any(str(r).startswith("not JSON") and "toy.jsonl:6" in r for r in reasons)

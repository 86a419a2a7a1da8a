"""Builds written from made-up plans come back as they were, byte for byte."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flancompile.errors import FlancompileError
from flancompile.store import writer as writing
from flancompile.store.build import Build
from flancompile.store.expand import expand
from flancompile.store.loss_spans import LossSpans
from flancompile.store.verify import verify
from flancompile.store.writer import BuildWriter, PackTable

Planned = Callable[..., Any]
CONFTEST = Path(__file__).with_name("conftest.py")


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@settings(max_examples=30, deadline=None)
@given(
    layout=st.sampled_from(["decoder", "encoder_decoder"]),
    dtype=st.sampled_from(["uint16", "uint32"]),
    n=st.integers(1, 50),
    shard=st.integers(1, 6),
    blocks=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
)
def test_written_builds_read_back(
    planned: Planned, tmp_path_factory: pytest.TempPathFactory, layout: str, dtype: str, n: int,
    shard: int, blocks: int, seed: int,
) -> None:  # fmt: skip
    vocab = 1 << 16 if dtype == "uint16" else 1 << 18
    more = {"layout": layout, "dtype": dtype, "shard_packs": shard, "vocab_size": vocab}
    plan = planned(n, seed, **more)
    out = tmp_path_factory.mktemp("written") / "b"
    plan.write(out, blocks=blocks)
    build = Build.open(out)
    assert verify(build) == []
    assert [build.packs[p].examples.tolist() for p in range(len(build.packs))] == plan.packs
    for pack, examples in enumerate(plan.packs):
        for segment, example in enumerate(examples):
            found, tokens = build.example_ids(pack, segment)
            assert found == example
            assert np.concatenate(list(tokens.values())).tolist() == plan.ids[example].tolist()
            assert build.packs[pack].loss_spans[segment].tolist() == plan.lengths[example].tolist()
    tokens, loss_spans, offsets = build.packs.gather(np.arange(len(build.packs)))
    arrays = expand(layout, build.manifest.lengths, loss_spans, offsets)
    targets = [ids[row[0] :] for row, ids in zip(plan.lengths, plan.ids, strict=True)]
    name, weights = (
        ("tokens", "loss_weights") if layout == "decoder" else ("targets", "targets_loss_weights")
    )
    expected = np.concatenate([targets[e] for p in plan.packs for e in p])
    assert tokens[name][arrays[weights] > 0].tolist() == expected.tolist()


@pytest.mark.parametrize("layout", ["decoder", "encoder_decoder"])
def test_the_same_plan_gives_the_same_bytes(planned: Planned, tmp_path: Path, layout: str) -> None:
    first = planned(60, layout=layout).write(tmp_path / "a", blocks=1)
    second = planned(60, layout=layout).write(tmp_path / "elsewhere" / "b", blocks=13)
    assert first == second
    assert contents(tmp_path / "a") == contents(tmp_path / "elsewhere" / "b")
    other = planned(60, seed=1, layout=layout).write(tmp_path / "c")
    assert other.root_digest != first.root_digest


def test_examples_are_cut_into_files(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "EXAMPLES_A_FILE", 16)
    planned(40).write(tmp_path / "b")
    build = Build.open(tmp_path / "b")
    assert [e.rows for e in build.manifest.examples] == [16, 16, 8]
    assert [build.example(i)["row_id"] for i in (0, 15, 16, 39)] == [
        "row 0",
        "row 15",
        "row 16",
        "row 39",
    ]
    assert verify(build) == []


def test_many_packs_are_cut_into_batches(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = planned(60, shard_packs=100).write(tmp_path / "whole")
    monkeypatch.setattr(writing, "BATCH_BYTES", 3 * 32 * 2)
    plan = planned(60, shard_packs=100)
    plan.write(tmp_path / "b")
    build = Build.open(tmp_path / "b")
    parts = [first for first, *_ in build.packs.parts()]
    assert parts == list(range(0, len(plan.packs), 3))
    assert verify(build) == []
    assert whole.counts == build.manifest.counts


def test_the_ledger_s_groups_do_not_depend_on_how_it_comes(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LEDGER_GROUP_ROWS", 10)
    table = planned(25)._ledger()
    for name, step in (("a", 1), ("b", 7), ("c", 25)):
        with BuildWriter(tmp_path / name, "decoder", {"tokens": 8}, "uint16") as writer:
            for start in range(0, 25, step):
                writer.write_ledger(table.slice(start, step))
            writer._close_ledger()
            (writer.folder / "ledger.parquet").rename(tmp_path / f"{name}.parquet")
    about = parquet.ParquetFile(tmp_path / "a.parquet").metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [10, 10, 5]
    assert parquet.read_table(tmp_path / "a.parquet").equals(table)
    texts = {(tmp_path / f"{name}.parquet").read_bytes() for name in "abc"}
    assert len(texts) == 1


def test_names_of_evaluation_files_do_not_meet(
    eval_rows: Callable[[int], pa.Table], tmp_path: Path
) -> None:
    with BuildWriter(tmp_path / "b", "decoder", {"tokens": 8}, "uint16") as writer:
        first = writer.write_eval("a.b/c", eval_rows(2), {"metric": "m"})
        second = writer.write_eval("a/b.c", eval_rows(3), {"metric": "m"})
        assert first.path == "eval/a.b.c.arrow"
        assert second.path.startswith("eval/a.b.c.")
        assert (first.rows, second.rows) == (2, 3)
        assert len(list((writer.folder / "eval").iterdir())) == 2


def table_of_one() -> PackTable:
    return PackTable(np.array([0, 1]), np.array([0]), LossSpans.pairs(np.array([[1, 1]])))


def test_an_id_too_large_for_its_type_is_refused(tmp_path: Path) -> None:
    with BuildWriter(tmp_path / "b", "decoder", {"tokens": 8}, "uint16") as writer:
        writer.create_packs(table_of_one(), 4, 0)
        with pytest.raises(FlancompileError, match="id 65536 does not fit") as caught:
            writer.scatter(0, np.array([65536, 1], np.uint32), np.array([[1, 1]]))
        assert caught.value.code == "FC514"
        writer.scatter(0, np.array([65535, 1], np.uint32), np.array([[1, 1]]))
        assert writer._views[0][0][1][0].tolist() == [65535, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("ids", "lengths"),
    [
        (3, [[1, 1]]),  # more ids than lengths
        (9, [[4, 5]]),  # beyond the pack
    ],
)
def test_ids_never_leave_their_pack(tmp_path: Path, ids: int, lengths: list[list[int]]) -> None:
    with BuildWriter(tmp_path / "b", "decoder", {"tokens": 8}, "uint16") as writer:
        writer.create_packs(table_of_one(), 4, 0)
        with pytest.raises(AssertionError):
            writer.scatter(0, np.ones(ids, np.uint32), np.array(lengths))


@pytest.mark.parametrize("examples", [[0, 0], [0, 2], [0, 1]])
def test_a_table_that_is_no_permutation_or_overfull_is_refused(
    tmp_path: Path, examples: list[int]
) -> None:
    size = 5 if examples == [0, 1] else 1
    loss_spans = np.full((2, 2), size)
    table = PackTable(np.array([0, 2]), np.array(examples), LossSpans.pairs(loss_spans))
    with (
        BuildWriter(tmp_path / "b", "decoder", {"tokens": 8}, "uint16") as writer,
        pytest.raises((AssertionError, IndexError)),
    ):
        writer.create_packs(table, 4, 0)


def test_a_forgotten_example_or_file_is_refused(planned: Planned, tmp_path: Path) -> None:
    plan = planned(5)
    real = BuildWriter.scatter
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BuildWriter, "scatter", lambda s, f, i, n: real(s, f, i, n) if f else None)
        with pytest.raises(AssertionError, match="never scattered"):
            plan.write(tmp_path / "b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            BuildWriter, "scatter",
            lambda s, f, i, n: ((s.folder / "stray").write_text(""), real(s, f, i, n)),
        )  # fmt: skip
        with pytest.raises(AssertionError, match="stray"):
            plan.write(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing(planned: Planned, tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        BuildWriter(tmp_path / "b", "decoder", {"tokens": 8}, "uint16") as writer,
    ):
        writer.create_packs(table_of_one(), 4, 0)
        writer.write_ledger(planned(3)._ledger())
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1500, 5000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """A limit on a file's size stands for the disk's: packs, or only the examples, are too large."""
    code = f"""
import importlib.util, resource, sys
from pathlib import Path
from flancompile.errors import FlancompileError
spec = importlib.util.spec_from_file_location("plans", {str(CONFTEST)!r})
plans = sys.modules["plans"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plans)
plan = plans.make_plan(40, shard_packs=2)
plan.write(Path({str(tmp_path / "warm")!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    plan.write(Path({str(tmp_path / "b")!r}))
except FlancompileError as error:
    print(error.code, error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.startswith("FC513 error FC513: cannot write"), run.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["warm"]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 7),
    st.sampled_from(["uint16", "uint32"]),
    st.integers(0, 2**32 - 1),
)
def test_scattered_tokens_come_back(
    tmp_path_factory: pytest.TempPathFactory, n: int, shard: int, dtype: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 5, (n, 2))
    order = rng.permutation(n)
    offsets = np.arange(0, n + 3, 3).clip(max=n)
    offsets = np.unique(offsets)
    out = tmp_path_factory.mktemp("scatter") / "b"
    ids = [rng.integers(0, 1000, int(row.sum())).astype(np.uint32) for row in lengths]
    with BuildWriter(out, "decoder", {"tokens": 32}, dtype) as writer:
        writer.create_packs(PackTable(offsets, order, LossSpans.pairs(lengths[order])), shard, 7)
        half = n // 2
        for start, end in ((half, n), (0, half)):
            if end > start:
                writer.scatter(start, np.concatenate(ids[start:end]), lengths[start:end])
        for writable in writer._maps:
            writable.flush()
        rows = []
        for path, _ in writer._shards:
            with pa.memory_map(str(path)) as source:
                rows += pa.ipc.open_file(source).read_all().to_pylist()
        for row in rows:
            expected = np.concatenate([ids[e] for e in row["example"]]).tolist()
            assert row["tokens"] == expected + [7] * (32 - len(expected))
            assert row["runs"] == [lengths[e].tolist() for e in row["example"]]
    assert not out.exists()
    assert list(out.parent.iterdir()) == []

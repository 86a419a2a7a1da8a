"""Builds written from made-up plans, without a compiler."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library

from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.expand import expand
from flancompile.store.export import export
from flancompile.store.loss_spans import LossSpans
from flancompile.store.manifest import Manifest
from flancompile.store.verify import verify
from flancompile.store.writer import BuildWriter, PackTable


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("library"))
    made.dataset()
    made.mixture(shots={0: 1, 2: 1})
    made.recipe(
        evaluate=[{"select": "all", "split": "validation", "max_rows": 20}], shards={"packs": 9}
    )
    made.recipe("e", layout="encoder_decoder", lengths={"input": 256, "target": 32})
    return made


@pytest.fixture(scope="module", params=["r", "e"])
def build(
    request: pytest.FixtureRequest, library: Library, tmp_path_factory: pytest.TempPathFactory
) -> Build:
    folder = tmp_path_factory.mktemp("build")
    return library.compile(folder / "b", folder / "cache", request.param)


def test_a_sound_build_has_no_problems(build: Build) -> None:
    assert verify(build) == []


def copy(build: Build, folder: Path) -> Build:
    import shutil

    shutil.copytree(build.path, folder / "copy")
    return Build.open(folder / "copy")


def test_one_byte_anywhere_is_found(build: Build, tmp_path: Path) -> None:
    broken = copy(build, tmp_path)
    for entry in broken.manifest.files():
        path = broken.path / entry.path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert entry.path in [p.file for p in verify(Build.open(broken.path))]
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert verify(Build.open(broken.path)) == []


def test_a_wrong_count_is_found(build: Build, tmp_path: Path) -> None:
    broken = copy(build, tmp_path)
    path = broken.path / "manifest.json"
    about = json.loads(path.read_text())
    about["counts"]["tokens"] += 1
    path.write_text(json.dumps(about))
    (problem,) = verify(Build.open(broken.path))
    assert "an entry was changed" in problem.message
    Manifest.model_validate(about).sealed().write(path)
    messages = [p.message for p in verify(Build.open(broken.path))]
    assert len(messages) == 2  # against the packs, and against the tasks
    assert all(" tokens, " in message for message in messages)


def test_what_is_no_build_says_so(build: Build, tmp_path: Path) -> None:
    broken = copy(build, tmp_path)
    with pytest.raises(FlancompileError, match="did you mean 'copy'"):
        Build.open(tmp_path / "cpoy")
    (broken.path / broken.manifest.shards[0].path).unlink()
    with pytest.raises(FlancompileError, match="has lost packs/00000"):
        Build.open(broken.path)
    path = broken.path / "manifest.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "format_version": 99}))
    with pytest.raises(FlancompileError, match="upgrade flancompile"):
        Build.open(broken.path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(FlancompileError, match="is damaged"):
        Build.open(broken.path)


def test_examples_and_packs_agree(build: Build) -> None:
    seen = []
    for pack in range(len(build.packs)):
        for segment, example_id in enumerate(build.packs[pack].examples.tolist()):
            about = build.example(example_id)
            assert (about["pack"], about["segment"]) == (pack, segment)
            found, tokens = build.example_ids(pack, segment)
            assert found == example_id
            last = list(tokens.values())[-1]
            assert last[-1] == build.manifest.tokenizer.eos_id
            seen.append(example_id)
    assert sorted(seen) == list(range(build.manifest.counts["examples"]))
    for bad in (-1, len(seen)):
        with pytest.raises(FlancompileError):
            build.example(bad)
    with pytest.raises(FlancompileError, match="no segment"):
        build.example_ids(0, 99)
    with pytest.raises(FlancompileError, match="no pack"):
        build.example_ids(len(build.packs), 0)


def test_exports_hold_the_same(build: Build, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from pyarrow import parquet

    packs = [build.packs[i] for i in range(len(build.packs))]
    column = build.packs.columns[0]
    assert export(build, tmp_path / "a.parquet", "parquet") == len(packs)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table[column].to_pylist() == [p.tokens[column].tolist() for p in packs]
    export(build, tmp_path / "hf", "hf-disk")
    loaded = datasets.load_from_disk(str(tmp_path / "hf"))
    assert list(loaded[column]) == [p.tokens[column].tolist() for p in packs]
    assert list(loaded["runs"]) == [p.loss_spans.tolist() for p in packs]
    from flancompile.tokenizer.load import load_folder

    tokenizer = load_folder(build.tokenizer_folder)
    assert (
        export(build, tmp_path / "a.jsonl", "jsonl", decode=tokenizer.decode)
        == build.manifest.counts["examples"]
    )
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for line in lines:
        assert tokenizer.encode([line["prompt"]])[0].tolist() == line["prompt_ids"]
        assert tokenizer.encode([line["target"]])[0].tolist() == line["target_ids"]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    with pytest.raises(FlancompileError, match="did you mean 'parquet'"):
        export(build, tmp_path / "b", "parqet")
    with pytest.raises(FlancompileError, match="is there already"):
        export(build, tmp_path / "a.jsonl", "jsonl")


@pytest.mark.parametrize("format_", ["parquet", "jsonl", "hf-disk"])
def test_an_export_that_fails_leaves_nothing_and_minds_no_leavings(
    build: Build, tmp_path: Path, format_: str
) -> None:
    def end(done: int, total: int) -> None:
        raise KeyboardInterrupt

    def bad(ids: Any) -> str:
        raise KeyboardInterrupt

    leavings = tmp_path / ".x.partial"  # of a run that was killed
    if format_ == "hf-disk":
        leavings.mkdir()
    leavings = leavings / "old" if leavings.is_dir() else leavings
    leavings.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        export(build, tmp_path / "x", format_, decode=bad, progress=end)
    assert list(tmp_path.iterdir()) == []
    leavings.parent.mkdir(exist_ok=True)
    leavings.write_text("old")
    assert export(build, tmp_path / "x", format_) > 0
    assert [p.name for p in tmp_path.rglob("*") if p.name in ("old", ".x.partial")] == []


def naive(loss_spans: list[list[int]], length: int) -> tuple[list[int], list[int], list[float]]:
    segments, positions, weights = [], [], []
    for number, (prompt, target) in enumerate(loss_spans, 1):
        segments += [number] * (prompt + target)
        positions += range(prompt + target)
        weights += [0.0] * prompt + [1.0] * target
    rest = length - len(segments)
    return segments + [0] * rest, positions + [0] * rest, weights + [0.0] * rest


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=4),
        min_size=1,
        max_size=5,
    )
)
def test_expansion(packs: list[list[tuple[int, int]]]) -> None:
    lengths = np.array([r for p in packs for r in p], dtype=np.int64).reshape(-1, 2)
    loss_spans = LossSpans.pairs(lengths)
    offsets = np.cumsum([0, *map(len, packs)])
    found = expand("decoder", {"tokens": 60}, loss_spans, offsets)
    for row, pack in enumerate(packs):
        segments, positions, weights = naive([list(r) for r in pack], 60)
        assert found["segment_ids"][row].tolist() == segments
        assert found["positions"][row].tolist() == positions
        assert found["loss_weights"][row].tolist() == weights
    both = expand("encoder_decoder", {"inputs": 40, "targets": 20}, loss_spans, offsets)
    for row, pack in enumerate(packs):
        inputs = [n for n, (p, _) in enumerate(pack, 1) for _ in range(p)]
        assert both["inputs_segment_ids"][row].tolist() == inputs + [0] * (40 - len(inputs))
        targets = sum(t for _, t in pack)
        assert both["targets_loss_weights"][row].sum() == targets


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=3),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_loss_spans_of_chats(chats: list[list[tuple[int, int]]], random: random.Random) -> None:
    flat = [n for chat in chats for pair in chat for n in pair]
    loss_spans = LossSpans(np.array(flat, np.int64), np.cumsum([0, *(2 * len(c) for c in chats)]))
    assert loss_spans.tolist() == [[n for pair in chat for n in pair] for chat in chats]
    assert loss_spans.sides.tolist() == [
        [sum(p), sum(t)] for p, t in (zip(*c, strict=True) for c in chats)
    ]
    order = list(range(len(chats)))
    random.shuffle(order)
    assert loss_spans.take(np.array(order, np.int64)).tolist() == [
        loss_spans.tolist()[i] for i in order
    ]
    if chats:
        halves = [loss_spans.part(0, 1), loss_spans.part(1, len(chats))]
        assert LossSpans.joined(halves).tolist() == loss_spans.tolist()
    found = expand("decoder", {"tokens": 200}, loss_spans, np.array([0, len(chats)]))
    weights = [w for chat in chats for p, t in chat for w in [0.0] * p + [1.0] * t]
    assert found["loss_weights"][0].tolist() == weights + [0.0] * (200 - len(weights))
    sizes = [sum(map(sum, chat)) for chat in chats]
    positions = [k for size in sizes for k in range(size)]
    assert found["positions"][0].tolist() == positions + [0] * (200 - len(positions))
    segments = [n for n, size in enumerate(sizes, 1) for _ in range(size)]
    assert found["segment_ids"][0].tolist() == segments + [0] * (200 - len(segments))


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


def test_the_manifest_is_canonical(build: Build) -> None:
    text = (build.path / "manifest.json").read_text()
    value: Any = json.loads(text)
    assert text == json.dumps(value, sort_keys=True, indent=2) + "\n"


def test_polars_reads_the_files(build: Build) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.scan_ipc(build.path / "examples" / "00000.arrow").select("task").collect()
    assert len(frame) == build.manifest.counts["examples"]


def test_the_report_shows_the_samples(build: Build) -> None:
    text = (build.path / "report.html").read_text()
    assert build.manifest.root_digest in text
    assert "toy/qa" in text
    assert '<span class="loss">' in text
    assert "http" not in text.replace("http-equiv", "")

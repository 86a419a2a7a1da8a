"""What a digest cannot find: builds that were written wrong, each named with its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flancompile.errors import FlancompileError
from flancompile.store import writer as writing
from flancompile.store.build import Build
from flancompile.store.manifest import file_entry, root_digest_of
from flancompile.store.verify import verify

Planned = Callable[..., Any]


def problems(plan: Any, out: Path) -> list[tuple[str, str]]:
    plan.write(out)
    return [(p.file, p.message) for p in verify(Build.open(out))]


def pack_of(plan: Any, example: int) -> int:
    return next(i for i, p in enumerate(plan.packs) if example in p)


@pytest.fixture(params=["decoder", "encoder_decoder"])
def plan(request: pytest.FixtureRequest, planned: Planned) -> Any:
    return planned(40, layout=request.param)


def test_a_plan_written_right_is_sound(plan: Any, tmp_path: Path) -> None:
    assert problems(plan, tmp_path / "b") == []


@pytest.mark.parametrize(
    ("place", "message"),
    [(0, "a prompt does not begin with its frame"), (-1, "a target does not end with eos")],
)
@pytest.mark.parametrize("example", [0, 17, 39])
def test_a_missing_frame(plan: Any, tmp_path: Path, place: int, message: str, example: int) -> None:
    plan.ids[example][place] = 5
    pack = pack_of(plan, example)
    ((file, found),) = problems(plan, tmp_path / "b")
    assert found == f"pack {pack}: {message}"
    shards = -(-len(plan.packs) // 3)
    assert file == f"packs/{pack // 3:05d}-of-{shards:05d}.arrow"


def test_a_file_that_the_manifest_does_not_name(planned: Planned, tmp_path: Path) -> None:
    planned().write(tmp_path / "a")
    (tmp_path / "a" / "packs" / "stray.arrow").write_bytes(b"more")
    (tmp_path / "a" / "report.html").write_text("beside it")
    found = verify(Build.open(tmp_path / "a"))
    assert [(p.file, p.message) for p in found] == [
        ("packs/stray.arrow", "the manifest does not name it")
    ]


def test_an_id_beyond_the_vocabulary(plan: Any, tmp_path: Path) -> None:
    example = int(np.argmax(plan.lengths[:, 0] > 2))
    plan.ids[example][1] = plan.vocab_size
    ((_, message),) = problems(plan, tmp_path / "b")
    assert message.startswith(f"pack {pack_of(plan, example)}: ")
    assert "beyond the vocabulary" in message


def test_examples_that_disagree_with_packs(plan: Any, tmp_path: Path) -> None:
    plan.example_shift = 1
    assert problems(plan, tmp_path / "b") == [
        ("examples/00000.arrow", "example 0: prompt_tokens does not agree with the packs")
    ]


def test_a_ledger_that_sums_to_more(plan: Any, tmp_path: Path) -> None:
    plan.ledger_rows = 2
    message = "toy/qa: pass 0 accounts for 42 rows of 40"
    assert problems(plan, tmp_path / "b") == [("ledger.parquet", message)]


def test_a_task_without_a_line_in_the_ledger(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(5)
    real = type(plan).manifest

    def two_tasks(self: Any) -> Any:
        manifest = real(self)
        about = {"task": "toy/other", "examples": 0, "prompt_tokens": 0, "target_tokens": 0}
        other = manifest.tasks[0].model_copy(update=about)
        return manifest.model_copy(update={"tasks": (*manifest.tasks, other)})

    monkeypatch.setattr(type(plan), "manifest", two_tasks)
    message = "toy/other: no line accounts for its 5 rows"
    assert problems(plan, tmp_path / "b") == [("ledger.parquet", message)]


@pytest.mark.parametrize(
    ("batch_packs", "second", "named"),
    [(99, 0, 0), (99, 2, 0), (1, 2, 2)],
    ids=["in its pack", "in another pack", "in another batch"],
)
def test_an_example_in_two_packs(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_packs: int,
    second: int, named: int,
) -> None:  # fmt: skip
    """The packs are damaged and all digests made anew, as by a writer with a fault."""
    monkeypatch.setattr(writing, "BATCH_BYTES", batch_packs * 32 * 2)
    plan, out = planned(40, shard_packs=100), tmp_path / "b"
    twice = plan.packs[0][0]
    plan.write(out)
    manifest = Build.open(out).manifest
    path = out / manifest.shards[0].path
    writable = np.memmap(path, dtype=np.uint8, mode="r+")
    whole = pa.py_buffer(writable)
    batch, row = (0, second) if batch_packs > 1 else (second, 0)
    column = pa.ipc.open_file(whole).get_batch(batch).column("example")
    at = column.values.buffers()[1].address - whole.address + 8 * column.offsets[row].as_py()
    writable[at + 8 : at + 16].view(np.uint64)[0] = twice  # the pack's second example
    writable.flush()
    shards = (file_entry(out, path, len(plan.packs)),)
    root = root_digest_of(manifest.layout, manifest.lengths, shards, manifest.examples)
    changed = manifest.model_copy(update={"shards": shards, "root_digest": root})
    changed.sealed().write(out / "manifest.json")
    (found,) = verify(Build.open(out))
    assert found.message == f"pack {named}: has example {twice}, which occurs twice"


def flips(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        is_node = isinstance(inner, dict | list) and inner
        found += flips(inner, (*path, key)) if is_node else [(*path, key)]
    return found


def test_no_entry_of_the_manifest_can_change(planned: Planned, tmp_path: Path) -> None:
    planned(5).write(tmp_path / "b")
    file = tmp_path / "b" / "manifest.json"
    text = file.read_text()
    entries = flips(json.loads(text))
    assert len(entries) > 60
    for path in entries:
        about = json.loads(text)
        node = about
        for key in path[:-1]:
            node = node[key]
        old = node[path[-1]]
        node[path[-1]] = (
            not old
            if isinstance(old, bool)
            else (old + 1 if isinstance(old, int | float) else "other")
        )
        file.write_text(json.dumps(about, sort_keys=True, indent=2) + "\n")
        try:
            found = verify(Build.open(tmp_path / "b"))
        except FlancompileError as error:
            assert error.code in ("FC504", "FC505", "FC506")
        else:
            assert found, path
    file.write_text(text.replace("\n", "\n ", 1))
    (problem,) = verify(Build.open(tmp_path / "b"))
    assert "the text was changed" in problem.message


def test_every_byte_of_the_packs_counts(planned: Planned, tmp_path: Path) -> None:
    planned(6, shard_packs=100).write(tmp_path / "b")
    build = Build.open(tmp_path / "b")
    entry = build.manifest.shards[0]
    path = build.path / entry.path
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        assert [p.file for p in verify(build)] == [entry.path]
    path.write_bytes(data[:-1])
    assert "bytes, " in verify(build)[0].message


def test_a_shallow_look_finds_damage_but_not_faults(plan: Any, tmp_path: Path) -> None:
    plan.ledger_rows = 1
    plan.write(tmp_path / "b")
    build = Build.open(tmp_path / "b")
    assert verify(build, deep=False) == []
    (build.path / "ledger.parquet").write_bytes(b"")
    assert [p.file for p in verify(build, deep=False)] == ["ledger.parquet"]

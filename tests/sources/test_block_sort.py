"""The external sort of rows into blocks: its limits change no row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flancompile.dsl.models.source import Source
from flancompile.sources import block_sort
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_split
from flancompile.sources.columns import restored
from flancompile.sources.place import resolve_place


def spec(folder: Path, source: dict[str, Any], fields: dict[str, str], **more: Any) -> SplitSpec:
    place = resolve_place(Source.model_validate(source), None, "train", folder, None)
    return SplitSpec("s", place, fields, None, 1, **more)


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))


def values(blocks: SplitBlocks, name: str) -> list[Any]:
    batches = [blocks.block(i) for i in range(len(blocks.block_rows))]
    return [v for b in batches for v in restored(b.column(name), b.schema.field(name))]


@pytest.mark.parametrize("memory", [1 << 12, 1 << 18, 1 << 28])
def test_memory_changes_no_byte(tmp_path: Path, memory: int) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"a": "x" * int(rng.integers(0, 400)), "n": i % 7 or None, "l": ["y"] * (i % 3)}
        for i in range(3000)
    ]
    write(tmp_path / "a.jsonl", rows)
    made = spec(tmp_path, {"files": "a.jsonl"}, {"a": "a", "n": "n", "l": "l"}, block_rows=500)
    one = read_split(made, tmp_path / "one")
    other = read_split(made, tmp_path / "other", memory_bytes=memory)
    assert one.column_digests == other.column_digests
    assert (one.folder / "blocks.arrow").read_bytes() == (
        other.folder / "blocks.arrow"
    ).read_bytes()
    assert one.folder.name == other.folder.name


def test_long_rows_come_fewer_to_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.jsonl", [{"a": f"{i} " * 500} for i in range(100)])
    made = spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"})
    whole = read_split(made, tmp_path / "whole")
    assert whole.block_rows == (100,)
    monkeypatch.setattr(block_sort, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(block_sort, "SPILL_BYTES", 30_000)
    cut = read_split(made, tmp_path / "cut")
    assert max(cut.block_rows) <= 10
    assert values(cut, "a") == values(whole, "a")

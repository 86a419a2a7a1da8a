"""Feeding packs of 4,096 tokens in random order: views, expanded batches, and the peers.

A build of 65,536 packs (0.5 GiB) is written by the project's own writer with random ids. The peers
hold the same packs as rows with four int32 columns, ready made: grain over ArrayRecord, `datasets`
over Arrow (numpy format), and torch's DataLoader over a memory map. Copying is numpy's, of as many
bytes as an expanded batch has. Rates are packs a second, medians of five.

    pip install torch==2.13.0 && pip install grain array_record datasets -e .
    python benchmarks/feed.py --out benchmarks/feed.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

LENGTH, BATCH = 4096, 256


def a_build(root: Path, packs: int) -> Path:
    """A decoder build of full packs."""
    import flancompile

    library = root / "library"
    for part in ("datasets", "mixtures", "recipes"):
        (library / part).mkdir(parents=True)
    chance = np.random.default_rng(0)
    size = LENGTH // 4 - 30
    letters = chance.integers(97, 123, (packs * 4, size), dtype=np.uint8)
    lines = (
        json.dumps({"text": row.tobytes().decode(), "n": str(i)}) for i, row in enumerate(letters)
    )
    (library / "datasets" / "t.jsonl").write_text("\n".join(lines) + "\n")
    task = {
        "signature": "text -> n",
        "templates": [{"name": "t", "input": "{{ text }}", "target": "{{ n }}"}],
    }
    files = {
        "datasets/t.yaml": {"source": {"files": {"train": "t.jsonl"}}, "fields": {"text": "text", "n": "n"}, "tasks": {"t": task}},
        "mixtures/m.yaml": {"mixture": "m", "members": [{"select": "all"}]},
        "recipes/r.yaml": {"recipe": "r", "mixture": "m", "size": {"examples": packs * 4}, "tokenizer": {"bytes": True},
                           "layout": "decoder", "lengths": {"pack": LENGTH}},
    }  # fmt: skip
    for name, about in files.items():
        (library / name).write_text(json.dumps(about))
    flancompile.compile("r", root / "build", library=[library], cache=root / "cache")
    shutil.rmtree(root / "cache")
    return root / "build"


def rate(run: Callable[[], int], times: int = 5) -> float:
    """Packs a second: the median of several runs, after one that is not counted."""
    run()
    found = []
    for _ in range(times):
        started = time.perf_counter()
        packs = run()
        found.append(packs / (time.perf_counter() - started))
    return float(np.median(found))


def expanded(build: Path, count: int) -> dict[str, np.ndarray]:
    """The first packs as ready made rows, for the peers."""
    import flancompile.feed

    feed = flancompile.feed.open(build, batch_packs=count, seed=None)
    return feed.batch(0)


def ours(build: Path) -> dict[str, float]:
    """Views, expanded batches, and a copy of as many bytes."""
    import flancompile.feed

    feed = flancompile.feed.open(build, batch_packs=BATCH, seed=1)
    steps = min(len(feed.build.packs) // BATCH, 64)

    def views() -> int:
        return sum(len(feed.views(step)["tokens"]) for step in range(steps))

    def batches() -> int:
        return sum(len(feed.batch(step)["tokens"]) for step in range(steps))

    source = np.ones((16, 4, BATCH, LENGTH), np.int32)  # 256 MiB: no cache holds it

    def copies() -> int:
        for step in range(steps):
            [array.copy() for array in source[step % len(source)]]
        return steps * BATCH

    return {
        "views": rate(views),
        "expanded batches": rate(batches),
        "copying as many bytes": rate(copies),
    }


def over_datasets(root: Path, rows: dict[str, np.ndarray]) -> float:
    """`datasets` over Arrow on disk, batches of random rows."""
    import datasets

    kinds = datasets.Features({
        n: datasets.Sequence(datasets.Value(str(a.dtype)), length=LENGTH) for n, a in rows.items()
    })  # fmt: skip
    datasets.disable_progress_bars()
    made = datasets.Dataset.from_dict({n: list(a) for n, a in rows.items()}, features=kinds)
    made.save_to_disk(str(root / "hf"))
    data = datasets.load_from_disk(str(root / "hf")).with_format("numpy")
    order = np.random.default_rng(0).permutation(len(data))

    def run() -> int:
        for at in range(0, len(order), BATCH):
            data[order[at : at + BATCH]]
        return len(order)

    return rate(run, 3)


def over_torch(root: Path, rows: dict[str, np.ndarray]) -> float:
    """torch's DataLoader over memory maps, one process."""
    import torch

    maps = {}
    for name, array in rows.items():
        np.save(root / f"{name}.npy", array)
        maps[name] = np.load(root / f"{name}.npy", mmap_mode="r")

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(maps["tokens"])

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {n: torch.from_numpy(np.array(m[index])) for n, m in maps.items()}

    loader = torch.utils.data.DataLoader(Rows(), batch_size=BATCH, shuffle=True)
    return rate(lambda: sum(len(b["tokens"]) for b in loader), 3)


def over_grain(root: Path, rows: dict[str, np.ndarray]) -> float:
    """grain over ArrayRecord: rows as bytes, batched."""
    import grain
    from array_record.python.array_record_module import ArrayRecordWriter

    names = list(rows)
    writer = ArrayRecordWriter(str(root / "rows.arrayrecord"), "group_size:1")
    for i in range(len(rows["tokens"])):
        writer.write(b"".join(rows[n][i].tobytes() for n in names))
    writer.close()

    def parse(record: bytes) -> dict[str, np.ndarray]:
        whole = np.frombuffer(record, np.int32).reshape(len(names), LENGTH)
        return {n: whole[i].view(rows[n].dtype) for i, n in enumerate(names)}

    source = grain.sources.ArrayRecordDataSource([str(root / "rows.arrayrecord")])
    data = grain.MapDataset.source(source).shuffle(seed=0).map(parse).batch(BATCH)
    return rate(lambda: sum(len(b["tokens"]) for b in data.to_iter_dataset()), 3)


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, default=16_384)
    parser.add_argument("--peer-packs", type=int, default=2_048)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        build = a_build(root, options.packs)
        found: dict[str, float] = ours(build)
        rows = expanded(build, options.peer_packs)
        for name, module, run in (
            ("datasets over Arrow", "datasets", over_datasets),
            ("torch DataLoader", "torch", over_torch),
            ("grain over ArrayRecord", "array_record", over_grain),
        ):
            if util.find_spec(module) is None:
                print(f"{name}: {module} is not installed")
                continue
            found[name] = run(root, rows)
    finally:
        shutil.rmtree(root)
    for name, packs in found.items():
        print(f"{name:24} {packs:12,.0f} packs/s  {packs * LENGTH / 1e6:10,.0f} Mtok/s")
    if options.out:
        versions = {n: metadata.version(n) for n in ("numpy", "pyarrow", "datasets", "torch", "grain")
                    if util.find_spec(n)}  # fmt: skip
        about = {
            "date": time.strftime("%Y-%m-%d"),
            "length": LENGTH,
            "batch": BATCH,
            "versions": versions,
        }
        options.out.write_text(json.dumps({**about, "packs_a_second": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

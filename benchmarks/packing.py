"""Packing: fill and time, beside the packers of TRL, grain and seqio on the same lengths.

Lengths are drawn from a mixture of lognormals like that of instruction data, cut at the pack. seqio
(`trim_and_pack_dataset`) packs in order into one open pack (T5X has no other); that is done here in
a few lines, for seqio needs TensorFlow. All fills are of 100,000 examples but the first two rows'.

    pip install torch==2.13.0 && pip install trl grain -e '.[hub]'
    python benchmarks/packing.py --out benchmarks/packing.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from flancompile.compiler.packing.pack import lower_bound, pack, plan_histogram

MANY, SOME = 1_000_000, 100_000


def lengths(count: int, most: int) -> np.ndarray:
    """Lengths of examples: short answers, passages, few-shot prompts."""
    chance = np.random.default_rng(0)
    middle = chance.choice([4.0, 5.3, 6.4], count, p=[0.4, 0.4, 0.2])
    return np.clip(np.exp(chance.normal(middle, 0.5)).astype(np.int64) + 3, 4, most)


def timed(run: Callable[[], int]) -> tuple[int, float]:
    """(packs, seconds)"""
    started = time.perf_counter()
    packs = run()
    return packs, time.perf_counter() - started


def next_fit(sizes: np.ndarray, capacity: int) -> int:
    """One open pack, as seqio."""
    packs, room = 0, 0
    for size in sizes.tolist():
        if size > room:
            packs, room = packs + 1, capacity
        room -= size
    return packs


def by_trl(sizes: np.ndarray, capacity: int) -> int:
    """TRL's best-fit-decreasing."""
    import datasets
    from trl import pack_dataset

    flat = np.zeros(int(sizes.sum()), np.int32)
    ids = np.split(flat, np.cumsum(sizes)[:-1])
    data = datasets.Dataset.from_dict({"input_ids": ids})
    started = time.perf_counter()
    packed = pack_dataset(data, seq_length=capacity, strategy="bfd")
    by_trl.seconds = time.perf_counter() - started  # type: ignore[attr-defined]
    return len(packed)


def by_grain(sizes: np.ndarray, capacity: int, kind: str) -> int:
    """grain's packers with 64 open bins."""
    import grain

    rows = [{"ids": np.zeros(n, np.int32)} for n in sizes.tolist()]
    data = grain.MapDataset.source(rows).to_iter_dataset()
    packer = getattr(grain.experimental, kind)
    made = packer(data, length_struct={"ids": capacity}, num_packing_bins=64)
    return sum(1 for _ in made)


def packers(capacity: int) -> dict[str, Any]:
    """Fill and time of each packer, and the time of a plan of 100 million lengths."""
    many = lengths(MANY, capacity)
    some, found = many[:SOME], dict[str, tuple[float, float, int]]()

    def add(name: str, sizes: np.ndarray, packs: int, seconds: float) -> None:
        fill = float(sizes.sum()) / (packs * capacity)
        found[name] = fill, seconds, len(sizes)
        print(f"{capacity:6} {name:34} {fill:9.4%} {seconds:9.3f} s  {len(sizes):,} examples")

    add("bound", many, lower_bound(many[:, None], (capacity,)), 0.0)
    whole = timed(lambda: len(pack(many, capacity, window=MANY)))
    add("flancompile, all at once", many, *whole)
    add("flancompile, windows of 100,000", many, *timed(lambda: len(pack(many, capacity))))
    packs, _ = timed(lambda: by_trl(some, capacity))
    add("TRL, best-fit-decreasing", some, packs, by_trl.seconds)  # type: ignore[attr-defined]
    for name, kind in (("best-fit", "BestFit"), ("first-fit", "FirstFit")):
        result = timed(partial(by_grain, some, capacity, f"{kind}PackIterDataset"))
        add(f"grain, {name}, 64 bins", some, *result)
    add("one open pack, as seqio", some, *timed(lambda: next_fit(some, capacity)))
    counts = np.bincount(many, minlength=capacity + 1) * 100
    plan_histogram(counts, capacity)
    _, seconds = timed(lambda: len(plan_histogram(counts, capacity)))
    print(f"{capacity:6} plan of {counts.sum():,} lengths by histogram: {seconds * 1e3:.2f} ms")
    return {"plan_of_100_million_seconds": seconds, "packers": found}


def main() -> None:
    """Print the tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    pack(lengths(1000, 100), 100)  # compiles
    results = {str(capacity): packers(capacity) for capacity in (2048, 8192)}
    if options.out:
        versions = {n: metadata.version(n) for n in ("trl", "grain", "numpy", "numba")}
        about = {"date": time.strftime("%Y-%m-%d"), "versions": versions, "capacity": results}
        options.out.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()

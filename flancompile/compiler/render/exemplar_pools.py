"""Select the exemplar pool of a read split, independent of its number of blocks.

Rows are stored in a drawn order, so the first ones are a random sample of the split. With `order:
file` the first rows of the source's own order are collected from all blocks; with `same`, the first
rows of each value, so that every value has exemplars in a split of any length.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.render.exemplars import item_digest
from flancompile.dsl.jinja.values import compared_key
from flancompile.dsl.models.task import Exemplars
from flancompile.sources.blocks import SplitBlocks
from flancompile.sources.columns import restored
from flancompile.sources.gaps import GAP, without_gaps

__all__ = ["POOL_ROWS", "PoolRef", "pool_batch", "pool_digest", "pool_names"]

POOL_ROWS = 4096
SCANNED_ROWS = 1 << 20  # of the split, for values of `same`
LEAST_EACH = 256  # rows of each value of `same`: as many as a prompt may show, and the query's own

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PoolRef:
    """Reference to shared exemplars outside the block itself.

    folder: a read split, from which `pool_batch` selects rows; count: only so many first rows of
    its first block; rows: those of a fixed file, with its name for messages; fields: those that the
    task reads, as rows that lack one are left out.
    """

    folder: str | None = None
    digest: str = ""
    count: int | None = None
    rows: tuple[str, ...] = ()
    name: str = ""
    fields: tuple[str, ...] = ()


def pool_digest(blocks: SplitBlocks, settings: Exemplars) -> str:
    """A digest of everything that determines the pool's rows."""
    if _is_first_block(settings):
        return json.dumps(blocks.digests(0), sort_keys=True)
    return json.dumps(blocks.column_digests, sort_keys=True)


def _is_first_block(settings: Exemplars) -> bool:
    return settings.source == "reserved" or (settings.order == "drawn" and settings.same is None)


def pool_batch(ref: PoolRef, settings: Exemplars) -> pa.RecordBatch:
    """The pool's rows, in the order of preference."""
    assert ref.folder is not None
    if _is_first_block(settings):
        batch = without_gaps(SplitBlocks.open(Path(ref.folder)).block(0), ref.fields)
        return batch if ref.count is None else batch.slice(0, ref.count)
    first = SplitBlocks.open(Path(ref.folder)).block(0)
    fields = tuple(n for n in ref.fields if GAP + n in first.schema.names)
    return _picked_batch(ref.folder, settings.order, settings.same, fields)


def pool_names(ref: PoolRef, settings: Exemplars) -> dict[int, str]:
    """Names of the pool's rows, by digest: `dev:12`, `shots.jsonl:3` (its third item)."""
    if ref.folder is None:
        items = map(json.loads, ref.rows)
        return {item_digest(i): f"{ref.name}:{n}" for n, i in enumerate(items, 1)}
    batch = pool_batch(ref, settings)
    pairs = zip(batch.column("_row").to_pylist(), batch.column("_id").to_pylist(), strict=True)
    return {row: f"{settings.split}:{id_}" for row, id_ in pairs}


@lru_cache(maxsize=8)
def _picked_batch(
    folder: str, order: str, same: str | None, fields: tuple[str, ...]
) -> pa.RecordBatch:
    """The selected rows of all blocks, without those that lack one of the fields."""
    blocks = SplitBlocks.open(Path(folder))
    whole = [blocks.block(i) for i in range(len(blocks.block_rows))]
    batches = [without_gaps(batch, fields) for batch in whole]
    ordinals = np.concatenate([b.column("_ordinal").to_numpy() for b in batches])
    places = np.argsort(ordinals, kind="stable") if order == "file" else np.arange(len(ordinals))
    if same is None:
        places = places[:POOL_ROWS]
    else:
        places = places[:SCANNED_ROWS]
        column = pa.chunked_array([b.column(same) for b in batches]).take(pa.array(places))
        values = restored(column, batches[0].schema.field(same))
        places = _first_of_each(list(map(compared_key, values)), places)
    starts = np.cumsum([0, *(len(b) for b in batches)])
    parts, at = [], []
    for index, batch in enumerate(batches):
        inside = np.flatnonzero((places >= starts[index]) & (places < starts[index + 1]))
        parts.append(batch.take(pa.array(places[inside] - starts[index])))
        at.append(inside)
    table = pa.Table.from_batches(parts).take(pa.array(np.argsort(np.concatenate(at))))
    return table.combine_chunks().to_batches()[0]


def _first_of_each(values: Sequence[str], places: Ints) -> Ints:
    """The first rows of each value, as many of each as make a pool of about `POOL_ROWS`."""
    most = max(LEAST_EACH, POOL_ROWS // max(1, len(set(values))))
    seen: dict[str, int] = {}
    first = []
    for place, value in enumerate(values):
        seen[value] = seen.get(value, 0) + 1
        if seen[value] <= most:
            first.append(place)
    return places[first]

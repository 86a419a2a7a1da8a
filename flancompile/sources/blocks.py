"""Read pass: a split of a source becomes blocks of fields, in an order fixed by the seed.

Rows are sorted by a draw on their identity, so every prefix is a random sample; the sort is
external (`block_sort.py`). The result is cached by a key of the files' bytes and the definitions,
without paths or times.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import blake3
import pyarrow as pa

from flancompile.sources.block_sort import BlockSort, fitting
from flancompile.sources.columns import (
    ColumnTypes,
    column_field,
    restored,
    stored,
)
from flancompile.sources.digests import file_digest
from flancompile.sources.fields import FieldRow, SplitSpec, field_rows
from flancompile.sources.gaps import count_gaps, without_gaps
from flancompile.sources.hub import hub_commit, hub_files
from flancompile.sources.place import Resolved
from flancompile.unfinished import clear, making_folder, remove

__all__ = [
    "READ_VERSION",
    "SplitBlocks",
    "SplitSpec",
    "read_key",
    "read_split",
    "read_to_the_end",
    "sample",
]

READ_VERSION = 12
MEMORY_BYTES = 256 << 20
DROPPED_PER_ROW = 100  # a sample stops after so many dropped rows for each wanted one


@dataclass(frozen=True)
class SplitBlocks:
    """A split in blocks, memory-mapped, and its dropped rows.

    rows, kept: of the source, and in blocks; commit: of the Hub repository, if known; gaps: sets of
    fields that failed together in kept rows, with the number of those rows.
    """

    folder: Path
    rows: int
    kept: int
    block_rows: tuple[int, ...]
    column_digests: tuple[dict[str, str], ...]
    columns: tuple[str, ...]
    commit: str | None = None
    gaps: tuple[tuple[tuple[str, ...], int], ...] = ()

    @classmethod
    def open(cls, folder: Path) -> SplitBlocks:
        """Open a folder written by `read_split`."""
        metadata = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        return cls(
            folder,
            metadata["rows"],
            metadata["kept"],
            tuple(metadata["block_rows"]),
            tuple(metadata["column_digests"]),
            tuple(metadata["columns"]),
            metadata.get("commit"),
            tuple((tuple(names), rows) for names, rows in metadata.get("gaps", ())),
        )

    def rows_with(self, fields: Collection[str]) -> int:
        """Number of kept rows with a value in each of the fields."""
        return self.kept - count_gaps(self.gaps, fields)

    def rows_for(self, fields: Collection[str]) -> tuple[int, ...]:
        """Rows of each block with a value in each of the fields."""
        if self.rows_with(fields) == self.kept:
            return self.block_rows
        return tuple(len(without_gaps(self.block(i), fields)) for i in range(self.batches))

    @cached_property
    def _file(self) -> Any:
        return pa.ipc.open_file(pa.memory_map(str(self.folder / "blocks.arrow")))

    @property
    def batches(self) -> int:
        """Number of blocks in the file."""
        return int(self._file.num_record_batches)

    def block(self, index: int) -> pa.RecordBatch:
        """A block: `_row`, `_id`, `_ordinal`, a stored column for each field, and gap columns."""
        return self._file.get_batch(index)

    def digests(self, index: int) -> dict[str, str]:
        """A digest of each column of a block, by name."""
        return self.column_digests[index]

    def dropped(self) -> pa.Table:
        """Dropped rows: ordinal, row, id, reason; in the source's order."""
        with pa.memory_map(str(self.folder / "dropped.arrow")) as source:
            return pa.ipc.open_file(source).read_all()


def read_key(spec: SplitSpec, cache: Path) -> str:
    """The content address of a read split."""
    place = spec.place
    if place.hub is not None and not Path(place.hub).is_dir():
        commit = hub_commit(place.hub, place.revision)
        content = [place.hub, commit] if commit else [place.hub, *_hub_digests(place, cache)]
    else:
        content = []
        if place.hub is not None:
            folder = Path(place.hub)
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                content += [path.relative_to(folder).as_posix(), file_digest(path, cache)]
    content += [file_digest(Path(f), cache) for f in place.all_files()]
    metadata = {
        "version": READ_VERSION,
        "source": spec.source_id,
        "content": content,
        "place": place.as_json(),
        "id": place.id,
        "fields": list(spec.fields.items()),
        **({"let": list(spec.let.items())} if spec.let else {}),
        "where": spec.where,
        "seed": spec.seed,
        "variable": spec.variable,
        "block_rows": spec.block_rows,
    }
    text = json.dumps(metadata, sort_keys=True)
    return str(blake3.blake3(text.encode()).hexdigest())[:40]


def _hub_digests(place: Resolved, cache: Path) -> list[str]:
    """Digests of the cached files of a Hub split whose commit is unknown."""
    assert place.hub is not None
    files = hub_files(place.hub, place.config, place.revision, place.split)
    return [file_digest(f, cache) for f in files]


def read_split(
    spec: SplitSpec,
    cache: Path,
    *,
    memory_bytes: int = MEMORY_BYTES,
    progress: Callable[[int], None] | None = None,
) -> SplitBlocks:
    """Read a split into blocks under `cache`, or open them from there.

    memory_bytes: of rows before they are spilled; the merge takes about as much. Raises FC3xx.
    """
    spec = _pinned(spec)
    folder = cache / read_key(spec, cache)
    if (found := _whole(folder)) is not None:
        os.utime(folder)
        return found
    clear(cache)
    with making_folder(folder) as work:
        BlockSort(spec, work, memory_bytes, progress).run()
        if _whole(folder) is None:
            remove(folder)
            try:
                work.rename(folder)
            except OSError:
                if _whole(folder) is None:  # not made by another process meanwhile
                    raise
    return SplitBlocks.open(folder)


def _whole(folder: Path) -> SplitBlocks | None:
    """A cached split; None if there is none or its files are damaged."""
    try:
        found = SplitBlocks.open(folder)
        found.dropped()
        return found if found.batches == len(found.block_rows) else None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None


def _pinned(spec: SplitSpec) -> SplitSpec:
    """Replace the revision by its current commit, so that rows and key agree."""
    place = spec.place
    commit = None if place.hub is None else hub_commit(place.hub, place.revision)
    return spec if commit is None else replace(spec, place=replace(place, revision=commit))


def sample(
    spec: SplitSpec,
    rows: int,
    fields: Collection[str] | None = None,
    row_id: str | None = None,
) -> tuple[list[dict[str, Any]], list[FieldRow]]:
    """The first rows of a source: fields of usable rows, and dropped rows.

    Values are stored in columns and restored, as in a compile. fields: those that a task reads, so
    that a row without one of them is dropped; None: all. row_id: one more row to include, wherever
    it is in the source.
    """
    waiting = row_id is not None
    kept: list[FieldRow] = []
    dropped: list[FieldRow] = []
    names = list(spec.fields)
    types = ColumnTypes(names)
    for row in field_rows(spec):
        is_requested = waiting and row.id == row_id
        waiting = waiting and not is_requested
        if (len(kept) >= rows or len(dropped) >= DROPPED_PER_ROW * rows) and not is_requested:
            if not waiting:
                break
            continue
        usable = fitting(row, types).without(names if fields is None else fields)
        (dropped if usable.values is None else kept).append(usable)
        if len(kept) >= rows and not waiting:
            break
    columns: dict[str, list[Any]] = {
        "_row": [r.digest for r in kept],
        "_id": [r.id for r in kept],
        "_ordinal": [r.ordinal for r in kept],
    }
    for place, name in enumerate(names):
        column = stored((cast(Any, r.values)[place] for r in kept), name in types.mixed)
        columns[name] = restored(column, column_field(name, column, types.mixed))
    return [
        dict(zip(columns, v, strict=True)) for v in zip(*columns.values(), strict=True)
    ], dropped


def read_to_the_end(kept: Sequence[Any], dropped: Sequence[Any], requested: int) -> bool:
    """Whether a `sample` of so many wanted rows has read all rows of its split."""
    return len(kept) < requested and len(dropped) < DROPPED_PER_ROW * requested

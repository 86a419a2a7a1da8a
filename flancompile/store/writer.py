"""Write a build: tokens scattered into packs, examples as a stream, and one rename at the end.

Shards are Arrow IPC files whose token buffers are reserved, mapped, and filled in any order: each
object is read once, and no token is held in memory (12 bytes an example are, 16 for
encoder_decoder). One core places 144 million tokens a second. The folder has a partial name until
manifest.json, its last file, is on disk.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blake3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from flancompile.disk import NO_ROOM
from flancompile.errors import fail
from flancompile.jit import njit
from flancompile.store.claim import MANIFEST, Claim, check_out
from flancompile.store.loss_spans import LossSpans
from flancompile.store.manifest import FileEntry, Manifest, file_entry, root_digest_of
from flancompile.store.reserved import ReservingFile
from flancompile.store.schema import EVAL, EXAMPLES, LEDGER, packs_schema, token_columns

__all__ = ["BuildWriter", "PackTable"]

EXAMPLES_A_FILE = 1_000_000
BATCH_BYTES = 32 << 20
LEDGER_GROUP_ROWS = 1 << 17


@dataclass(frozen=True)
class PackTable:
    """Contents of the packs, in pack order.

    offsets: int64[packs + 1] into the rest; examples: int64[n], ids; loss_spans: of each example,
    tokens without loss (or input) and with loss (or target), with the frame.
    """

    offsets: npt.NDArray[np.int64]
    examples: npt.NDArray[np.int64]
    loss_spans: LossSpans

    def __len__(self) -> int:
        return len(self.offsets) - 1


class BuildWriter:
    """Writer of one build, as a context manager: leaving it before `finish` removes all files."""

    def __init__(
        self,
        out: Path,
        layout: str,
        lengths: Mapping[str, int],
        dtype: str,
        *,
        recipe: str = "",
        overwrite: bool = False,
    ) -> None:
        self.recipe, self.overwrite = recipe, overwrite
        self.layout, self.lengths, self.dtype = layout, dict(lengths), dtype
        self._claim = Claim(out)
        self.out, self.folder = self._claim.out, self._claim.folder
        self._entries: dict[str, list[FileEntry]] = {"shards": [], "examples": []}
        self._views: list[list[tuple[int, npt.NDArray[Any]]]] = []
        self._maps: list[Any] = []
        self._shards: list[tuple[Path, int]] = []
        self._examples: list[pa.Table] = []
        self._pending_rows = self._written = self._scattered = 0
        self._lock = threading.Lock()
        self._ledger: Any = None
        self._lines: list[pa.Table] = []
        self._pending_lines = self._ledger_rows = 0

    def __enter__(self) -> BuildWriter:
        self._claim.acquire()
        try:
            check_out(self.out, self.recipe, self.overwrite)
            self._claim.start()
        except BaseException:
            self._claim.release()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._views, self._maps = [], []
        try:
            if self._ledger is not None:
                self._ledger.close()
        except OSError:  # its file is removed now, and the first error is the one to report
            self._ledger = None
        finally:
            self._claim.release()
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            message = f"cannot write {str(self.out)!r}: {error.strerror or error}"
            hint = "free some space and run the command again; the unfinished build was removed"
            raise fail("FC513", message, hint=hint) from error

    def create_packs(self, table: PackTable, shard_packs: int, pad: int) -> None:
        """Write all shards without tokens, then map them for `scatter`. pad: id of the padding."""
        (self.folder / "packs").mkdir()
        total = max(1, -(-len(table) // shard_packs))
        self._place(table)
        for shard in range(total):
            start, end = shard * shard_packs, min((shard + 1) * shard_packs, len(table))
            path = self.folder / "packs" / f"{shard:05d}-of-{total:05d}.arrow"
            self._write_shard(path, table, start, end)
            self._shards.append((path, end - start))
        self._map()
        if pad != 0:
            for place, views in enumerate(self._views):
                for first, view in views:
                    _pad(view, self._used[first : first + len(view), place], pad)

    def _place(self, table: PackTable) -> None:
        """Set pack, segment and first place in the pack of each example id."""
        n = len(table.examples)
        counts = np.diff(table.offsets)
        sides = table.loss_spans.sides
        sides = sides if self.layout == "encoder_decoder" else sides.sum(1, keepdims=True)
        before = np.zeros((n + 1, sides.shape[1]), dtype=np.int64)
        np.cumsum(sides, axis=0, out=before[1:])
        self._used = used = np.diff(before[table.offsets], axis=0)
        assert (used <= [self.lengths[c] for c in token_columns(self.layout)]).all(), "overfull"
        self.pack_of = np.full(n, -1, dtype=np.int32)
        self.segment_of = np.empty(n, dtype=np.int32)
        self._start_of = np.empty((n, sides.shape[1]), dtype=np.int32)
        self.pack_of[table.examples] = np.repeat(np.arange(len(table), dtype=np.int32), counts)
        assert (self.pack_of >= 0).all(), "the packs' examples are no permutation of the ids"
        self.segment_of[table.examples] = np.arange(n) - np.repeat(table.offsets[:-1], counts)
        starts = before[:-1] - np.repeat(before[table.offsets[:-1]], counts, axis=0)
        self._start_of[table.examples] = starts

    def _write_shard(self, path: Path, table: PackTable, start: int, end: int) -> None:
        schema = packs_schema(self.layout, self.lengths, self.dtype)
        tokens = sum(self.lengths.values()) * np.dtype(self.dtype).itemsize
        step = max(1, BATCH_BYTES // tokens)
        most = min(step, end - start) * max(self.lengths.values())
        room = pa.array(np.zeros(most, dtype=self.dtype))
        with (
            closing(ReservingFile(path, room.buffers()[1])) as file,
            pa.PythonFile(file, "w") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            for first in range(start, end, step):
                last = min(first + step, end)
                writer.write_batch(self._batch(table, first, last, schema, room))

    def _batch(
        self, table: PackTable, start: int, end: int, schema: pa.Schema, room: pa.Array
    ) -> pa.RecordBatch:
        columns = []
        for name in token_columns(self.layout):
            flat = room.slice(0, (end - start) * self.lengths[name])
            columns.append(pa.FixedSizeListArray.from_arrays(flat, type=schema.field(name).type))
        low, high = int(table.offsets[start]), int(table.offsets[end])
        offsets = pa.array((table.offsets[start : end + 1] - low).astype(np.int32))
        ids = pa.array(table.examples[low:high].astype(np.uint64))
        columns.append(pa.ListArray.from_arrays(offsets, ids, type=schema.field("example").type))
        part = table.loss_spans.part(low, high)
        loss_spans, ends = (
            pa.array(part.values.astype(np.uint32)),
            pa.array(part.edges.astype(np.int32)),
        )
        inner = pa.ListArray.from_arrays(
            ends, loss_spans, type=schema.field("runs").type.value_type
        )
        columns.append(pa.ListArray.from_arrays(offsets, inner, type=schema.field("runs").type))
        return pa.record_batch(columns, schema=schema)

    def _map(self) -> None:
        """Map the shards: writable views [packs, length] of each token column."""
        self._views = [[] for _ in token_columns(self.layout)]
        first = 0
        for path, _ in self._shards:
            writable = np.memmap(path, dtype=np.uint8, mode="r+")
            whole = pa.py_buffer(writable)
            reader = pa.ipc.open_file(whole)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                for place, name in enumerate(token_columns(self.layout)):
                    at = batch.column(name).values.buffers()[1].address - whole.address
                    shape = (len(batch), self.lengths[name])
                    size = shape[0] * shape[1] * np.dtype(self.dtype).itemsize
                    view = writable[at : at + size].view(self.dtype).reshape(shape)
                    self._views[place].append((first, view))
                first += len(batch)
            self._maps.append(writable)

    def scatter(
        self, first: int, ids: npt.NDArray[np.unsignedinteger], lengths: npt.NDArray[np.int64]
    ) -> None:
        """Copy the framed token ids of consecutive examples, from id `first`, to their packs.

        Thread-safe. ids: [sum(lengths)]; lengths: int64[m, 2], tokens without and with loss.
        Raises FC514 for an id that does not fit the token type.
        """
        m = len(lengths)
        assert len(ids) == int(lengths.sum()), f"{len(ids)} ids for {int(lengths.sum())} places"
        largest = int(ids.max(initial=0)) if ids.dtype != self.dtype else 0
        if largest > np.iinfo(self.dtype).max:
            message = f"id {largest} does not fit the {self.dtype} of the vocabulary's size"
            raise fail("FC514", message, hint="the tokenizer gives ids beyond its own vocabulary")
        with self._lock:
            self._scattered += m
        packs = self.pack_of[first : first + m]
        starts = self._start_of[first : first + m]
        begins = np.concatenate([[0], np.cumsum(lengths.sum(axis=1))])[:-1]
        if self.layout == "decoder":
            self._scatter(0, ids, begins, lengths.sum(axis=1), packs, starts[:, 0])
        else:
            self._scatter(0, ids, begins, lengths[:, 0], packs, starts[:, 0])
            self._scatter(1, ids, begins + lengths[:, 0], lengths[:, 1], packs, starts[:, 1])

    def _scatter(
        self, place: int, ids: Any, begins: Any, lengths: Any, packs: Any, starts: Any
    ) -> None:
        views = self._views[place]
        limit = self.lengths[token_columns(self.layout)[place]]
        assert (starts + lengths <= limit).all(), "tokens beyond their pack"
        firsts = np.array([f for f, _ in views])
        shard = np.searchsorted(firsts, packs, side="right") - 1
        order = np.argsort(shard, kind="stable")
        edges = np.searchsorted(shard[order], np.arange(len(views) + 1))
        for index in np.unique(shard):
            picked = order[edges[index] : edges[index + 1]]
            rows = packs[picked] - firsts[index]
            _copy(views[index][1], ids, begins[picked], lengths[picked], rows, starts[picked])

    def write_examples(self, table: pa.Table) -> None:
        """Append examples in order of id; adds `pack`, `segment` and `example`."""
        first = self._written + self._pending_rows
        n = len(table)
        table = table.append_column(
            "pack", pa.array(self.pack_of[first : first + n].astype(np.uint64))
        )
        segment = pa.array(self.segment_of[first : first + n].astype(np.uint32))
        table = table.append_column("segment", segment)
        ids = pa.array(np.arange(first, first + n, dtype=np.uint64))
        table = table.append_column("example", ids)
        self._examples.append(pa.table({name: table[name] for name in EXAMPLES.names}))
        self._pending_rows += n
        while self._pending_rows >= EXAMPLES_A_FILE:
            self._flush_examples(EXAMPLES_A_FILE)

    def _flush_examples(self, count: int) -> None:
        whole = pa.concat_tables(self._examples, promote_options="permissive")
        part, rest = whole.slice(0, count), whole.slice(count)
        self._examples, self._pending_rows = ([rest] if len(rest) else []), len(rest)
        part = pa.table(
            [_encoded(part[f.name], f.type) for f in EXAMPLES], schema=EXAMPLES
        ).combine_chunks()
        folder = self.folder / "examples"
        folder.mkdir(exist_ok=True)
        path = folder / f"{len(self._entries['examples']):05d}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, EXAMPLES) as writer:
            writer.write_table(part, max_chunksize=max(1, len(part)))
        self._written += len(part)
        self._entries["examples"].append(file_entry(self.folder, path, len(part)))

    def write_ledger(self, table: pa.Table) -> None:
        """Append lines of the ledger, in row groups of 131,072 lines."""
        self._lines.append(table.cast(LEDGER))
        self._pending_lines += len(table)
        while self._pending_lines >= LEDGER_GROUP_ROWS:
            self._flush_ledger(LEDGER_GROUP_ROWS)

    def _flush_ledger(self, count: int) -> None:
        if self._ledger is None:
            path = self.folder / "ledger.parquet"
            self._ledger = parquet.ParquetWriter(path, LEDGER, compression="zstd")
        whole = pa.concat_tables(self._lines) if self._lines else LEDGER.empty_table()
        part, rest = whole.slice(0, count), whole.slice(count)
        self._lines, self._pending_lines = [rest], len(rest)
        if len(part):
            self._ledger.write_table(part)
            self._ledger_rows += len(part)

    def _close_ledger(self) -> FileEntry:
        self._flush_ledger(LEDGER_GROUP_ROWS)
        self._ledger.close()
        self._ledger = None
        return file_entry(self.folder, self.folder / "ledger.parquet", self._ledger_rows)

    def write_eval(self, name: str, table: pa.Table, metadata: Mapping[str, Any]) -> FileEntry:
        """Write an evaluation set; `about` becomes JSON in the schema's metadata."""
        folder = self.folder / "eval"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name.replace('/', '.')}.arrow"
        if path.exists():  # a.b/c and a/b.c are two tasks
            path = path.with_suffix(f".{blake3.blake3(name.encode()).hexdigest()[:8]}.arrow")
        schema = EVAL.with_metadata({"flancompile": json.dumps(dict(metadata), sort_keys=True)})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_table(table.cast(EVAL).replace_schema_metadata(schema.metadata))
        return file_entry(self.folder, path, len(table))

    def finish(
        self, manifest: Manifest, others: Mapping[str, int], unhashed: list[str]
    ) -> Manifest:
        """Close all files, hash them, write the manifest, and rename the folder into place.

        others: rows of further files of the folder, by name; unhashed: files without a digest.
        Raises FC501, FC502 if `out` has appeared since.
        """
        assert self._scattered == len(self.pack_of), "an example's tokens were never scattered"
        if self._pending_rows or not self._entries["examples"]:
            self._flush_examples(self._pending_rows)
        ledger = self._close_ledger()
        self._views, self._maps = [], []  # `_sync` writes the mapped pages to the disk
        shards = tuple(file_entry(self.folder, p, n) for p, n in self._shards)
        examples = tuple(self._entries["examples"])
        rest = tuple(file_entry(self.folder, self.folder / n, r) for n, r in sorted(others.items()))
        root = root_digest_of(self.layout, self.lengths, shards, examples)
        files = {"shards": shards, "examples": examples, "ledger": ledger, "others": rest}
        sealed = manifest.model_copy(update={**files, "root_digest": root}).sealed()
        self._check_files({*(f.path for f in sealed.files()), *unhashed})
        sealed.write(self.folder / MANIFEST)
        _sync(self.folder)
        self._claim.replace(self.recipe, self.overwrite)
        return sealed

    def _check_files(self, named: set[str]) -> None:
        files = (p for p in self.folder.rglob("*") if p.is_file())
        here = {p.relative_to(self.folder).as_posix() for p in files}
        assert here == named, f"files without a name or names without a file: {here ^ named}"


@njit
def _pad(view, used, pad):  # type: ignore[no-untyped-def]
    """Fill up each pack with `pad`. view: [packs, length]; used: tokens of each pack."""
    for row in range(len(view)):
        for place in range(used[row], view.shape[1]):
            view[row, place] = pad


@njit
def _copy(view, ids, begins, lengths, rows, starts):  # type: ignore[no-untyped-def]
    for i in range(len(begins)):
        row, to, at = rows[i], starts[i], begins[i]
        for k in range(lengths[i]):
            view[row, to + k] = ids[at + k]


def _encoded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    array = plain.cast(pa.string()).combine_chunks()
    array = array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)
    return pa.chunked_array([array.dictionary_encode()], type=kind)


def _sync(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

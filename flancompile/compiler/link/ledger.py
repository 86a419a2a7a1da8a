"""The ledger: the disposition of every row of every task in every epoch.

A row that was examined has a line of its own, whose reason is why it gives no example or why its
example has fewer exemplars than requested; rows beyond the quota share one line with their
number. Lines are ordered by task, so the ledger is written as a stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flancompile.compiler.evaluation.rows import Lost
from flancompile.compiler.objects.build import read_object
from flancompile.compiler.objects.jobs import task_fields
from flancompile.compiler.objects.streams import Piece, Stream
from flancompile.drop_reasons import DropReason
from flancompile.sources.blocks import SplitBlocks
from flancompile.sources.gaps import split_gaps
from flancompile.store.schema import LEDGER

__all__ = ["drop_reasons", "eval_ledger", "ledger_of"]

_COLUMNS = ("row", "row_id", "ordinal", "reason", "truncated", "fewer_shots")


def ledger_of(stream: Stream, blocks: SplitBlocks, split: str, taken: int) -> Iterator[pa.Table]:
    """The ledger's lines for one task. taken: examples that the build took from the stream.

    In every epoch the lines' `rows` sum to the rows of the source's split.
    """
    epochs = max((p.epoch for p in stream.pieces), default=0) + 1
    for epoch in range(epochs):
        yield _unread(stream.id, split, epoch, blocks)
        seen = 0
        pieces = [p for p in stream.pieces if p.epoch == epoch]
        for piece in pieces:
            used = min(taken, len(piece.usable))
            taken -= used
            table = read_object(piece.path, _COLUMNS)
            seen += len(table)
            yield _of_piece(stream.id, split, piece, table, used)
        lost = _unbuilt(stream, blocks, split, epoch)
        seen += pc.sum(lost["rows"]).as_py() or 0
        yield lost
        if blocks.kept > seen:
            is_whole = len(pieces) == len(stream.blocks)  # of the blocks within the cap
            why = DropReason.BEYOND_CAP if is_whole else DropReason.NOT_REACHED
            yield _line(stream.id, split, epoch, "unused", why, blocks.kept - seen)


def _unbuilt(stream: Stream, blocks: SplitBlocks, split: str, epoch: int) -> pa.Table:
    """Rows that lack a field, in blocks without an object of the task in this epoch."""
    fields = task_fields(stream.planned.task)
    if blocks.rows_with(fields) == blocks.kept:
        return LEDGER.empty_table()
    built = {p.block for p in stream.pieces if p.epoch == epoch}
    found = [LEDGER.empty_table()]
    for block in (b for b in range(blocks.batches) if b not in built):
        _, lost, reasons = split_gaps(blocks.block(block), fields)
        row, id_, ordinal = (lost.column(n) for n in ("_row", "_id", "_ordinal"))
        why = pa.array(reasons, pa.string())
        found.append(_dropped(stream.id, split, epoch, row, id_, ordinal, why))
    return pa.concat_tables(found)


def drop_reasons(stream: Stream, blocks: SplitBlocks, most: int = 3) -> str:
    """Reasons for dropped rows of a task, the most frequent first; empty if no row is dropped."""
    counts: Counter[str] = Counter()
    for lines in ledger_of(stream, blocks, "", 0):
        lost = lines.filter(pc.equal(lines["disposition"], "dropped"))
        for reason, rows in zip(lost["reason"].to_pylist(), lost["rows"].to_pylist(), strict=True):
            counts[reason] += rows
    found = [f"{rows:,} rows: {reason}" for reason, rows in counts.most_common(most)]
    return f"{stream.id}: {', '.join(found)}" if found else ""


def eval_ledger(
    name: str, split: str, kept: pa.Table, dropped: Sequence[Lost], unused: int
) -> pa.Table:
    """The lines of one evaluation set. unused: rows beyond `max_rows`.

    Their `rows` sum to the rows of the split; `task` is the set's name.
    """
    n = len(kept)
    lost = [list(column) for column in zip(*dropped, strict=True)] or [[], [], [], []]
    row, row_id, ordinal, reason = lost
    parts = [
        _lines(
            name, split, 0,
            row=kept["row"], row_id=kept["row_id"], ordinal=pa.nulls(n, pa.uint64()),
            disposition=pa.array(["kept"] * n, pa.string()), reason=kept["fewer_shots"],
            rows=pa.array(np.ones(n, dtype=np.uint64)),
        ),
        _lines(
            name, split, 0,
            row=pa.array(row, pa.uint64()), row_id=pa.array(row_id, pa.string()),
            ordinal=pa.array(ordinal, pa.uint64()),
            disposition=pa.array(["dropped"] * len(row), pa.string()),
            reason=pa.array(reason, pa.string()),
            rows=pa.array(np.ones(len(row), dtype=np.uint64)),
        ),
        _line(name, split, 0, "unused", DropReason.BEYOND_MAX_ROWS, unused),
    ]  # fmt: skip
    return pa.concat_tables(parts)


def _of_piece(task: str, split: str, piece: Piece, table: pa.Table, used: int) -> pa.Table:
    n = len(table)
    is_used, is_usable = np.zeros(n, bool), np.zeros(n, bool)
    is_usable[piece.usable] = True
    is_used[piece.usable[:used]] = True
    dropped = table["reason"].is_valid().to_numpy()
    reserved = pc.fill_null(pc.equal(table["reason"], DropReason.RESERVED.value), False).to_numpy()
    truncated = table["truncated"].to_numpy()
    disposition = np.select(
        [reserved, dropped, is_used & truncated, is_used],
        ["reserved", "dropped", "truncated", "kept"],
        "unused",
    )
    beyond = np.where(is_usable, DropReason.BEYOND_QUOTA.value, DropReason.BEYOND_CAP.value)
    reason = np.where(is_used | dropped, None, beyond)  # type: ignore[call-overload]
    return _lines(
        task, split, piece.epoch,
        row=table["row"], row_id=table["row_id"], ordinal=table["ordinal"],
        disposition=pa.array(disposition, pa.string()),
        reason=pc.coalesce(
            table["reason"], pa.array(reason, pa.string()), table["fewer_shots"].cast(pa.string())
        ),
        rows=pa.array(np.ones(n, dtype=np.uint64)),
    )  # fmt: skip


def _unread(task: str, split: str, epoch: int, blocks: SplitBlocks) -> pa.Table:
    """Rows that the read pass dropped: a line each in the first epoch, one line in later ones."""
    dropped = blocks.dropped()
    if epoch > 0:
        return _line(task, split, epoch, "dropped", DropReason.READING, len(dropped))
    about = (dropped["row"], dropped["id"], dropped["ordinal"], dropped["reason"])
    return _dropped(task, split, epoch, *about)


def _dropped(
    task: str, split: str, epoch: int, row: Any, row_id: Any, ordinal: Any, reason: Any
) -> pa.Table:
    """A line for each of some dropped rows."""
    return _lines(
        task, split, epoch,
        row=row, row_id=row_id, ordinal=ordinal, reason=reason,
        disposition=pa.array(["dropped"] * len(row), pa.string()),
        rows=pa.array(np.ones(len(row), dtype=np.uint64)),
    )  # fmt: skip


def _line(
    task: str, split: str, epoch: int, disposition: str, reason: DropReason, rows: int
) -> pa.Table:
    if rows == 0:
        return LEDGER.empty_table()
    return _lines(
        task, split, epoch,
        row=pa.nulls(1, pa.uint64()), row_id=pa.nulls(1, pa.string()),
        ordinal=pa.nulls(1, pa.uint64()), disposition=pa.array([disposition]),
        reason=pa.array([reason.value]), rows=pa.array([rows], pa.uint64()),
    )  # fmt: skip


def _lines(task: str, split: str, epoch: int, **columns: Any) -> pa.Table:
    n = len(columns["rows"])
    columns["task"] = pa.array([task] * n, pa.string())
    columns["split"] = pa.array([split] * n, pa.string())
    columns["pass"] = pa.array([epoch] * n, pa.uint16())
    return pa.table({f.name: columns[f.name] for f in LEDGER}).cast(LEDGER)

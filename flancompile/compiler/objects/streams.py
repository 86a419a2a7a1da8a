"""Streams: each task's objects in the order (epoch, block), built until quotas are met.

Only lengths, digests and dispositions are kept for each example (about 30 bytes), never ids or
texts. Objects are built by an executor; their order here does not depend on when they finish.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flancompile.compiler.objects.build import (
    WORK,
    ObjectJob,
    is_built,
    loss_spans_of,
    read_object,
)
from flancompile.compiler.objects.schedule import built
from flancompile.compiler.plan.members import PlannedTask
from flancompile.compiler.special_tokens import FrameIds
from flancompile.store.loss_spans import LossSpans

__all__ = ["Piece", "Stream", "Streams"]

EMPTY_EPOCHS = 16  # without an example, one after the other, end a task
_COLUMNS = ("row", "prompt_tokens", "target_tokens", "exact", "runs")


@dataclass(frozen=True)
class Piece:
    """One object of a stream. usable: int64[n], indexes of its rows with examples, in order.

    loss_spans: of the content, without the frame; sides: int64[n, 2], framed tokens without and
    with loss.
    """

    path: str
    block: int
    epoch: int
    usable: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint64]
    sides: npt.NDArray[np.int64]
    exact: npt.NDArray[np.bool_]
    loss_spans: LossSpans


@dataclass
class Stream:
    """One task's examples. `job` describes the object of a (block, epoch).

    blocks: number of rows of each block of the split, up to the cap; work: counts from its objects:
    texts by encoder, rows by engine.
    """

    planned: PlannedTask
    blocks: Sequence[int]
    job: Callable[[int, int], ObjectJob]
    frame: FrameIds
    pieces: list[Piece] = field(default_factory=list)
    work: dict[str, Counter[str]] = field(default_factory=dict)
    usable_rows: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        cap, starts = self.planned.cap_rows, accumulate(self.blocks, initial=0)
        pairs = zip(starts, self.blocks, strict=False)
        self.blocks = [rows for start, rows in pairs if cap is None or start < cap]

    @property
    def id(self) -> str:
        """The task's id."""
        return self.planned.task.id

    @property
    def usable(self) -> int:
        """Number of examples so far."""
        return sum(len(p.usable) for p in self.pieces)

    def next_jobs(self, requested: int) -> Iterator[ObjectJob]:
        """Jobs to bring the stream to `wanted` examples, estimated from earlier objects."""
        if self.ended or self.usable >= requested or not self.blocks:
            return
        done = len(self.pieces)
        rows_done = sum(self._rows(i) for i in range(done))
        ratio = self.usable / rows_done if rows_done else 1.0
        missing = (requested - self.usable) / max(ratio, 0.01)
        place = done
        while missing > 0 and not self._is_over(place):
            yield self.job(place % len(self.blocks), place // len(self.blocks))
            missing -= max(1, self._rows(place))
            place += 1
            if ratio == 0.0 and place % len(self.blocks) == 0:
                return

    def add(self, path: str) -> None:
        """Add the next object."""
        place = len(self.pieces)
        block, epoch = place % len(self.blocks), place // len(self.blocks)
        table = read_object(path, _COLUMNS)
        usable = np.flatnonzero(table["target_tokens"].to_numpy() > 0)
        usable = usable[usable < self._allowed(place)]
        loss_spans = loss_spans_of(table).take(usable)
        piece = Piece(
            path, block, epoch, usable,
            table["row"].to_numpy()[usable],
            self.frame.loss_spans(loss_spans).sides,
            table["exact"].to_numpy(zero_copy_only=False)[usable],
            loss_spans,
        )  # fmt: skip
        self.pieces.append(piece)
        for kind, counts in json.loads((table.schema.metadata or {}).get(WORK, "{}")).items():
            self.work.setdefault(kind, Counter()).update(counts)
        if epoch == 0:
            self.usable_rows += len(usable)
        self._mark_end(place + 1)

    def _mark_end(self, place: int) -> None:
        epochs, rest = divmod(place, len(self.blocks))
        late = self.pieces[-len(self.blocks) * EMPTY_EPOCHS :]
        is_empty = self.usable == 0 or (
            epochs > EMPTY_EPOCHS and not any(len(piece.usable) for piece in late)
        )
        if (rest == 0 and is_empty) or self._is_over(place):
            self.ended = True

    def _is_over(self, place: int) -> bool:
        most = self.planned.max_epochs
        return most is not None and place >= len(self.blocks) * math.ceil(most)

    def _rows(self, place: int) -> int:
        return min(self._allowed(place), self.blocks[place % len(self.blocks)])

    def _allowed(self, place: int) -> int:
        """Number of rows of the place's block within the cap."""
        block = place % len(self.blocks)
        if self.planned.cap_rows is None:
            return self.blocks[block]
        before = sum(self.blocks[:block])
        return max(0, min(self.blocks[block], self.planned.cap_rows - before))

    def limit(self) -> int | None:
        """The most examples that the stream can give; None if not known yet."""
        is_read = len(self.pieces) >= len(self.blocks)
        allowed = self.planned.over_epochs(self.usable_rows) if is_read else None
        if not self.ended:
            return allowed
        return self.usable if allowed is None else min(allowed, self.usable)

    def needed(self, count: int) -> int:
        """Number of examples to build so that `count` may be taken, as far as epochs allow that.

        Under a limit of half an epoch, twice as many must exist before so many may be taken.
        """
        most = self.planned.max_epochs
        if most is None or most >= 1 or self.limit() is not None:
            return count
        return math.ceil(count / most)

    def lengths(self, count: int) -> npt.NDArray[np.int64]:
        """Framed tokens of the first `count` examples, without and with loss. -> int64[m, 2]"""
        parts = [np.zeros((0, 2), dtype=np.int64), *(p.sides for p in self.pieces)]
        return np.concatenate(parts)[:count]


@dataclass
class Streams:
    """All streams of a mixture, and the executor that builds their objects."""

    streams: Mapping[str, Stream]
    executor: Executor | None = None
    progress: Callable[[int, int], None] | None = None
    built: int = 0
    found: int = 0

    def work(self) -> dict[str, dict[str, int]]:
        """Texts by encoder and rows by engine, over all objects in use."""
        found: dict[str, Counter[str]] = {}
        for stream in self.streams.values():
            for kind, counts in stream.work.items():
                found.setdefault(kind, Counter()).update(counts)
        return {kind: dict(counts) for kind, counts in found.items()}

    def ensure(self, requested: Mapping[str, int]) -> None:
        """Build objects until every stream has its number of examples, or is exhausted."""
        while True:
            work = [
                (s, job)
                for s in self._short(requested)
                for job in s.next_jobs(s.needed(requested[s.id]))
            ]
            if not work:
                return
            for done, (stream, path) in enumerate(self._run(work), 1):
                stream.add(path)
                if self.progress is not None:
                    self.progress(done, len(work))

    def _short(self, requested: Mapping[str, int]) -> Iterator[Stream]:
        for id_, count in requested.items():
            stream = self.streams[id_]
            limit = stream.limit()
            needed = stream.needed(count) if limit is None else min(count, limit)
            if not stream.ended and stream.usable < needed:
                yield stream

    def _run(self, work: list[tuple[Stream, ObjectJob]]) -> Iterable[tuple[Stream, str]]:
        streams = [s for s, _ in work]
        jobs = [j for _, j in work]
        hits = sum(is_built(Path(j.path)) for j in jobs)
        self.found += hits
        self.built += len(jobs) - hits
        return zip(streams, built(jobs, self.executor), strict=True)

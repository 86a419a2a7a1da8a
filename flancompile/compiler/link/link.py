"""The link pass: exact numbers of examples from each stream, shuffled into one order.

An example's id is its index in link order (task, epoch, block, row). The shuffle sorts by a draw
keyed with the example's own task, row and epoch, so adding or removing a task does not reorder
other tasks' examples. Memory: 28 bytes an example.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.compiler.link.quota import Quotas
from flancompile.compiler.objects.streams import Piece, Stream, Streams
from flancompile.compiler.special_tokens import FrameIds
from flancompile.store.loss_spans import LossSpans

__all__ = ["Linked", "Taken", "link"]


@dataclass(frozen=True)
class Taken:
    """The examples taken from one object: the first `count` of its usable rows.

    first: the id of the first of them.
    """

    stream: Stream
    piece: Piece
    count: int
    first: int

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Indexes of the rows within the object."""
        return self.piece.usable[: self.count]


@dataclass(frozen=True)
class Linked:
    """All examples of a build.

    loss_spans: framed, by example id; lengths: int64[examples, 2], their sums without and with
    loss; order: int64[examples], ids in the mixture's shuffled order.
    """

    taken: tuple[Taken, ...]
    counts: Mapping[str, int]
    requested: Mapping[str, int]
    loss_spans: LossSpans
    order: npt.NDArray[np.int64]
    inexact: int

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Framed tokens of the prompt and the target side, by id. -> int64[examples, 2]"""
        return self.loss_spans.sides

    def __len__(self) -> int:
        return len(self.loss_spans)


def link(streams: Streams, quotas: Quotas, frame: FrameIds, seed: int) -> Linked:
    """Take each task's quota of examples, in the order of the tasks' ids."""
    counts = quotas.granted
    taken: list[Taken] = []
    loss_spans: list[LossSpans] = []
    keys: list[npt.NDArray[np.uint64]] = []
    first = inexact = 0
    for id_ in sorted(counts):
        for part in _take(streams.streams[id_], counts[id_], first):
            piece, n = part.piece, part.count
            first += n
            taken.append(part)
            loss_spans.append(frame.loss_spans(piece.loss_spans.part(0, n)))
            keys.append(draw.bits(seed, "shuffle", id_, piece.digests[:n], piece.epoch))
            inexact += int((~piece.exact[:n]).sum())
    key = np.concatenate(keys) if keys else np.zeros(0, dtype=np.uint64)
    order = np.argsort(key, kind="stable")
    return Linked(
        tuple(taken), counts, quotas.requested, LossSpans.joined(loss_spans), order, inexact
    )


def _take(stream: Stream, count: int, first: int) -> Iterator[Taken]:
    for piece in stream.pieces:
        n = min(count, len(piece.usable))
        if n == 0:
            continue
        yield Taken(stream, piece, n, first)
        count -= n
        first += n

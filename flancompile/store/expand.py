"""Expand loss spans to segment ids, positions and loss weights.

A build stores two lengths for each example (0.02 bytes a token), and two for each answer of a chat;
the arrays are made when a batch is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.jit import njit
from flancompile.store.loss_spans import LossSpans

__all__ = ["DecoderPart", "decoder_batch", "expand"]

Arrays = dict[str, npt.NDArray[Any]]
# One record batch: tokens [packs, length], offsets of packs, span lengths, edges of examples.
DecoderPart = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


def expand(
    layout: str,
    lengths: dict[str, int],
    loss_spans: LossSpans,
    offsets: npt.NDArray[np.int64],
) -> Arrays:
    """Segment ids from 1 (0: padding), positions within each segment, and loss weights.

    offsets: int64[packs + 1] into the examples. -> decoder: segment_ids, positions
    int32[packs, tokens] and loss_weights float32, 1 on each target token; encoder_decoder: the same
    for `inputs_…` and `targets_…`, with loss on every target token.
    """
    packs = len(offsets) - 1
    if layout == "decoder":
        found = _empty(packs, lengths["tokens"])
        every = np.arange(packs)
        _decoder(loss_spans.values, loss_spans.edges, offsets, every, every, *found.values())
        return found
    found = {}
    for side, name in enumerate(("inputs", "targets")):
        shape = (packs, lengths[name])
        segments, positions = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        _side(loss_spans.sides[:, side].copy(), offsets, segments, positions)
        found[f"{name}_segment_ids"], found[f"{name}_positions"] = segments, positions
    found["targets_loss_weights"] = (found["targets_segment_ids"] > 0).astype(np.float32)
    return found


def decoder_batch(
    parts: Sequence[DecoderPart],
    owner: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    length: int,
) -> Arrays:
    """Tokens int32[packs, length] of packs of a decoder build, and the arrays of `expand`.

    owner, rows: int64[packs], the index in `parts` of each pack and its row there.
    """
    found = _empty(len(rows), length)
    tokens = np.empty((len(rows), length), np.int32)
    for part in np.unique(owner).tolist():
        places = np.flatnonzero(owner == part)
        view, offsets, values, edges = parts[part]
        _tokens(view, rows[places], places, tokens)
        _decoder(values, edges, offsets, rows[places], places, *found.values())
    return {"tokens": tokens, **found}


def _empty(packs: int, length: int) -> Arrays:
    kinds = {"segment_ids": np.int32, "positions": np.int32, "loss_weights": np.float32}
    return {name: np.empty((packs, length), kind) for name, kind in kinds.items()}


@njit
def _tokens(view, rows, places, tokens):  # type: ignore[no-untyped-def]
    for i in range(len(rows)):
        tokens[places[i]] = view[rows[i]]


@njit
def _decoder(  # type: ignore[no-untyped-def]
    values, edges, offsets, rows, places, segments, positions, weights
):
    count = np.arange(segments.shape[1]).astype(np.int32)
    for i in range(len(rows)):
        pack, out, at = rows[i], places[i], 0
        for example in range(offsets[pack], offsets[pack + 1]):
            first, loss = at, np.float32(0.0)
            for span in range(edges[example], edges[example + 1]):
                end = at + values[span]
                weights[out, at:end] = loss
                loss = np.float32(1.0) - loss
                at = end
            segments[out, first:at] = example - offsets[pack] + 1
            positions[out, first:at] = count[: at - first]
        segments[out, at:], positions[out, at:], weights[out, at:] = 0, 0, 0


@njit
def _side(lengths, offsets, segments, positions):  # type: ignore[no-untyped-def]
    for pack in range(len(offsets) - 1):
        place = 0
        for i in range(offsets[pack], offsets[pack + 1]):
            for k in range(lengths[i]):
                segments[pack, place] = i - offsets[pack] + 1
                positions[pack, place] = k
                place += 1

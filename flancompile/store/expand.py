"""From runs to what a model needs beside tokens: segment ids, positions, loss weights.

A build keeps two lengths an example (0.02 bytes a token), a chat two for each of its answers; the
arrays are made when they are fed.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from flancompile.store.runs import Runs

__all__ = ["expand"]

Arrays = dict[str, npt.NDArray[Any]]


def expand(
    layout: str,
    lengths: dict[str, int],
    runs: Runs,
    offsets: npt.NDArray[np.int64],
) -> Arrays:
    """Segment ids from 1 (0 is padding), positions that restart, and loss weights.

    offsets: int64[packs + 1] into the examples. -> decoder: segment_ids, positions
    int32[packs, tokens] and loss_weights float32, 1 on each token that is a target;
    encoder_decoder: the same named inputs_… and targets_…, loss on every target token.
    """
    packs = len(offsets) - 1
    if layout == "decoder":
        shape = (packs, lengths["tokens"])
        segments, positions = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        weights = np.zeros(shape, np.float32)
        _decoder(runs.values, runs.edges, offsets, segments, positions, weights)
        return {"segment_ids": segments, "positions": positions, "loss_weights": weights}
    found: Arrays = {}
    for side, name in enumerate(("inputs", "targets")):
        shape = (packs, lengths[name])
        segments, positions = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        _side(runs.sides[:, side].copy(), offsets, segments, positions)
        found[f"{name}_segment_ids"], found[f"{name}_positions"] = segments, positions
    found["targets_loss_weights"] = (found["targets_segment_ids"] > 0).astype(np.float32)
    return found


@numba.njit(cache=True, nogil=True)
def _decoder(values, edges, offsets, segments, positions, weights):  # type: ignore[no-untyped-def]
    for pack in range(len(offsets) - 1):
        place = 0
        for i in range(offsets[pack], offsets[pack + 1]):
            first = place
            for run in range(edges[i], edges[i + 1]):
                weight = 1.0 if (run - edges[i]) % 2 == 1 else 0.0
                for _ in range(values[run]):
                    segments[pack, place] = i - offsets[pack] + 1
                    positions[pack, place] = place - first
                    weights[pack, place] = weight
                    place += 1


@numba.njit(cache=True, nogil=True)
def _side(lengths, offsets, segments, positions):  # type: ignore[no-untyped-def]
    for pack in range(len(offsets) - 1):
        place = 0
        for i in range(offsets[pack], offsets[pack + 1]):
            for k in range(lengths[i]):
                segments[pack, place] = i - offsets[pack] + 1
                positions[pack, place] = k
                place += 1

"""How much arithmetic a step is, and how much a device can do: for model FLOPs utilisation.

Useful work alone is counted: 6 FLOPs a matrix parameter and token, and attention within segments;
padding and what is computed again count for nothing.

Source: Chowdhery et al. 2022 (PaLM), appendix B; makers' data sheets (dense bfloat16).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flancompile.trainer.config import ModelShape

__all__ = ["matrix_parameters", "parameters", "peak_flops", "step_flops"]

_PEAKS = {
    "TPU v4": 275e12, "TPU v5 lite": 197e12, "TPU v5e": 197e12, "TPU v5": 459e12, "TPU v5p": 459e12,
    "TPU v6 lite": 918e12, "TPU v6e": 918e12, "TPU7x": 2307e12, "NVIDIA A100": 312e12,
    "NVIDIA H100": 989e12, "NVIDIA H200": 989e12,
}  # fmt: skip


def matrix_parameters(model: ModelShape, vocab: int) -> int:
    """Parameters that every token is multiplied with: layers and the output layer."""
    own = model.width * model.head_size * 2 * (model.heads + model.key_heads)
    return model.layers * (own + 3 * model.width * model.mlp) + model.width * vocab


def parameters(model: ModelShape, vocab: int) -> int:
    """All parameters."""
    norms = (2 * model.layers + 1) * model.width
    untied = 0 if model.tie_embeddings else model.width * vocab
    return matrix_parameters(model, vocab) + norms + untied


def step_flops(
    model: ModelShape,
    vocab: int,
    positions: npt.NDArray[np.int32],
    segment_ids: npt.NDArray[np.int32],
) -> float:
    """Forward and backward of a batch. positions, segment_ids: int32[packs, length]."""
    real = segment_ids > 0
    seen = float((positions[real].astype(np.int64) + 1).sum())
    attention = 12.0 * model.layers * model.heads * model.head_size * seen
    return 6.0 * matrix_parameters(model, vocab) * float(real.sum()) + attention


def peak_flops(device_kind: str) -> float | None:
    """A device's dense bfloat16 FLOPs a second, by the name that JAX gives it; None if unknown."""
    fits = [name for name in _PEAKS if device_kind.startswith(name)]
    return _PEAKS[max(fits, key=len)] if fits else None

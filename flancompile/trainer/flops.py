"""FLOPs of a training step and peak FLOPs of devices, for model FLOPs utilisation (MFU).

Counts 6 FLOPs per matrix parameter and token, plus attention within segments. Padding and
recomputation are not counted.

Source: Chowdhery et al. 2022 (PaLM), appendix B; vendors' data sheets (dense bfloat16).
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
    """Number of matrix parameters of the layers and the output layer."""
    own = model.width * model.head_size * 2 * (model.heads + model.key_heads)
    return model.layers * (own + 3 * model.width * model.mlp) + model.width * vocab


def parameters(model: ModelShape, vocab: int) -> int:
    """Number of all parameters. vocab: rows of the embedding."""
    norms = (2 * model.layers + 1) * model.width
    untied = 0 if model.tie_embeddings else model.width * vocab
    return matrix_parameters(model, vocab) + norms + untied


def step_flops(
    model: ModelShape,
    vocab: int,
    positions: npt.NDArray[np.int32],
    segment_ids: npt.NDArray[np.int32],
) -> float:
    """FLOPs of the forward and backward pass of a batch.

    positions, segment_ids: int32[packs, length].
    """
    real = segment_ids > 0
    seen = float((positions[real].astype(np.int64) + 1).sum())
    attention = 12.0 * model.layers * model.heads * model.head_size * seen
    return 6.0 * matrix_parameters(model, vocab) * float(real.sum()) + attention


def peak_flops(device_kind: str) -> float | None:
    """Dense bfloat16 FLOPs per second of a device, by JAX's `device_kind`; None if unknown."""
    fits = [name for name in _PEAKS if device_kind.startswith(name)]
    return _PEAKS[max(fits, key=len)] if fits else None

"""Runs of a small model, to be changed key by key."""

from typing import Any

from flancompile.trainer.config import Run


def run_of(**more: Any) -> Run:
    """A run of a model with 2 layers, grouped queries and an output layer of its own."""
    about: dict[str, Any] = {
        "run": "toy",
        "model": {
            "layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "mlp": 64,
            "tie_embeddings": False,
        },
        "optimizer": {"learning_rate": 0.02, "warmup_steps": 2},
        "steps": 6,
        "batch_packs": 8,
        "compute": "float32",
        "log_steps": 1,
        "mesh": {"data": 1},
    }  # fmt: skip
    return Run.model_validate({**about, **more})

"""Convert parameters to the names and layout of Hugging Face's Llama.

Layers are unstacked and matrices transposed to [out, in], the layout of torch's linear layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["hugging_face"]


def hugging_face(params: Any) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Tensors of `LlamaForCausalLM` as (name, array). params: as `model.init` makes them."""
    for name, value in params.items():
        if name == "layers":
            for path, stack in _leaves(value, ()):
                for layer, weight in enumerate(np.asarray(stack)):
                    yield f"model.layers.{layer}.{path}.weight", _transposed(path, weight)
        else:
            prefix = "" if name == "lm_head" else "model."
            yield f"{prefix}{name}.weight", _transposed(name, np.asarray(value))


def _leaves(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        else:
            yield ".".join((*path, name)), value


def _transposed(path: str, weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return weight.T if weight.ndim == 2 and not path.endswith("embed_tokens") else weight

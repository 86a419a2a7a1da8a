"""Wrappers for other data loaders: a grain random access source and a torch map-style dataset.

Both return single expanded packs by index; batching and order are the loader's. Both can be
pickled for the worker processes of a loader: each worker opens the build's files again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from flancompile.store.build import Build

__all__ = ["PackSource", "TorchPacks", "torch_dataset"]


class PackSource:
    """Expanded packs of a build, by the protocol of `grain.sources.RandomAccessDataSource`."""

    def __init__(self, build: str | Path | Build) -> None:
        self._build = build if isinstance(build, Build) else Build.open(build)

    def __len__(self) -> int:
        return len(self._build.packs)

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        arrays = self._build.packs.batch(np.array([index.__index__()], dtype=np.int64))
        return {name: array[0] for name, array in arrays.items()}

    def __repr__(self) -> str:
        return f"PackSource({self._build.manifest.root_digest[:16]})"

    def __reduce__(self) -> tuple[type[PackSource], tuple[str]]:
        return (PackSource, (str(self._build.path),))


class TorchPacks:
    """Packs as tensors, a map-style dataset for `torch.utils.data.DataLoader`.

    It needs no base class of torch, so torch is imported by the first item.
    """

    def __init__(self, source: PackSource) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        import torch

        return {name: torch.from_numpy(array) for name, array in self._source[index].items()}


def torch_dataset(build: str | Path | Build) -> TorchPacks:
    """A map-style dataset of packs as tensors. Items need torch."""
    return TorchPacks(PackSource(build))

"""The feed for other loaders: grain's random access source, and a torch map-style dataset.

Both give single packs by index, expanded; batching and order are then the loader's own. Both can
be pickled, so a loader may give them to worker processes: a worker opens the build's files anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from flancompile.store.build import Build

__all__ = ["PackSource", "TorchPacks", "torch_dataset"]


class PackSource:
    """A `grain.sources.RandomAccessDataSource` (by its protocol) of expanded packs."""

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
    """The same with tensors for arrays: what `torch.utils.data.DataLoader` takes as map-style.

    It needs no base class of torch's, so that torch is imported by the first item and not before.
    """

    def __init__(self, source: PackSource) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        import torch

        return {name: torch.from_numpy(array) for name, array in self._source[index].items()}


def torch_dataset(build: str | Path | Build) -> TorchPacks:
    """A map-style dataset of packs as tensors; items need torch."""
    return TorchPacks(PackSource(build))

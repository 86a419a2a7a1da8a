"""Texts in Arrow's memory layout: UTF-8 bytes in one buffer, and offsets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Texts"]


@dataclass(frozen=True)
class Texts:
    """Texts. data: uint8, valid UTF-8; offsets: int64[texts + 1] into data; array: in Arrow."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    array: pa.Array

    @classmethod
    def of(cls, texts: Sequence[str] | pa.Array | Texts) -> Texts:
        """Make one from strings or an Arrow array without nulls.

        Raises UnicodeEncodeError for a lone surrogate, TypeError for a value that is not text.

        >>> Texts.of(["é", ""]).offsets.tolist()
        [0, 2, 2]
        """
        if isinstance(texts, Texts):
            return texts
        if not isinstance(texts, pa.Array):
            try:
                texts = pa.array(texts, pa.large_string())
            except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
                raise TypeError(str(error)) from None
        if texts.null_count:
            raise TypeError("a text is null")
        kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
        _, places, data = texts.buffers()
        count = len(texts)
        offsets = np.zeros(1, kind)
        if places is not None and places.size:
            offsets = np.frombuffer(places, kind)[texts.offset : texts.offset + count + 1]
        letters = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
        return cls(letters, offsets.astype(np.int64), texts)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def size(self) -> int:
        """Total number of bytes."""
        return int(self.offsets[-1] - self.offsets[0])

    def strings(self, places: Iterable[int] | None = None) -> list[str]:
        """Texts as Python strings. places: indices, default all."""
        if places is None:
            return list(self.array.to_pylist())
        return [self.array[i].as_py() for i in places]

    def emptied(self, places: npt.NDArray[np.bool_]) -> Texts:
        """Replace marked texts by empty ones. places: bool[texts]"""
        spare = pa.concat_arrays([self.array, pa.array([""], self.array.type)])
        return Texts.of(spare.take(pa.array(np.where(places, len(self), np.arange(len(self))))))

"""Answer options of many rows in arrays: read by the column engine, kept by a block's cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.render.duplicates import read_form

__all__ = ["OptionLists"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OptionLists:
    """Options in the author's order: each row has `counts` of them in `flat`, from `starts` on.

    right: int64[rows], position of the right option, -1 for none; fallback: rows that fall back to
    `RowSet.options`.
    """

    flat: pa.Array
    starts: Ints
    counts: Ints
    right: Ints
    fallback: Flags

    @cached_property
    def has_duplicates(self) -> Flags:
        """Rows with duplicate options, one of which `RowSet.options` removes. -> bool[rows]"""
        distinct, forms = self.flat.dictionary_encode(), dict[str, int]()
        texts = distinct.dictionary.to_pylist()
        numbers = np.array([forms.setdefault(read_form(t), len(forms)) for t in texts], np.int64)
        of = numbers[distinct.indices.to_numpy(zero_copy_only=False)]
        found = np.zeros(len(self.counts), np.bool_)
        for size in np.unique(self.counts[self.counts > 1]).tolist():
            some = np.flatnonzero(self.counts == size)
            forms_of_row = np.sort(of[self.starts[some][:, None] + np.arange(size)], axis=1)
            found[some] = (forms_of_row[:, 1:] == forms_of_row[:, :-1]).any(axis=1)
        return found

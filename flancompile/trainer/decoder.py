"""A trained model that answers: what an evaluation asks, behind two methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile.trainer.config import ModelShape
from flancompile.trainer.generate import generate
from flancompile.trainer.score import score

__all__ = ["Decoder"]

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Decoder:
    """params: as trained, on any mesh; eos: the id that ends an answer, None for none."""

    params: Any
    shape: ModelShape
    compute: str
    eos: int | None
    batch_rows: int = 32

    def generate(
        self,
        prompts: Sequence[npt.ArrayLike],
        max_new_tokens: int,
        progress: Progress = lambda _: None,
    ) -> list[npt.NDArray[np.int32]]:
        """Greedy answers to framed prompts, without eos. -> int32[≤ max_new_tokens] each."""
        return generate(
            self.params,
            self.shape,
            prompts,
            compute=self.compute,
            eos=self.eos,
            max_new_tokens=max_new_tokens,
            batch_rows=self.batch_rows,
            progress=progress,
        )

    def score(
        self,
        prompts: Sequence[npt.ArrayLike],
        targets: Sequence[npt.ArrayLike],
        progress: Progress = lambda _: None,
    ) -> npt.NDArray[np.float64]:
        """log p(target | prompt) of framed pairs, in nats. -> float64[pairs]"""
        return score(
            self.params,
            self.shape,
            prompts,
            targets,
            compute=self.compute,
            batch_rows=self.batch_rows,
            progress=progress,
        )

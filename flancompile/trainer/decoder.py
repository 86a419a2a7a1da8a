"""A trained decoder with the two methods that an evaluation needs: generate and score."""

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
    """A decoder and its decoding settings.

    params: as `model.init` makes them, on any mesh; compute: type of matrix products; eos: id that
    ends an answer, if any; batch_rows: prompts of a batch.
    """

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
        """Greedy answers to framed prompts, without eos. -> int32[≤ max_new_tokens] each

        progress: called with the number of prompts answered.
        """
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
        """log p(target | prompt) of framed pairs, in nats. -> float64[pairs]

        progress: called with the number of pairs scored.
        """
        return score(
            self.params,
            self.shape,
            prompts,
            targets,
            compute=self.compute,
            batch_rows=self.batch_rows,
            progress=progress,
        )

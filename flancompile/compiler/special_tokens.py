"""The frame: special tokens around an example's prompt and target, added at link time.

decoder: bos? prompt join? target eos?, in a chat again for each answer except bos; encoder–decoder:
prompt eos?, target eos?. Objects hold content ids only, so a change of frame or layout relinks and
does not render again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.mixture import Recipe
from flancompile.errors import fail
from flancompile.jit import njit
from flancompile.store.loss_spans import LossSpans

__all__ = ["FrameIds", "frame_ids", "framed"]

NONE = -1


@dataclass(frozen=True)
class FrameIds:
    """Ids put before a prompt, after it, and after a target; -1 for none."""

    layout: Literal["decoder", "encoder_decoder"]
    before: int
    after_prompt: int
    after_target: int

    @property
    def prompt_extra(self) -> int:
        """Number of tokens added on the prompt's side of an example with one target."""
        return (self.before != NONE) + (self.after_prompt != NONE)

    @property
    def target_extra(self) -> int:
        """Number of tokens added to each target; they carry loss."""
        return int(self.after_target != NONE)

    def loss_spans(self, content: LossSpans) -> LossSpans:
        """Loss spans with the frame's tokens added. content: loss spans without them."""
        extra = np.empty(len(content.values), dtype=np.int64)
        extra[::2], extra[1::2] = self.after_prompt != NONE, self.target_extra
        extra[content.edges[:-1]] += self.before != NONE
        return LossSpans(content.values + extra, content.edges)


def frame_ids(recipe: Loaded[Recipe], tokenizer: Any) -> FrameIds:
    """The frame of a recipe in a tokenizer's ids. Raises FC410 for a token that it lacks."""
    frame, layout = recipe.model.frame, recipe.model.layout
    join = frame.join or ("eos" if layout == "decoder" else "none")
    frame_key = "eos" if frame.eos else "join"
    eos = (
        _needed(recipe, tokenizer.eos_id, "eos", frame_key) if frame.eos or join == "eos" else NONE
    )
    side = join == "eos" if layout == "decoder" else frame.eos
    return FrameIds(
        layout=layout,
        before=_needed(recipe, tokenizer.bos_id, "bos", "bos") if frame.bos else NONE,
        after_prompt=eos if side else NONE,
        after_target=eos if frame.eos else NONE,
    )


def _needed(recipe: Loaded[Recipe], token: int | None, name: str, frame_key: str) -> int:
    """A special token. asks: the key of `frame` that needs it, by its default or in the file."""
    if token is None:
        written = recipe.document.value(("frame", frame_key)) is not None
        span = recipe.document.span(("frame", frame_key) if written else ("tokenizer",))
        off = "none" if frame_key == "join" else "false"
        hint = (
            f"set `{name}: TEXT` under the recipe's tokenizer, or `frame: {{{frame_key}: {off}}}`"
        )
        raise fail("FC410", f"the tokenizer has no {name} token", span=span, hint=hint)
    return token


def framed(
    ids: npt.NDArray[Any],
    starts: npt.NDArray[np.int64],
    content: LossSpans,
    frame: FrameIds,
) -> npt.NDArray[Any]:
    """Framed ids of examples, one after another.

    ids: an object's ids; starts: int64[m], the index of each example's first id; content: loss
    spans without the frame. -> ids of the same dtype, their number the sum of the framed lengths
    """
    out = np.empty(int(frame.loss_spans(content).values.sum()), dtype=ids.dtype)
    tokens = (frame.before, frame.after_prompt, frame.after_target)
    _frame(ids, starts, content.values, content.edges, *tokens, out)
    return out


@njit
def _frame(ids, starts, values, edges, before, after_prompt, after_target, out):  # type: ignore[no-untyped-def]
    place = 0
    for i in range(len(starts)):
        if before >= 0:
            out[place] = before
            place += 1
        at = starts[i]
        for span in range(edges[i], edges[i + 1]):
            for _ in range(values[span]):
                out[place] = ids[at]
                at += 1
                place += 1
            token = after_prompt if (span - edges[i]) % 2 == 0 else after_target
            if token >= 0:
                out[place] = token
                place += 1

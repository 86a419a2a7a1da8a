"""The tokenise pass: drafts become ids that fit the example's lengths.

Whole prompts and whole targets are encoded, in batches; nothing is spliced, so the ids are the
tokenizer's own. What is over-long loses exemplars first, from the last; then the fields that the
task lets be shortened are cut at a word's end; else the row is dropped. A target is never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flancompile.compiler.render import Draft, Renderer
from flancompile.dsl.expression import RowError

__all__ = ["Budget", "Encoder", "Fitted", "fit"]

BATCH = 512
TRIES = 12
Ids = npt.NDArray[np.uint32]


class Encoded(Protocol):
    """Ids of several texts."""

    def __getitem__(self, index: int) -> Ids: ...
    def __len__(self) -> int: ...


class Encoder(Protocol):
    """What this pass needs of a tokenizer."""

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Ids of each text as a whole, without special tokens."""

    def exact(self, texts: Sequence[str], encoded: Any) -> npt.NDArray[np.bool_]:
        """Whether decoding gives each text back."""


@dataclass(frozen=True)
class Budget:
    """Content tokens that an example may have, the frame's tokens already taken off."""

    total: int | None = None
    input: int | None = None
    target: int | None = None

    def room(self, target: int) -> int:
        """Tokens left for the prompt beside a target of so many tokens."""
        rooms = [self.input, None if self.total is None else self.total - target]
        return min(r for r in rooms if r is not None)


@dataclass(frozen=True)
class Fitted:
    """A draft with its ids. exact: whether decoding the targets gives them back.

    parts: ids of its runs, which alternate between no loss and loss: prompt and target, or those
    of a chat.
    """

    draft: Draft
    parts: tuple[Ids, ...]
    exact: bool

    @property
    def prompt(self) -> Ids:
        """Ids of the first run."""
        return self.parts[0]

    @property
    def target(self) -> Ids:
        """Ids of the last run."""
        return self.parts[-1]

    @property
    def many(self) -> list[int] | None:
        """Lengths of the runs, where there are more than two."""
        return [len(p) for p in self.parts] if len(self.parts) > 2 else None

    @property
    def lengths(self) -> tuple[int, int]:
        """Tokens without loss, and with loss."""
        return sum(map(len, self.parts[::2])), sum(map(len, self.parts[1::2]))


def fit(
    renderer: Renderer, encoder: Encoder, budget: Budget, *, drafts: Iterable[Draft] | None = None
) -> Iterator[Fitted]:
    """Tokenise a renderer's drafts, batch by batch; over-long rows go to `renderer.reasons`."""
    stream = iter(renderer if drafts is None else drafts)
    while batch := list(islice(stream, BATCH)):
        yield from _fit_batch(renderer, encoder, budget, batch)


def _fit_batch(
    renderer: Renderer, encoder: Encoder, budget: Budget, drafts: list[Draft]
) -> Iterator[Fitted]:
    texts = [d.target for d in drafts]
    targets = encoder.encode(texts)
    exact = encoder.exact(texts, targets)
    prompts: dict[int, Ids] = {}
    pending = _fitting_targets(renderer, budget, drafts, targets)
    for _ in range(TRIES + max((len(d.shots) for d in drafts), default=0)):
        if not pending:
            break
        pieces = [drafts[i].pieces(renderer.spec.shots_styles) for i in pending]
        encoded = encoder.encode(["".join(p) for p in pieces])
        over = []
        for place, i in enumerate(pending):
            room = budget.room(len(targets[i]))
            if len(encoded[place]) <= room:
                prompts[i] = encoded[place].copy()
            elif _shorten(renderer, drafts[i], "".join(pieces[place]), len(encoded[place]), room):
                over.append(i)
        pending = over
    for i in pending:
        renderer.reasons[drafts[i].row] = "the prompt is over-long"
    for i in sorted(prompts):
        yield Fitted(drafts[i], (prompts[i], targets[i]), bool(exact[i]))


def _fitting_targets(
    renderer: Renderer, budget: Budget, drafts: list[Draft], targets: Encoded
) -> list[int]:
    kept = []
    for i, draft in enumerate(drafts):
        most = budget.target if budget.target is not None else budget.total
        if most is not None and len(targets[i]) > most:
            renderer.reasons[draft.row] = "the target is over-long"
        elif budget.room(len(targets[i])) <= 0:
            renderer.reasons[draft.row] = "the prompt is over-long"
        else:
            kept.append(i)
    return kept


def _shorten(renderer: Renderer, draft: Draft, text: str, tokens: int, room: int) -> bool:
    """Make the draft shorter by one step; False when nothing is left that may be cut."""
    if draft.shots:
        draft.shots.pop()
        draft.exemplars.pop()
        return True
    excess = int((tokens - room) * len(text) / tokens * 1.05) + 1
    fields = draft.shortened or renderer.rows.fields(draft.row)
    for name in renderer.spec.task.truncate:
        value = fields.get(name)
        if isinstance(value, str) and len(value) > excess:
            cut = _cut(value, len(value) - excess)
            if cut:
                draft.shortened = {**fields, name: cut}
                return _retext(renderer, draft)
    renderer.reasons[draft.row] = "the prompt is over-long"
    return False


def _retext(renderer: Renderer, draft: Draft) -> bool:
    try:
        draft.input = renderer.retext(draft, draft.shortened or {})
    except RowError as error:
        renderer.reasons[draft.row] = str(error)
        return False
    return True


def _cut(text: str, length: int) -> str:
    """The text's head of at most `length` characters, up to a word's end where there is one."""
    head = text[:length]
    if length < len(text) and not text[length].isspace():
        words = head.rsplit(None, 1)
        head = words[0] if len(words) == 2 else head
    return head.rstrip()

"""The tokenise pass: drafts become ids that fit the example's lengths.

Whole prompts and whole targets are encoded, in batches; nothing is spliced, so the ids are the
tokenizer's own. What is over-long loses exemplars first, from the last; then the fields that the
task lets be shortened are cut at a word's end; else the row is dropped. A dialogue loses its last
exchanges. A target is never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flancompile.compiler.chat import run_ids, without_last
from flancompile.compiler.render import Draft, Renderer
from flancompile.dsl.expression import RowError

__all__ = ["OVER_LONG", "Budget", "Encoder", "Fitted", "fit"]

BATCH = 512
TRIES = 12
OVER_LONG = "the prompt is over-long"
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
    """Content tokens that an example may have, the frame's tokens already taken off.

    exchange: tokens that the frame adds for each further answer of a dialogue.
    """

    total: int | None = None
    input: int | None = None
    target: int | None = None
    exchange: int = 0

    def room(self, target: int, answers: int = 1) -> int:
        """Tokens left for what is shown beside targets of so many tokens."""
        framed = target + (answers - 1) * self.exchange
        rooms = [self.input, None if self.total is None else self.total - framed]
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
    done: dict[int, Fitted] = {}
    pending = dict(enumerate(drafts))
    for _ in range(TRIES + max((len(d.shots) for d in drafts), default=0)):
        if not pending:
            break
        pending = _tried(renderer, encoder, budget, pending, done)
    for draft in pending.values():
        renderer.reasons[draft.row] = OVER_LONG
    for i in sorted(done):
        yield done[i]


def _tried(
    renderer: Renderer,
    encoder: Encoder,
    budget: Budget,
    drafts: Mapping[int, Draft],
    done: dict[int, Fitted],
) -> dict[int, Draft]:
    """Encode drafts; what fits is `done`, what was made shorter is to be tried again."""
    texts = _texts(renderer, drafts)
    shown = [t for runs in texts.values() for t in runs[::2]]
    learnt = [t for runs in texts.values() for t in runs[1::2]]
    prompts, targets = encoder.encode(shown), encoder.encode(learnt)
    exact = encoder.exact(learnt, targets)
    again, at = {}, 0
    for i, runs in texts.items():
        draft, here = drafts[i], range(at, at + len(runs) // 2)
        at += len(runs) // 2
        try:
            parts = [part for k in here for part in (prompts[k], targets[k])]
            parts = run_ids(renderer.spec.layout_of(draft), encoder, runs, parts)
            excess = _excess(budget, [len(p) for p in parts])
            if not excess:
                kept = tuple(p.copy() for p in parts)
                done[i] = Fitted(draft, kept, bool(exact[here.start : here.stop].all()))
            else:
                _shorten(renderer, draft, budget, runs, parts)
                again[i] = draft
        except RowError as error:
            renderer.reasons[draft.row] = str(error)
    return again


def _texts(renderer: Renderer, drafts: Mapping[int, Draft]) -> dict[int, tuple[str, ...]]:
    found = {}
    for i, draft in drafts.items():
        try:
            found[i] = draft.texts(renderer.spec)
        except RowError as error:
            renderer.reasons[draft.row] = str(error)
    return found


def _excess(budget: Budget, lengths: Sequence[int]) -> int:
    """Tokens over the room that the shown runs have. Raises RowError for what no cut mends."""
    learnt = lengths[1::2]
    most = budget.target if budget.target is not None else budget.total
    if most is not None and learnt[0] > most:
        raise RowError("the target is over-long")
    if budget.total is None and len(learnt) > 1:
        raise RowError("several answers in one example; an encoder–decoder takes one")
    room = budget.room(sum(learnt), len(learnt))
    if room <= 0 and len(learnt) == 1:
        raise RowError(OVER_LONG)
    over_long = most is not None and max(learnt) > most
    return max(sum(lengths[::2]) - room, int(over_long), 0)


def _shorten(
    renderer: Renderer, draft: Draft, budget: Budget, runs: Sequence[str], parts: Sequence[Ids]
) -> None:
    """Make the draft shorter by one step. Raises RowError when nothing is left that may be cut."""
    lengths = [len(p) for p in parts]
    if draft.turns:
        fitting = (n for n in range(len(parts) // 2) if n and not _excess(budget, lengths[: 2 * n]))
        draft.turns = without_last(draft.turns, max(fitting, default=0))
        draft.shortened = {"turns": len(draft.turns)}
        if not draft.turns:
            raise RowError(OVER_LONG)
        return
    text, tokens, room = runs[0], lengths[0], budget.room(lengths[1])
    if draft.shots:
        draft.shots.pop()
        draft.exemplars.pop()
        return
    excess = int((tokens - room) * len(text) / tokens * 1.05) + 1
    fields = draft.shortened or renderer.rows.fields(draft.row)
    for name in renderer.spec.task.truncate:
        value = fields.get(name)
        if isinstance(value, str) and len(value) > excess:
            cut = _cut(value, len(value) - excess)
            if cut:
                draft.shortened = {**fields, name: cut}
                draft.input = renderer.retext(draft, draft.shortened)
                return
    raise RowError(OVER_LONG)


def _cut(text: str, length: int) -> str:
    """The text's head of at most `length` characters, up to a word's end where there is one."""
    head = text[:length]
    if length < len(text) and not text[length].isspace():
        words = head.rsplit(None, 1)
        head = words[0] if len(words) == 2 else head
    return head.rstrip()

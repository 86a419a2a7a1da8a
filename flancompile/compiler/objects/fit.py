"""The tokenise pass: encode drafts and fit them to the example's lengths.

Whole prompts and whole targets are encoded, in batches; nothing is spliced, so the ids are the
tokenizer's own. An over-long example loses exemplars first, from the last; then the fields that the
task allows to be shortened are cut (`truncate.py`); else the row is dropped. A dialogue loses its
last exchanges. A target is never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flancompile.compiler.objects.truncate import Cutting, Measured, longest_fitting
from flancompile.compiler.render.chat import span_ids, without_last
from flancompile.compiler.render.renderer import Draft, Renderer
from flancompile.drop_reasons import DropReason, FewerShots
from flancompile.dsl.jinja.expression import RowError

__all__ = ["Budget", "Encoder", "Fitted", "fit"]

BATCH = 512
Ids = npt.NDArray[np.uint32]


class Encoded(Protocol):
    """Ids of several texts."""

    def __getitem__(self, index: int) -> Ids: ...
    def __len__(self) -> int: ...


class Encoder(Protocol):
    """The interface of a tokenizer for this pass.

    unknown_id: the id of texts without a token; None if the tokenizer has none.
    """

    @property
    def unknown_id(self) -> int | None: ...

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Ids of each text as a whole, without special tokens."""

    def exact(self, texts: Sequence[str], encoded: Any) -> npt.NDArray[np.bool_]:
        """Whether decoding returns each text."""


@dataclass(frozen=True)
class Budget:
    """Content tokens of an example, without the frame's.

    exchange: tokens that the frame adds for each further answer of a dialogue.
    """

    total: int | None = None
    input: int | None = None
    target: int | None = None
    exchange: int = 0

    def room(self, target: int, answers: int = 1) -> int:
        """Tokens left for the prompt beside targets of so many tokens."""
        framed = target + (answers - 1) * self.exchange
        rooms = [self.input, None if self.total is None else self.total - framed]
        return min(r for r in rooms if r is not None)


@dataclass(frozen=True)
class Fitted:
    """A draft with its ids.

    parts: ids of its spans, alternately without and with loss: prompt and target, or those of a
    chat; exact: whether decoding returns the targets; unknown: whether the prompt has unknown
    tokens.
    """

    draft: Draft
    parts: tuple[Ids, ...]
    exact: bool
    unknown: bool = False

    @property
    def prompt(self) -> Ids:
        """Ids of the first span."""
        return self.parts[0]

    @property
    def target(self) -> Ids:
        """Ids of the last span."""
        return self.parts[-1]

    @property
    def many(self) -> list[int] | None:
        """Lengths of the spans, if there are more than two."""
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
    cuttings: dict[int, Cutting[_Try]] = {}
    pending = dict(enumerate(drafts))
    while pending:
        tried = _tried(renderer, encoder, budget, pending)
        pending = {}
        for i, measured in tried.items():
            draft = drafts[i]
            if measured.excess <= 0:
                done[i] = measured.result.fitted
            elif _without_last(draft, budget, measured):
                pending[i] = draft
            elif cutting := _cutting(renderer, draft, measured):
                cuttings[i] = cutting
            else:
                renderer.reasons[draft.row] = DropReason.LONG_PROMPT
    _truncate(renderer, encoder, budget, drafts, cuttings)
    for i, cutting in cuttings.items():
        if cutting.best is None:
            renderer.reasons[drafts[i].row] = DropReason.LONG_PROMPT
        else:
            done[i] = cutting.best.result.fitted
    for i in sorted(done):
        yield done[i]


@dataclass(frozen=True)
class _Try:
    """A draft in its present state, with its texts and ids, which may be over-long."""

    texts: tuple[str, ...]
    fitted: Fitted


def _tried(
    renderer: Renderer, encoder: Encoder, budget: Budget, drafts: Mapping[int, Draft]
) -> dict[int, Measured[_Try]]:
    """Encode drafts in their present state; `renderer.reasons` gets those that cannot fit."""
    texts = _texts(renderer, drafts)
    prompt_texts = [t for spans in texts.values() for t in spans[::2]]
    learnt = [t for spans in texts.values() for t in spans[1::2]]
    prompts, targets = encoder.encode(prompt_texts), encoder.encode(learnt)
    exact = encoder.exact(learnt, targets)
    found, at = {}, 0
    for i, spans in texts.items():
        draft, here = drafts[i], range(at, at + len(spans) // 2)
        at += len(spans) // 2
        try:
            parts = [part for k in here for part in (prompts[k], targets[k])]
            parts = span_ids(renderer.spec.layout_of(draft), encoder, spans, parts)
            excess = _excess(budget, [len(p) for p in parts])
            ids = tuple(p.copy() for p in parts)
            unknown = any(bool((p == encoder.unknown_id).any()) for p in ids[::2])
            fitted = Fitted(draft, ids, bool(exact[here.start : here.stop].all()), unknown)
            found[i] = Measured(sum(map(len, parts[::2])), excess, _Try(spans, fitted))
        except RowError as error:
            renderer.reasons[draft.row] = str(error)
    return found


def _texts(renderer: Renderer, drafts: Mapping[int, Draft]) -> dict[int, tuple[str, ...]]:
    found = {}
    for i, draft in drafts.items():
        try:
            found[i] = draft.texts(renderer.spec)
        except RowError as error:
            renderer.reasons[draft.row] = str(error)
    return found


def _excess(budget: Budget, lengths: Sequence[int]) -> int:
    """Tokens over the budget of the spans without loss; below 0, free tokens.

    Raises RowError for an example that cannot be shortened to fit.
    """
    learnt = lengths[1::2]
    most = budget.target if budget.target is not None else budget.total
    if most is not None and learnt[0] > most:
        raise RowError(DropReason.LONG_TARGET)
    if budget.total is None and len(learnt) > 1:
        raise RowError(DropReason.SEVERAL_ANSWERS)
    room = budget.room(sum(learnt), len(learnt))
    if room <= 0 and len(learnt) == 1:
        raise RowError(DropReason.LONG_PROMPT)
    if most is not None and max(learnt) > most:
        return max(sum(lengths[::2]) - room, 1)
    return sum(lengths[::2]) - room


def _without_last(draft: Draft, budget: Budget, measured: Measured[_Try]) -> bool:
    """Remove the last exemplar, or the exchanges that do not fit; whether there was one."""
    if draft.shots:
        draft.shots.pop()
        draft.exemplars.pop()
        draft.fewer_shots = FewerShots.OVER_LONG
        return True
    if not draft.turns:
        return False
    lengths = [len(p) for p in measured.result.fitted.parts]
    counts = range(1, len(lengths) // 2)
    fitting = (n for n in counts if _excess(budget, lengths[: 2 * n]) <= 0)
    draft.turns = without_last(draft.turns, max(fitting, default=0))
    draft.shortened = {"turns": len(draft.turns)}
    return bool(draft.turns)


def _cutting(renderer: Renderer, draft: Draft, whole: Measured[_Try]) -> Cutting[_Try] | None:
    """A search for the longest fields that fit; None if no field may be cut."""
    texts = list(_cut_fields(renderer, draft).values())
    if draft.turns or not texts:
        return None
    return Cutting(texts, whole, sum(map(len, whole.result.texts[::2])))


def _cut_fields(renderer: Renderer, draft: Draft) -> dict[str, str]:
    """The texts of the fields that the task allows to be shortened, in its order."""
    fields = renderer.rows.fields(draft.row)
    named = {n: fields.get(n) for n in renderer.spec.task.truncate}
    return {n: v for n, v in named.items() if isinstance(v, str) and v.strip()}


def _truncate(
    renderer: Renderer,
    encoder: Encoder,
    budget: Budget,
    drafts: Sequence[Draft],
    cuttings: Mapping[int, Cutting[_Try]],
) -> None:
    """Search for the longest fields of drafts; `best` of each holds the result."""

    def measure(heads: Mapping[int, Sequence[str]]) -> dict[int, Measured[_Try]]:
        shorter = {}
        for i, texts in heads.items():
            names = _cut_fields(renderer, drafts[i])
            fields = {**renderer.rows.fields(drafts[i].row), **dict(zip(names, texts, strict=True))}
            try:
                text, instruction = renderer.retext(drafts[i], fields)
            except RowError:
                continue
            shorter[i] = replace(drafts[i], input=text, instruction=instruction, shortened=fields)
        tried = _tried(renderer, encoder, budget, shorter)
        for i in shorter:  # one failing length is no reason to drop the row
            renderer.reasons.pop(drafts[i].row, None)
        return tried

    longest_fitting(cuttings, measure)

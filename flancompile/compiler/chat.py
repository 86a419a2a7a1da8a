"""Dialogues: turns of a row, and the runs of text that a layout makes of them.

Runs alternate between what is shown and what is learnt. A style of ours says for each role what
stands around its text, so the mask falls out of the parts. A tokenizer's own chat template makes
one text of all messages; where an answer begins and ends is seen by rendering the messages before
it and those up to it, which must be beginnings of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flancompile.dsl.dialogues import role_of
from flancompile.dsl.expression import RowError, compile_expression, compile_template
from flancompile.dsl.library import Loaded
from flancompile.dsl.mixture import Recipe
from flancompile.dsl.style import ChatStyle
from flancompile.dsl.task import Task, Turns
from flancompile.errors import fail
from flancompile.marks import unmarked
from flancompile.tokenizer.chat import ChatTemplate, ChatTemplateError

__all__ = [
    "TOKENIZERS_OWN", "ChatLayout", "Turn", "chat_runs", "check_chat", "ending", "exchange",
    "run_ids", "turns_of", "without_last",
]  # fmt: skip

ChatLayout = ChatStyle | ChatTemplate
Ids = npt.NDArray[np.uint32]
TOKENIZERS_OWN = "tokenizer"  # the layout that a recipe names for the tokenizer's chat template
_SLOT = re.compile(r"\{\{-?\s*text\b")


@dataclass(frozen=True)
class Turn:
    """What one speaker says. learnt: whether it carries loss."""

    role: str
    text: str
    learnt: bool = False


def exchange(prompt: str, target: str) -> tuple[Turn, ...]:
    """An ordinary example as a chat."""
    return Turn("user", prompt), Turn("assistant", target, True)


def turns_of(context: Mapping[str, object], settings: Turns) -> tuple[Turn, ...]:
    """A row's turns, up to the last that is learnt. Raises RowError."""
    items = compile_expression(settings.each)(context)
    if isinstance(items, str | Mapping) or not isinstance(items, Sequence):
        raise RowError("turns: not a list")
    role, text, loss = map(compile_expression, (settings.role, settings.text, settings.loss))
    turns = []
    for n, item in enumerate(items, 1):
        scope = {**context, "turn": item, "n": n, "count": len(items), "last": n == len(items)}
        try:
            speaker = role_of(role(scope))
        except ValueError as error:
            raise RowError(f"turn {n}: {error}") from None
        said = text(scope)
        if said is None or not str(said).strip():
            raise RowError(f"turn {n} is empty")
        learnt = bool(loss({**scope, "role": speaker}))
        if learnt and speaker != "assistant":
            raise RowError(f"turn {n} is to be learnt, and is the {speaker}'s")
        turns.append(Turn(speaker, str(said), learnt))
    return _up_to_answer(turns)


def without_last(turns: Sequence[Turn], kept: int) -> tuple[Turn, ...]:
    """The turns up to the answer number `kept` that is learnt; none when that is 0."""
    places = [i for i, t in enumerate(turns) if t.learnt]
    return tuple(turns[: places[kept - 1] + 1]) if kept else ()


def chat_runs(layout: ChatLayout, turns: Sequence[Turn]) -> tuple[str, ...]:
    """Texts that alternate between shown and learnt, an even number. Raises RowError.

    Two answers with nothing between them are one run.
    """
    pieces = _styled(layout, turns) if isinstance(layout, ChatStyle) else _templated(layout, turns)
    runs: list[str] = [""]
    for text, learnt in pieces:
        if not text:
            continue
        if learnt == (len(runs) % 2 == 0):
            runs[-1] += text
        else:
            runs.append(text)
    if not runs[0].strip():
        raise RowError("the dialogue begins with an answer")
    return tuple(runs[: len(runs) // 2 * 2])


def _up_to_answer(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    answers = sum(t.learnt for t in turns)
    if not answers:
        raise RowError("no turn is to be learnt")
    return without_last(turns, answers)


def _styled(style: ChatStyle, turns: Sequence[Turn]) -> list[tuple[str, bool]]:
    pieces = [(compile_template(style.opening).render({}), False)]
    for n, turn in enumerate(turns, 1):
        if n > 1:
            pieces.append((compile_template(style.between).render({}), False))
        names = {"text": turn.text, "n": n}
        before, rest = _halves(getattr(style, turn.role))
        pieces.append((compile_template(before).render(names), False))
        pieces.append((compile_template(rest).render(names), turn.learnt))
    return pieces


@lru_cache(maxsize=1024)
def _halves(text: str) -> tuple[str, str]:
    """A role's text before its slot, and from the slot on."""
    match = _SLOT.search(text)
    at = match.start() if match else len(text)
    return text[:at], text[at:]


def _templated(template: ChatTemplate, turns: Sequence[Turn]) -> list[tuple[str, bool]]:
    messages = [{"role": t.role, "content": t.text} for t in turns]
    try:
        whole = template.render(messages)
        pieces: list[tuple[str, bool]] = []
        at = 0
        for i, turn in enumerate(turns):
            if not turn.learnt:
                continue
            before = template.render(messages[:i], generate=True)
            upto = whole if i + 1 == len(turns) else template.render(messages[: i + 1])
            if not (whole.startswith(upto) and upto.startswith(before) and at <= len(before)):
                raise RowError("chat template: an answer is written otherwise in the whole chat")
            pieces += [(whole[at : len(before)], False), (whole[len(before) : len(upto)], True)]
            at = len(upto)
    except ChatTemplateError as error:
        raise RowError(f"chat template: {error}") from None
    return pieces


def check_chat(recipe: Loaded[Recipe], tasks: Iterable[Task], chat: ChatTemplate | None) -> None:
    """Whether the tokenizer's own chat layout can be used, where the recipe asks for it.

    Raises FC417 without a chat template, and FC418 where the frame would add tokens to it.
    """
    model = recipe.model
    dialogues = any(t.turns is not None for task in tasks for t in task.templates)
    if TOKENIZERS_OWN not in model.styles.chat or not (dialogues or model.styles.wrap):
        return
    if chat is None:
        span = recipe.document.span(("styles", "chat"))
        hint = "say `chat_template: FILE` under the recipe's tokenizer, or choose another layout"
        raise fail("FC417", "the tokenizer has no chat template", span=span, hint=hint)
    frame = model.frame
    join = frame.join == "eos" or (frame.join is None and model.layout == "decoder")
    if frame.bos or frame.eos or join:
        span = recipe.document.span(("frame",))
        hint = "say `frame: {bos: false, join: none, eos: false}`"
        message = "the tokenizer's chat template brings its own special tokens, the frame adds more"
        raise fail("FC418", message, span=span, hint=hint)


class _Encoder(Protocol):
    def encode(self, texts: Sequence[str]) -> Any: ...


def run_ids(
    layout: ChatLayout | None, encoder: _Encoder, runs: Sequence[str], parts: Sequence[Ids]
) -> list[Ids]:
    """The ids of each run of an example. parts: those of each run encoded alone.

    Under a tokenizer's own chat template they are the ids of the whole text, cut where the runs
    meet. Raises RowError where no token ends there.
    """
    if not isinstance(layout, ChatTemplate):
        return list(parts)
    (whole,) = encoder.encode(["".join(runs)])
    if np.array_equal(np.concatenate(parts), whole):
        return list(parts)
    heads = ["".join(runs[: n + 1]) for n in range(len(runs) - 1)]
    edges = [0]
    for head in encoder.encode(heads):
        if len(head) < edges[-1] or not np.array_equal(head, whole[: len(head)]):
            raise RowError("chat template: a token runs over the edge of an answer")
        edges.append(len(head))
    return [whole[a:b] for a, b in zip(edges, [*edges[1:], len(whole)], strict=True)]


def ending(layout: ChatLayout) -> str:
    """What a layout writes after an answer; a model that has learnt it writes it too."""
    try:
        runs = chat_runs(layout, exchange("prompt", "answer"))
    except RowError:
        return ""
    return unmarked(runs[-1].partition("answer")[2]).strip()

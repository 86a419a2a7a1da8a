"""Dialogues: the turns of a row, and their text as spans alternately without and with loss.

A chat style of the library defines the text around each role's turns, so the loss mask follows from
the parts. A tokenizer's own chat template renders all messages as one text: the span of an answer
is found by rendering the messages before it and those up to it, which must be prefixes of the
whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flancompile.dsl.jinja.dialogues import role_of
from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.dsl.jinja.paths import paths_read
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.mixture import Recipe
from flancompile.dsl.models.style import ChatStyle
from flancompile.dsl.models.task import Task, Turns
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.marks import unmarked
from flancompile.tokenizer.chat import ChatTemplate, ChatTemplateError

__all__ = [
    "TOKENIZERS_OWN", "ChatLayout", "Turn", "chat_spans", "check_chat", "ending", "exchange",
    "span_ids", "turns_of", "without_last",
]  # fmt: skip

ChatLayout = ChatStyle | ChatTemplate
Ids = npt.NDArray[np.uint32]
TOKENIZERS_OWN = "tokenizer"  # the layout that a recipe names for the tokenizer's chat template
_SLOT = re.compile(r"\{\{-?\s*text\b")


@dataclass(frozen=True)
class Turn:
    """A message of one speaker. learnt: whether it carries loss; left_out: omitted parts."""

    role: str
    text: str
    learnt: bool = False
    left_out: tuple[str, ...] = ()


def exchange(prompt: str, target: str) -> tuple[Turn, ...]:
    """An example with one prompt and target, as a chat."""
    return Turn("user", prompt), Turn("assistant", target, True)


def turns_of(context: Mapping[str, object], settings: Turns) -> tuple[Turn, ...]:
    """A row's turns, up to the last one with loss. Raises RowError.

    An empty system turn is left out; an empty answer is shown without loss.
    """
    items = compile_expression(settings.each)(context)
    if isinstance(items, str | Mapping) or not isinstance(items, Sequence):
        raise RowError("turns: not a list")
    role, text, loss = map(compile_expression, (settings.role, settings.text, settings.loss))
    named = ("turn", "name") in paths_read(settings.text)
    turns = []
    for n, item in enumerate(items, 1):
        scope = {**context, "turn": item, "n": n, "count": len(items), "last": n == len(items)}
        try:
            speaker = role_of(role(scope))
        except ValueError as error:
            raise RowError(f"turn {n}: {error}") from None
        content = _text_of(text(scope), n)
        left_out = _left_out(item, {"name"} if named else set())
        if not content.strip() and speaker != "tool":  # a tool may return nothing
            if speaker == "system" and not left_out:
                continue
            if speaker != "assistant":
                why = f": it has only {', '.join(left_out)}" if left_out else ""
                raise RowError(f"turn {n} is empty{why}")
        learnt = bool(loss({**scope, "role": speaker})) and bool(content.strip())
        if learnt and speaker != "assistant":
            raise RowError(f"turn {n} is to be learnt, and is the {speaker}'s")
        turns.append(Turn(speaker, content, learnt, left_out))
    return _up_to_answer(turns)


def _text_of(value: object, n: int) -> str:
    """A turn's text; "" for null. Raises RowError for a value that is neither text nor number."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    kind = {Mapping: "a map", Sequence: "a list", bool: "true or false"}
    given = next((name for type_, name in kind.items() if isinstance(value, type_)), "no text")
    raise RowError(f"turn {n}: its text is {given}; `| chat` reads content of parts")


def _left_out(item: object, used: set[str]) -> tuple[str, ...]:
    """Parts of a message that the filter `chat` names and its text omits."""
    names = item.get("left_out") if isinstance(item, Mapping) else None
    return tuple(str(name) for name in names or () if name not in used)


def without_last(turns: Sequence[Turn], answers: int) -> tuple[Turn, ...]:
    """The turns up to the answer number `kept` that carries loss; none if that is 0."""
    places = [i for i, t in enumerate(turns) if t.learnt]
    return tuple(turns[: places[answers - 1] + 1]) if answers else ()


def chat_spans(layout: ChatLayout, turns: Sequence[Turn]) -> tuple[str, ...]:
    """Texts that alternate between no loss and loss, an even number. Raises RowError.

    Adjacent answers are one span.
    """
    pieces = _styled(layout, turns) if isinstance(layout, ChatStyle) else _templated(layout, turns)
    spans: list[str] = [""]
    for text, learnt in pieces:
        if not text:
            continue
        if learnt == (len(spans) % 2 == 0):
            spans[-1] += text
        else:
            spans.append(text)
    if not spans[0].strip():
        raise RowError("the dialogue begins with an answer")
    return tuple(spans[: len(spans) // 2 * 2])


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
    """A role's text before its slot, and the rest from the slot on."""
    match = _SLOT.search(text)
    at = match.start() if match else len(text)
    return text[:at], text[at:]


def _templated(template: ChatTemplate, turns: Sequence[Turn]) -> list[tuple[str, bool]]:
    messages = [{"role": t.role, "content": t.text} for t in turns]
    try:
        parts = template.parts(messages)
        whole = template.joined(parts)
        pieces: list[tuple[str, bool]] = []
        at = 0
        for i, turn in enumerate(turns):
            if not turn.learnt:
                continue
            before = template.render(messages[:i], generate=True)
            upto = parts if i + 1 == len(turns) else template.parts(messages[: i + 1])
            end = _end_of_answer(template, (whole, parts), upto, turn.text)
            if not (whole.startswith(before) and at <= len(before) < end):
                raise RowError("chat template: an answer is written otherwise in the whole chat")
            pieces += [(whole[at : len(before)], False), (whole[len(before) : end], True)]
            at = end
    except ChatTemplateError as error:
        raise RowError(f"chat template: {error}") from None
    return pieces


def _end_of_answer(
    template: ChatTemplate, chat: tuple[str, Sequence[str]], upto: Sequence[str], answer: str
) -> int:
    """The end of an answer in a chat; -1 if the chat does not contain it.

    chat: its text and parts; upto: parts of the chat up to the answer. Most templates write that as
    the beginning of the whole chat. Some write an end of the chat when they do not generate
    (Phi-3's); the answer then ends with the last part that both share.
    """
    whole, parts = chat
    if whole.startswith(text := template.joined(upto)):
        return len(text)
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(parts, upto, strict=False))
    head = template.joined([part for part, _ in shared])
    return len(head) if whole.startswith(head) and answer.strip() in head else -1


def check_chat(recipe: Loaded[Recipe], tasks: Iterable[Task], chat: ChatTemplate | None) -> None:
    """Check that a recipe can use the tokenizer's own chat layout, if it asks for it.

    Raises FC417 without a chat template, and FC418 if the frame would add tokens to it.
    """
    model = recipe.model
    dialogues = any(t.turns is not None for task in tasks for t in task.templates)
    if TOKENIZERS_OWN not in model.styles.chat or not (dialogues or model.styles.wrap):
        return
    found = []
    if chat is None:
        span = recipe.document.span(("styles", "chat"))
        hint = "set `chat_template: FILE` under the recipe's tokenizer, or choose another layout"
        found.append(Diagnostic("FC417", "the tokenizer has no chat template", span, hint))
    frame = model.frame
    join = frame.join == "eos" or (frame.join is None and model.layout == "decoder")
    if frame.bos or frame.eos or join:
        span = recipe.document.span(("frame",))
        hint = "set `frame: {bos: false, join: none, eos: false}`"
        message = "the chat template writes its own special tokens, and the frame adds more"
        found.append(Diagnostic("FC418", message, span, hint))
    if found:
        raise FlancompileError(found)


class _Encoder(Protocol):
    def encode(self, texts: Sequence[str]) -> Any: ...


def span_ids(
    layout: ChatLayout | None, encoder: _Encoder, spans: Sequence[str], parts: Sequence[Ids]
) -> list[Ids]:
    """The ids of each span of an example. parts: those of each span encoded alone.

    Under a tokenizer's own chat template they are the ids of the whole text, cut at the spans'
    edges. Raises RowError if no token ends there.
    """
    if not isinstance(layout, ChatTemplate):
        return list(parts)
    (whole,) = encoder.encode(["".join(spans)])
    if np.array_equal(np.concatenate(parts), whole):
        return list(parts)
    heads = ["".join(spans[: n + 1]) for n in range(len(spans) - 1)]
    edges = [0]
    for head in encoder.encode(heads):
        if len(head) < edges[-1] or not np.array_equal(head, whole[: len(head)]):
            raise RowError("chat template: a token runs over the edge of an answer")
        edges.append(len(head))
    return [whole[a:b] for a, b in zip(edges, [*edges[1:], len(whole)], strict=True)]


def ending(layout: ChatLayout) -> str:
    """The text that a layout writes after an answer, and that a trained model writes too."""
    try:
        spans = chat_spans(layout, exchange("prompt", "answer"))
    except RowError:
        return ""
    return unmarked(spans[-1].partition("answer")[2]).strip()

"""Convert dialogues in common formats to a list of {role, content}.

Formats: messages ({role, content}, with Anthropic's tool parts), ShareGPT ({from, value}), TRL
(prompt and completion, texts or messages), Alpaca (instruction, input, output, history), prompt
with response, and plain lists of texts by two speakers in turn. A row's system prompt and tools
become the system turn: the text, then the tools as JSON. A turn also has the `weight: 0` and the
`name` of its message, and `left_out`: the keys and content parts that its text does not show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flancompile.dsl.jinja.messages import (
    Turns,
    content_text,
    is_message,
    messages_in,
    role_of,
    turn_of,
)

__all__ = ["ROW_KEYS", "chat", "exchanges", "left_out_of", "role_of"]

_LISTS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
_PROMPTS = ("instruction", "prompt", "query", "question")
_ANSWERS = ("output", "response", "completion", "answer", "chosen")
_CONTEXT = ("input", "context")  # columns appended to the prompt
_SYSTEM = ("system", "system_prompt", "system_message")
_TOOLS = ("tools", "functions")
ROW_KEYS = frozenset(
    {
        *_LISTS,
        *_PROMPTS,
        *_ANSWERS,
        *_SYSTEM,
        *_TOOLS,
        *_CONTEXT,
        "history",
    }
)  # the columns that `row | chat` may read


def chat(value: Any) -> Turns:
    """Turns of a dialogue in any known format. Raises ValueError."""
    if isinstance(value, Mapping):
        return _of_row(value)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("chat: no dialogue")
    turns: Turns = []
    items = [message for item in value for message in messages_in(item)]
    for place, item in enumerate(items):
        if isinstance(item, Mapping):
            turns.append(turn_of(item))
        elif isinstance(item, str):
            turns.append(_turn(("user", "assistant")[place % 2], item))
        elif isinstance(item, Sequence) and len(item) == 2:
            turns += _exchange(*item)
        else:
            raise ValueError(f"chat: turn {place + 1} is no turn")
    _mark_links(items, turns)
    return [t for t in turns if t["role"] != "system" or t["content"].strip() or "left_out" in t]


def exchanges(value: Any) -> list[dict[str, Any]]:
    """Split a dialogue into one item for each answer of the assistant. Raises ValueError.

    An item has `turns` (up to and including the answer), `history` (the turns before the answer),
    `query` (text of the last turn before it), `reply`, `n` (from 1) and `last`. An answer that is
    empty or has `weight: 0` appears in the history only.
    """
    turns = chat(value)
    places = [i for i, turn in enumerate(turns) if i and _is_answer(turn)]
    return [
        {
            "turns": turns[: place + 1],
            "history": turns[:place],
            "query": turns[place - 1]["content"],
            "reply": turns[place]["content"],
            "n": n,
            "last": n == len(places),
        }
        for n, place in enumerate(places, 1)
    ]


def left_out_of(value: Any) -> Iterator[str]:
    """Names in `left_out` of all turns in a value, at any depth."""
    if isinstance(value, Mapping):
        names = value.get("left_out")
        if "role" in value and isinstance(names, list):
            yield from map(str, names)
        else:
            for item in value.values():
                yield from left_out_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from left_out_of(item)


def _is_answer(turn: Mapping[str, Any]) -> bool:
    is_trained = turn["role"] == "assistant" and turn.get("weight") != 0
    return is_trained and bool(turn["content"].strip())


def _of_row(row: Mapping[str, Any]) -> Turns:
    """Turns of a row: from a list column, or from prompt and answer columns."""
    given = [n for n in _LISTS if isinstance(row.get(n), Sequence) and not isinstance(row[n], str)]
    name = next((n for n in given if row[n]), None)
    prompt = next((n for n in _PROMPTS if row.get(n) is not None), None)
    answer = next((n for n in _ANSWERS if row.get(n) is not None), None)
    if name is not None:
        used, turns = {name}, chat(row[name])
    elif prompt is not None and answer is not None:
        used = {prompt, answer, "history", *_CONTEXT}
        before = [*chat(row.get("history") or []), *_column_turns(row, prompt, "user", _CONTEXT)]
        turns = _concatenate(before, _column_turns(row, answer, "assistant"))
    elif answer == "chosen" and not isinstance(row["chosen"], str):  # includes its prompt
        used, turns = {"chosen"}, _column_turns(row, "chosen", "assistant")
    elif given:
        used, turns = {*given}, []
    else:
        raise ValueError(f"chat: neither turns nor a prompt with its answer in {', '.join(row)}")
    return _mark_columns(row, used, _with_system_turn(row, turns))


def _concatenate(before: Turns, answers: Turns) -> Turns:
    """Concatenate prompt and answer turns; an answer that repeats the prompt replaces it."""
    previous, whole = ([t for t in turns if t["role"] != "system"] for turns in (before, answers))
    if not whole or whole[0]["role"] == "assistant" or not _is_part_of(previous, whole):
        return [*before, *answers]
    known = [turn["content"] for turn in answers if turn["role"] == "system"]
    system = [t for t in before if t["role"] == "system" and t["content"] not in known]
    left_out = [name for turn in before if turn not in system for name in turn.get("left_out", ())]
    first, *rest = answers
    return [*system, _with_left_out(first, left_out) if left_out else first, *rest]


def _is_part_of(some: Turns, whole: Turns) -> bool:
    """Whether `whole` has `some` as a run of turns with a turn after it, by role and text."""
    one, other = ([(t["role"], t["content"].strip()) for t in turns] for turns in (some, whole))
    return any(other[at : at + len(one)] == one for at in range(len(other) - len(one)))


def _column_turns(row: Mapping[str, Any], name: str, role: str, more: Sequence[str] = ()) -> Turns:
    """Turns of one column: messages, or one turn of its text and those of the columns `more`."""
    value = row[name]
    items = [value] if is_message(value) else value
    if isinstance(items, Sequence) and not isinstance(items, str) and items:
        if all(map(is_message, items)):
            turns = chat(items)
            texts = [t for n in more if (t := content_text(row.get(n), n)[0]).strip()]
            return [*turns, *(_turn(role, text) for text in texts)]
        if role == "assistant" and all(isinstance(item, str) for item in items):
            if len(items) > 1:
                raise ValueError(
                    f"chat: {name} holds {len(items)} answers; choose one: "
                    f"dict(row, {name}=row.{name}[0]) | chat"
                )
            items = items[0]
    text, left_out = content_text(items, name)
    for other in more:
        further, parts = content_text(row.get(other), other)
        text = f"{text}\n\n{further}" if further.strip() else text
        left_out += parts
    return [_turn(role, text, left_out)]


def _turn(role: str, text: str, left_out: Sequence[str] = ()) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": role, "content": text}
    return {**turn, "left_out": [*left_out]} if left_out else turn


def _exchange(*texts: Any) -> Turns:
    """Turns of a (user, assistant) pair of texts; a null gives no turn."""
    roles = ("user", "assistant")
    pairs = [(role, *content_text(text, "a turn")) for role, text in zip(roles, texts, strict=True)]
    return [_turn(*pair) for pair, text in zip(pairs, texts, strict=True) if text is not None]


def _with_system_turn(row: Mapping[str, Any], turns: Turns) -> Turns:
    """Prepend the row's system prompt and tools, merged with an existing system turn."""
    texts = [content_text(row.get(name), name)[0].strip() for name in _SYSTEM]
    texts += [_tools(row.get(name)) for name in _TOOLS]
    texts = [text for text in dict.fromkeys(texts) if text]
    if not texts:
        return turns
    lead = _turn("system", "")
    if turns and turns[0]["role"] == "system":
        lead, turns = turns[0], turns[1:]
        own = lead["content"]
        texts = [*(text for text in texts if text not in own), *([own] if own.strip() else [])]
    return [{**lead, "content": "\n\n".join(texts)}, *turns]


def _tools(given: Any) -> str:
    """Tools as JSON text, from a value or its JSON; empty without tools."""
    if not given:
        return ""
    if not isinstance(given, str):
        return json.dumps(given, ensure_ascii=False)
    return "" if given.strip() in ("[]", "{}", "null") else given.strip()


def _mark_columns(row: Mapping[str, Any], used: set[str], turns: Turns) -> Turns:
    """List dialogue columns that no turn shows in `left_out` of the first turn."""
    whole = "\n\n".join(turn["content"] for turn in turns)
    left_out = [
        f"column {name}"
        for name in (*_LISTS, *_PROMPTS, *_ANSWERS, *_CONTEXT, "history")
        if name not in used and row.get(name) and not _is_in(row[name], whole)
    ]
    return [_with_left_out(turns[0], left_out), *turns[1:]] if turns and left_out else turns


def _is_in(value: Any, whole: str) -> bool:
    return isinstance(value, str) and value.strip() in whole


def _mark_links(messages: Sequence[Any], turns: Turns) -> None:
    """Add to `left_out` each name and tool_call_id that text and call order do not imply."""
    calls: list[Any] = []
    names: set[str] = set()
    for place, (item, turn) in enumerate(zip(messages, turns, strict=False)):
        if not isinstance(item, Mapping):
            return
        left_out = []
        if isinstance(item.get("tool_calls"), Sequence):
            given = [c for c in item["tool_calls"] if isinstance(c, Mapping)]
            calls = [call.get("id") for call in given]
            names |= {str((c.get("function") or c).get("name")) for c in given}
        elif turn["role"] == "tool":
            expected = calls.pop(0) if calls else None
            if item.get("tool_call_id") and item["tool_call_id"] != expected:
                left_out.append("tool_call_id")
        call = item.get("function_call")
        names |= {str(call.get("name"))} if isinstance(call, Mapping) else set()
        if "name" in turn and not (turn["role"] == "tool" and turn["name"] in names):
            left_out.append("name")
        if left_out:
            turns[place] = _with_left_out(turn, left_out)


def _with_left_out(turn: Mapping[str, Any], left_out: Sequence[str]) -> dict[str, Any]:
    return {**turn, "left_out": [*turn.get("left_out", ()), *left_out]}

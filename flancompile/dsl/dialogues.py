"""Dialogues in the forms in which people keep them, as one: a list of {role, content}.

Read are messages ({role, content}), ShareGPT's ({from, value}), Alpaca's (instruction, input,
output, history), prompt with response, and plain lists of what two speakers say in turn. What a row
says beside its turns (`system`, `tools`) is the system's: the text, then the tools as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["chat", "exchanges", "role_of"]

_ROLES = {
    "user": ("user", "human", "prompter", "customer"),
    "assistant": ("assistant", "gpt", "chatgpt", "model", "bot", "chatbot", "ai", "function_call"),
    "system": ("system", "developer"),
    "tool": ("tool", "function", "function_response", "observation", "ipython"),
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
_LISTS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
_ASKED = ("instruction", "prompt", "query", "question")
_ANSWERED = ("output", "response", "completion", "answer")


def role_of(name: Any) -> str:
    """system, user, assistant or tool, of any usual name. Raises ValueError."""
    role = _ROLE_OF.get(str(name).strip().lower())
    if role is None:
        raise ValueError(f"there is no speaker {str(name)!r}; {', '.join(_ROLES)} are known")
    return role


def chat(value: Any) -> list[dict[str, str]]:
    """The turns of a dialogue in any known form. Raises ValueError."""
    if isinstance(value, Mapping):
        return _of_row(value)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("chat: no dialogue")
    turns = []
    for place, item in enumerate(value):
        if isinstance(item, Mapping):
            turns.append(_turn(item))
        elif isinstance(item, str):
            turns.append({"role": ("user", "assistant")[place % 2], "content": item})
        elif isinstance(item, Sequence) and len(item) == 2:
            turns += chat([str(text) for text in item])
        else:
            raise ValueError(f"chat: turn {place + 1} is no turn")
    return turns


def exchanges(value: Any) -> list[dict[str, Any]]:
    """One item for each answer of an assistant: what led to it, and the answer. Raises ValueError.

    Each has `turns` (up to the answer, which is the last), `history` (those before it), `query`
    (what was said last), `reply`, `n` (from 1) and `last`.
    """
    turns = chat(value)
    places = [i for i, turn in enumerate(turns) if turn["role"] == "assistant" and i]
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


def _of_row(row: Mapping[str, Any]) -> list[dict[str, str]]:
    for name in _LISTS:
        if isinstance(row.get(name), Sequence):
            return _led(row, chat(row[name]))
    asked = next((n for n in _ASKED if row.get(n) is not None), None)
    answered = next((n for n in _ANSWERED if row.get(n) is not None), None)
    if asked is None or answered is None:
        raise ValueError(f"chat: neither turns nor a prompt with its answer in {', '.join(row)}")
    turns = chat(row.get("history") or [])
    more = row.get("input") if asked == "instruction" else None
    text = f"{row[asked]}\n\n{more}" if more and str(more).strip() else str(row[asked])
    return _led(row, [*turns, *chat([text, str(row[answered])])])


def _led(row: Mapping[str, Any], turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The turns after what the row says beside them, in one system's turn with their own."""
    beside = [str(row["system"]).strip() if row.get("system") else "", _tools(row.get("tools"))]
    texts = [text for text in beside if text]
    if turns and turns[0]["role"] == "system" and texts:
        own, turns = turns[0]["content"], turns[1:]
        texts = [*(text for text in texts if text not in own), own]
    return [{"role": "system", "content": "\n\n".join(texts)}, *turns] if texts else turns


def _tools(given: Any) -> str:
    """Tools as JSON, be they given as such or as its text; nothing for none."""
    if not given:
        return ""
    if not isinstance(given, str):
        return json.dumps(given, ensure_ascii=False)
    return "" if given.strip() in ("[]", "{}", "null") else given.strip()


def _turn(item: Mapping[str, Any]) -> dict[str, str]:
    speaker = next((item[n] for n in ("role", "from", "speaker", "author") if n in item), None)
    if speaker is None:
        raise ValueError("chat: a turn without a speaker")
    text = next((item[n] for n in ("content", "value", "text", "message") if n in item), None)
    if isinstance(text, Sequence) and not isinstance(text, str):  # parts; only those of text
        parts = [p for p in text if isinstance(p, Mapping) and isinstance(p.get("text"), str)]
        text = "".join(p["text"] for p in parts)
    return {"role": role_of(speaker), "content": "" if text is None else str(text)}

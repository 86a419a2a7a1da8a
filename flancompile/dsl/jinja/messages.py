"""Convert one message of a dialogue to a turn.

The text of a turn has the reasoning in `<think>` tags, then the content, then each tool call as
JSON in `<tool_call>` tags (the format of Qwen and Hermes). Keys without a place in the text are
listed in the turn's `left_out`, so that they can be counted and reported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flancompile.plain_errors import plain_type

__all__ = ["Turns", "content_text", "is_message", "messages_in", "role_of", "turn_of"]

Turns = list[dict[str, Any]]  # {role, content} and, where they apply, weight, name, left_out

_ROLES = {
    "user": ("user", "human", "prompter", "customer"),
    "assistant": ("assistant", "gpt", "chatgpt", "model", "bot", "chatbot", "ai", "function_call",
                  "tool_call"),
    "system": ("system", "developer"),
    "tool": ("tool", "function", "function_response", "tool_response", "tool_result", "observation",
             "environment", "ipython"),
}  # fmt: skip
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
_SPEAKER = ("role", "from", "speaker", "author")
_CONTENT = ("content", "value", "text", "message")
_REASONING = ("reasoning_content", "reasoning", "thinking")
_CALLS = ("tool_calls", "function_call", "function_calls")
_WEIGHT = ("weight", "train", "loss")
_LINKS = ("tool_call_id", "id", "type", "index")  # join results to calls; their order does the same
_TOOL_PARTS = ("tool_use", "tool_result")
_TEXT_PARTS = ("text", "input_text", "output_text")


def role_of(name: Any) -> str:
    """Role of a common speaker name: system, user, assistant or tool. Raises ValueError."""
    role = _ROLE_OF.get(str(name).strip().lower())
    if role is None:
        raise ValueError(f"there is no speaker {str(name)!r}; {', '.join(_ROLES)} are known")
    return role


def is_message(value: Any) -> bool:
    """Whether a value is a map that names a speaker."""
    return isinstance(value, Mapping) and any(value.get(name) is not None for name in _SPEAKER)


def content_text(value: Any, name: str) -> tuple[str, list[str]]:
    """Text of a message's content, and the content parts that the text leaves out.

    value: text, number, null (empty text) or list of content parts; name: for errors. Raises
    ValueError for any other value.
    """
    if value is None:
        return "", []
    if isinstance(value, str):
        return value, []
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("" if value != value else json.dumps(value)), []  # NaN is how tables write null
    if isinstance(value, Mapping) and "type" in value:
        return content_text([value], name)
    if isinstance(value, Sequence) and value and all(map(_is_part, value)):
        texts, left_out = [], []
        for part in value:
            text, names = _part(part)
            texts.append(text)
            left_out += names
        return "".join(texts), left_out
    if isinstance(value, Sequence) and not value:
        return "", []
    raise ValueError(f"chat: {name} is no text but {_kind(value)}")


def messages_in(item: Any) -> list[Any]:
    """Split a message with tool parts into messages; any other item is returned alone.

    A `tool_use` part becomes one of the message's tool calls, and each `tool_result` part a message
    of the tool; parts between them keep their order.
    """
    name = next((n for n in _CONTENT if _has_tools(item, n)), None)
    if name is None:
        return [item]
    found: list[dict[str, Any]] = []
    for part in item[name]:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "tool_result":
            more = {k: v for k, v in part.items() if k not in ("type", "tool_use_id", "content")}
            known = {"content": part.get("content"), "tool_call_id": part.get("tool_use_id")}
            found.append({**more, "role": "tool", **known})
            continue
        if not found or found[-1].get("role") == "tool":
            found.append({**item, name: [], **({"tool_calls": []} if kind == "tool_use" else {})})
        if kind == "tool_use":
            call = {"id": part.get("id"), "name": part.get("name"), "arguments": part.get("input")}
            found[-1]["tool_calls"] = [*(found[-1].get("tool_calls") or []), call]
        else:
            found[-1][name].append(part)
    return found


def _has_tools(item: Any, name: str) -> bool:
    """Whether a message's content has tool calls or tool results as parts."""
    parts = item.get(name) if isinstance(item, Mapping) else None
    if not isinstance(parts, Sequence) or isinstance(parts, str):
        return False
    return any(isinstance(p, Mapping) and p.get("type") in _TOOL_PARTS for p in parts)


def turn_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a message to a turn. Raises ValueError."""
    speaker = next((item[n] for n in _SPEAKER if item.get(n) is not None), None)
    if speaker is None:
        raise ValueError("chat: a turn without a speaker")
    role = role_of(speaker)
    name = next((n for n in _CONTENT if item.get(n) is not None), "content")
    content = item.get(name)
    if isinstance(content, Sequence) and not isinstance(content, str):
        if len(content) > 1 and all(isinstance(part, str) for part in content):
            raise ValueError(f"chat: {name} is a list of {len(content)} texts: say which is meant")
        content = [{"text": part} if isinstance(part, str) else part for part in content]
    text, left_out = content_text(content, name)
    read = {name, next(n for n in _SPEAKER if item.get(n) is not None), *_LINKS, "name"}
    refusal = item.get("refusal")
    if isinstance(refusal, str) and not text.strip():
        text = refusal
        read.add("refusal")
    if role == "assistant":
        thought = _first(item, _REASONING)
        calls = [c for n in _CALLS for c in _calls(item.get(n))]
        text = _assistant_text(content_text(thought, "reasoning")[0], text, calls)
        read |= {n for n in _REASONING if item.get(n) in (None, thought)} | {*_CALLS}
    turn: dict[str, Any] = {"role": role, "content": text}
    if isinstance(item.get("name"), str) and item["name"]:
        turn["name"] = item["name"]
    trained = _weight(item)
    if role == "assistant":
        read |= {*_WEIGHT}
        if trained is False:
            turn["weight"] = 0
    elif trained is False:
        read |= {*_WEIGHT}  # only assistant turns are trained on
    left_out += sorted(n for n in item if n not in read and _is_present(item[n]))
    return {**turn, "left_out": left_out} if left_out else turn


def _assistant_text(thought: str, text: str, calls: Sequence[str]) -> str:
    """Concatenate reasoning, content and tool calls of an answer."""
    lead = f"<think>\n{thought.strip()}\n</think>\n\n" if thought.strip() else ""
    return lead + "\n".join([*([text] if text else []), *calls])


def _calls(given: Any) -> list[str]:
    """Texts of `tool_calls` (a list) or `function_call` (one). Raises ValueError."""
    if isinstance(given, str):
        given = json.loads(given) if _is_json(given) else [given] if given.strip() else []
    calls = [given] if isinstance(given, Mapping) else given or []
    if not isinstance(calls, Sequence):
        raise ValueError(f"chat: tool_calls is no list but {_kind(calls)}")
    return [f"<tool_call>\n{_call(call)}\n</tool_call>" for call in calls]


def _call(call: Any) -> str:
    """A tool call as JSON with name and arguments; arguments may be JSON text already."""
    if isinstance(call, str):
        return call.strip()
    if not isinstance(call, Mapping):
        raise ValueError(f"chat: a tool call is {_kind(call)}")
    inner = call["function"] if isinstance(call.get("function"), Mapping) else call
    if not isinstance(inner.get("name"), str):
        raise ValueError("chat: a tool call without a name")
    given = inner.get("arguments", inner.get("parameters"))
    arguments = given.strip() if isinstance(given, str) and _is_json(given) else _json(given)
    more = {k: v for k, v in inner.items() if k not in _CALL_KEYS and _is_present(v)}
    rest = "".join(f", {_json(k)}: {_json(v)}" for k, v in more.items())
    return f'{{"name": {_json(inner["name"])}, "arguments": {arguments}{rest}}}'


_CALL_KEYS = ("name", "arguments", "parameters", *_LINKS)


def _part(part: Any) -> tuple[str, list[str]]:
    """Text of a content part, and the names of the keys or parts that it leaves out."""
    if isinstance(part, str):
        return part, []
    kind = str(part.get("type") or "")
    if isinstance(part.get("text"), str) and (not kind or kind in _TEXT_PARTS):
        more = (k for k, v in part.items() if k not in _OF_TEXT_PARTS and _is_present(v))
        return part["text"], [f"{name} of a text part" for name in more]
    if kind in ("refusal", "thinking") and isinstance(part.get(kind), str):
        text: str = part[kind]
        return (text if kind == "refusal" else f"<think>\n{text}\n</think>\n\n"), []
    kinds = (k for k, v in part.items() if k != "type" and _is_present(v))
    return "", [f"{kind or next(kinds, 'empty')} part"]


_OF_TEXT_PARTS = ("type", "text", "index", "cache_control")


def _is_part(value: Any) -> bool:
    if isinstance(value, str):
        return False
    known = isinstance(value, Mapping) and not is_message(value)
    return known and ("type" in value or isinstance(value.get("text"), str))


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((item[n] for n in names if _is_present(item.get(n))), None)


def _weight(item: Mapping[str, Any]) -> bool | None:
    """Whether a message is trained on; None without a weight. Raises ValueError."""
    given = [(n, item[n]) for n in _WEIGHT if item.get(n) is not None]
    for name, weight in given:
        if weight not in (0, 1):  # False and True too
            raise ValueError(f"chat: a turn has the {name} {weight!r}; 0 and 1 are known")
    return all(weight for _, weight in given) if given else None


def _is_present(value: Any) -> bool:
    """Whether a value is neither null nor empty."""
    return value is not None and not (isinstance(value, str | Sequence | Mapping) and not value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"a map of {', '.join(map(str, value))}"
    return (
        f"a list of {len(value):,}"
        if isinstance(value, Sequence)
        else plain_type(type(value).__name__)
    )

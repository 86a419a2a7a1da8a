"""Messages of a dialogue as turns: role, text, weight, omitted parts."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.messages import (
    content_text,
    is_message,
    messages_in,
    role_of,
    turn_of,
)


@pytest.mark.parametrize(
    ("name", "role"),
    [("Human", "user"), (" GPT\n", "assistant"), ("developer", "system"), ("ipython", "tool"),
     ("function_call", "assistant"), ("function", "tool")],
)  # fmt: skip
def test_usual_names_of_speakers(name: str, role: str) -> None:
    assert role_of(name) == role
    assert turn_of({"from": name, "value": "a"}) == {"role": role, "content": "a"}


@pytest.mark.parametrize("name", ["", "narrator", 3, None])
def test_an_unknown_speaker_is_an_error_that_lists_the_roles(name: Any) -> None:
    with pytest.raises(ValueError, match=r"there is no speaker .*user, assistant, system, tool"):
        role_of(name)


@pytest.mark.parametrize(
    ("value", "found"),
    [({"role": "user"}, True), ({"from": "gpt"}, True), ({"role": None}, False), ({}, False),
     ({"content": "a"}, False), ("user", False), ([{"role": "user"}], False), (None, False)],
)  # fmt: skip
def test_a_message_names_its_speaker(value: Any, found: bool) -> None:
    assert is_message(value) is found


@pytest.mark.parametrize(
    ("value", "text", "left_out"),
    [
        (None, "", []),
        (math.nan, "", []),
        ("", "", []),
        (1.5, "1.5", []),
        (7, "7", []),
        ([], "", []),
        ({"type": "text", "text": "a"}, "a", []),
        ([{"text": "a"}, {"type": "input_text", "text": "b"}], "ab", []),
        ([{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "a"}],
         "<think>\nt\n</think>\n\na", []),
        ([{"type": "refusal", "refusal": "No."}], "No.", []),
        ([{"type": "image_url", "image_url": {"url": "x"}}], "", ["image_url part"]),
        ([{"type": "text", "text": "a", "citations": [1], "index": 0, "extra": None}], "a",
         ["citations of a text part"]),
    ],
)  # fmt: skip
def test_texts_of_contents(value: Any, text: str, left_out: list[str]) -> None:
    assert content_text(value, "content") == (text, left_out)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "true"), ({"a": 1}, "a map of a"), (["a", "b"], "a list of 2"), ([1], "a list of 1"),
     ([{"role": "user", "text": "a"}], "a list of 1")],
)  # fmt: skip
def test_a_content_without_a_text_is_an_error(value: Any, kind: str) -> None:
    with pytest.raises(ValueError, match=f"chat: value is no text but {kind}$"):
        content_text(value, "value")


PARTS = st.lists(st.sampled_from(["text", "tool_use", "tool_result"]), max_size=6)


@settings(max_examples=60)
@given(PARTS)
def test_parts_of_tools_keep_their_order(kinds: list[str]) -> None:
    parts = [
        {"type": kind, "text": str(n), "id": f"i{n}", "name": f"f{n}", "input": {}, "content": str(n)}
        for n, kind in enumerate(kinds)
    ]  # fmt: skip
    item = {"role": "assistant", "content": parts, "mood": "glad"}
    found = messages_in(item)
    if not {"tool_use", "tool_result"} & set(kinds):
        assert found == [item]
        return
    order: list[str] = []
    for message in found:
        if message["role"] == "tool":
            order.append(message["content"])
            continue
        texts = [p["text"] for p in message["content"]]
        calls = [c["name"].removeprefix("f") for c in message.get("tool_calls", ())]
        assert message["mood"] == "glad" and texts + calls
        order += sorted(texts + calls, key=int)
    assert order == [str(n) for n in range(len(kinds))]


CALLS = [
    {"name": "add", "arguments": {"x": 1}},
    {"name": "add", "arguments": '{"x": 1}'},
    {"type": "function", "id": "c", "function": {"name": "add", "parameters": {"x": 1}}},
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("key", ["tool_calls", "function_call", "function_calls"])
def test_forms_of_one_call_give_one_text(call: Any, key: str) -> None:
    wanted = '<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>'
    given_ = call if key == "function_call" else [call]
    for value in (given_, json.dumps(given_)):
        turn = turn_of({"role": "assistant", "content": None, key: value})
        assert turn == {"role": "assistant", "content": wanted}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"content": "a"}, "a turn without a speaker"),
        ({"role": "assistant", "tool_calls": 3}, "tool_calls is no list but a whole number"),
        ({"role": "assistant", "tool_calls": [3]}, "a tool call is a whole number"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "a tool call without a name"),
        ({"role": "user", "content": "a", "train": "no"}, "the train 'no'; 0 and 1 are known"),
    ],
)
def test_messages_that_are_errors(item: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^chat: .*{message}"):
        turn_of(item)


@pytest.mark.parametrize(
    ("item", "weight", "left_out"),
    [
        ({"role": "assistant", "weight": 0}, 0, []),
        ({"role": "assistant", "weight": 1, "train": False}, 0, []),
        ({"role": "assistant", "loss": True, "weight": None}, None, []),
        ({"role": "user", "weight": 0}, None, []),
        ({"role": "user", "weight": 1}, None, ["weight"]),
        ({"role": "user", "tool_calls": [{"name": "f"}]}, None, ["tool_calls"]),
        ({"role": "assistant", "thinking": "a", "reasoning": "b"}, None, ["thinking"]),
        ({"role": "user", "empty": [], "id": "x", "value": "v"}, None, ["value"]),
    ],
)
def test_weights_and_keys_without_a_place(
    item: dict[str, Any], weight: int | None, left_out: list[str]
) -> None:
    turn = turn_of({"content": "c", **item})
    assert (turn.get("weight"), turn.get("left_out", [])) == (weight, left_out)
    assert turn["content"].endswith("c")


def test_a_refusal_is_the_text_of_an_empty_answer() -> None:
    said = {"role": "assistant", "content": " ", "refusal": "I will not."}
    assert turn_of(said) == {"role": "assistant", "content": "I will not."}
    assert turn_of({**said, "content": "Yes."})["left_out"] == ["refusal"]

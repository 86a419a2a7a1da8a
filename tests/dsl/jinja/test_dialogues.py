"""Dialogues in generated forms: no text is lost, and what is not shown is named."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.dialogues import ROW_KEYS, chat, exchanges, left_out_of

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda text: text.strip() == text
)
ROLES = {
    "user": ["user", "human", "User "],
    "assistant": ["assistant", "gpt", "model"],
    "system": ["system", "developer"],
    "tool": ["tool", "observation", "function"],
}


class Made:
    """A generated dialogue: its value, and every text that a turn must show or name."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.kinds: list[str] = []  # of what has no text

    def word(self, draw: Any) -> str:
        text: str = draw(WORDS)
        self.texts.append(text)
        return text


@st.composite
def contents(draw: Any, made: Made) -> Any:
    form = draw(st.sampled_from(["text", "parts", "one part"]))
    if form == "text":
        return made.word(draw)
    parts: list[Any] = []
    for kind in draw(st.lists(st.sampled_from(["text", "image_url", "str", "input_audio"]))):
        if kind == "text":
            parts.append({"type": "text", "text": made.word(draw)})
        elif kind == "str" and parts:
            parts.append(made.word(draw))
        elif kind != "str":
            parts.append({"type": kind, kind: {"url": "x"}})
            made.kinds.append(f"{kind} part")
    return [*parts, {"type": "text", "text": made.word(draw)}]


@st.composite
def calls(draw: Any, made: Made) -> list[Any]:
    found = []
    for n in range(draw(st.integers(1, 3))):
        name, arguments = made.word(draw), {made.word(draw): draw(st.integers(0, 9))}
        given: Any = arguments if draw(st.booleans()) else json.dumps(arguments)
        inner = {"name": name, "arguments": given}
        nested = draw(st.booleans())
        found.append({"id": f"c{n}", "type": "function", "function": inner} if nested else inner)
    return found


@st.composite
def messages(draw: Any, made: Made, keys: tuple[str, str] = ("role", "content")) -> list[Any]:
    found = []
    for role in draw(st.lists(st.sampled_from(list(ROLES)), min_size=1, max_size=6)):
        speaker = draw(st.sampled_from(ROLES[role]))
        item: dict[str, Any] = {keys[0]: speaker, keys[1]: draw(contents(made))}
        if role == "assistant":
            if draw(st.booleans()):
                item["reasoning_content"] = made.word(draw)
            if draw(st.booleans()):
                item["tool_calls"] = draw(calls(made))
            if draw(st.booleans()):
                item["weight"] = draw(st.sampled_from([0, 1, None]))
        if draw(st.integers(0, 4)) == 0:
            item["mood"] = "glad"
            made.kinds.append("mood")
        found.append(item)
    return found


@st.composite
def dialogues(draw: Any) -> tuple[Any, Made]:
    made = Made()
    form = draw(st.sampled_from(["messages", "sharegpt", "alpaca", "trl", "pairs", "row"]))
    if form == "messages":
        return draw(messages(made)), made
    if form == "sharegpt":
        return {"conversations": draw(messages(made, ("from", "value")))}, made
    if form == "pairs":
        pairs = draw(st.integers(1, 3))
        return [[made.word(draw), made.word(draw)] for _ in range(pairs)], made
    row: dict[str, Any] = {}
    if draw(st.booleans()):
        row[draw(st.sampled_from(["system", "system_prompt"]))] = made.word(draw)
    if draw(st.booleans()):
        row["tools"] = [{"name": made.word(draw)}]
    if form == "row":
        beside = draw(st.lists(st.sampled_from(["input", "context", "history"]), unique=True))
        for name in beside:  # they belong to a prompt's column; here nothing reads them
            row[name] = [["q", "a"]] if name == "history" else "not in any message "
            made.kinds.append(f"column {name}")
        return {**row, "messages": draw(messages(made))}, made
    if form == "trl":
        sides = {n: draw(st.sampled_from(["text", "list"])) for n in ("prompt", "completion")}
        for name, kind in sides.items():
            row[name] = made.word(draw) if kind == "text" else draw(messages(made))
        return row, made
    row[draw(st.sampled_from(["instruction", "question", "prompt", "query"]))] = made.word(draw)
    row["output"] = made.word(draw)
    for name in ("input", "context"):
        if draw(st.booleans()):
            row[name] = made.word(draw)
    if draw(st.booleans()):
        row["history"] = [[made.word(draw), made.word(draw)]]
    return row, made


@settings(max_examples=150, deadline=None)
@given(dialogues())
def test_no_text_of_a_dialogue_is_lost(given_: tuple[Any, Made]) -> None:
    value, made = given_
    turns = chat(value)
    whole = "\n".join(turn["content"] for turn in turns)
    assert made.texts
    for text in made.texts:
        assert (
            text in whole
            or json.dumps(text, ensure_ascii=False)[1:-1] in whole
            or (json.dumps(text)[1:-1] in whole)
        ), (text, whole)
    assert sorted(left_out_of(turns)) == sorted(made.kinds)
    for turn in turns:
        assert turn["role"] in ROLES and isinstance(turn["content"], str)
        assert "[{'" not in turn["content"] and not turn["content"].startswith("{'")


@settings(max_examples=200, deadline=None)
@given(dialogues())
def test_exchanges_are_the_answers_that_are_learnt(given_: tuple[Any, Made]) -> None:
    turns = chat(given_[0])
    learnt = [t for t in turns[1:] if t["role"] == "assistant" and t.get("weight") != 0]
    assert [item["reply"] for item in exchanges(given_[0])] == [t["content"] for t in learnt]


@st.composite
def prompts(draw: Any) -> tuple[list[Any], list[Any]]:
    """A prompt's messages, of which the last is a user's, and the answer to them."""
    words = st.sampled_from(["a", "b", "c "])
    pairs = draw(st.lists(st.tuples(words, words), max_size=2))
    said = [{"role": "system", "content": "S"}] if draw(st.booleans()) else []
    for query, reply in pairs:
        said += [{"role": "user", "content": query}, {"role": "assistant", "content": reply}]
    asked = {"role": "user", "content": draw(words)}
    return [*said, asked], [{"role": "assistant", "content": draw(words)}]


@settings(max_examples=200, deadline=None)
@given(prompts(), st.sampled_from(["completion", "chosen", "output"]))
def test_answers_that_repeat_the_prompt_are_one_dialogue(
    given_: tuple[list[Any], list[Any]], name: str
) -> None:
    said, answer = given_
    whole = [*said, *answer]
    expected = chat(whole)
    assert chat({"prompt": said, name: answer}) == expected
    assert chat({"prompt": said, name: whole}) == expected
    assert chat({"prompt": said[-1]["content"], name: whole}) == expected
    bare = [m for m in said if m["role"] != "system"]
    assert chat({"prompt": said, name: [*bare, *answer]}) == expected
    assert chat({"prompt": bare, name: whole}) == expected


@pytest.mark.parametrize("asked", ["instruction", "prompt", "query", "question"])
def test_every_prompt_takes_its_context(asked: str) -> None:
    row = {asked: "Who?", "input": "I", "context": "C", "history": [["q", "a"]], "answer": "X"}
    assert [turn["content"] for turn in chat(row)] == ["q", "a", "Who?\n\nI\n\nC", "X"]
    assert not list(left_out_of(chat(row)))


def test_columns_beside_a_dialogue_that_its_turns_do_not_show_are_named() -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    own = {"system", "system_prompt", "system_message", "messages", "tools", "functions"}
    others = sorted(ROW_KEYS - own)
    assert {"input", "context", "history"} <= set(others)
    for name in others:
        assert list(left_out_of(chat({"messages": turns, name: "else"}))) == ([f"column {name}"]), (
            name
        )


def test_tool_parts_are_calls_and_turns_of_tools() -> None:
    call = {"type": "tool_use", "id": "t", "name": "add", "input": {"x": 1}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "5"}]}
    after = {"type": "text", "text": "And then?"}
    turns = chat(
        [
            {"role": "user", "content": "2 + 3?"},
            {"role": "assistant", "content": [{"type": "text", "text": "So:"}, call, call]},
            {"role": "user", "content": [result, {**result, "content": "6"}, after]},
            {"role": "user", "content": [{**result, "tool_use_id": "other", "is_error": True}]},
        ]
    )
    json_ = '<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>'
    assert [(t["role"], t["content"]) for t in turns] == [
        ("user", "2 + 3?"),
        ("assistant", f"So:\n{json_}\n{json_}"),
        ("tool", "5"),
        ("tool", "6"),
        ("user", "And then?"),
        ("tool", "5"),
    ]
    assert [list(left_out_of(t)) for t in turns[-2:]] == [[], ["is_error", "tool_call_id"]]


CALL = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x": 1.50}'}}


def test_reasoning_content_and_calls_are_one_text() -> None:
    (turn,) = chat(
        [{"role": "assistant", "content": "So:", "reasoning_content": "Hm.", "tool_calls": [CALL]}]
    )
    call = '<tool_call>\n{"name": "add", "arguments": {"x": 1.50}}\n</tool_call>'
    assert turn == {"role": "assistant", "content": f"<think>\nHm.\n</think>\n\nSo:\n{call}"}
    (bare,) = chat([{"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}])
    assert bare["content"] == f"{call}\n{call}"
    (old,) = chat([{"role": "assistant", "content": None, "function_call": CALL["function"]}])
    assert old["content"] == call
    (stored,) = chat([{"role": "assistant", "content": "", "tool_calls": json.dumps([CALL])}])
    assert stored["content"] == call


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"prompt": [{"role": "user", "content": "q"}], "completion": [
            {"role": "assistant", "content": "a"}]}, ["q", "a"]),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, ["q", "a"]),
        ({"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
         ["q", "a"]),
        ({"instruction": "q", "output": ["a"]}, ["q", "a"]),
        ({"instruction": "q", "output": 42}, ["q", "42"]),
        ({"instruction": "q", "input": None, "output": "a"}, ["q", "a"]),
        ({"messages": [], "prompt": "q", "completion": "a"}, ["q", "a"]),
        ({"question": "q", "response": "a", "system_prompt": "S"}, ["S", "q", "a"]),
        ([["q", None], [None, "a"]], ["q", "a"]),
        ([{"role": "system", "content": ""}, {"role": "user", "content": "q"}], ["q"]),
        ({"prompt": [{"type": "text", "text": "q"}], "completion": "a"}, ["q", "a"]),
    ],
)  # fmt: skip
def test_usual_shapes(value: Any, said: list[str]) -> None:
    assert [turn["content"] for turn in chat(value)] == said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"instruction": "q", "output": ["a", "b"]}, "output holds 2 answers; choose one"),
        ({"prompt": "q", "completion": {"text": 1}}, "completion is no text but a map of text"),
        ([{"role": "user", "content": True}], "content is no text but true"),
        ([{"role": "user", "content": {"a": 1}}], "content is no text but a map of a"),
        ([{"role": "user", "content": [["a"]]}], "content is no text but a list of 1"),
        ([{"role": "assistant", "content": "a", "weight": 0.5}], "the weight 0.5; 0 and 1"),
        ([{"role": "assistant", "content": "a", "tool_calls": [{}]}], "a tool call without a name"),
    ],
)  # fmt: skip
def test_values_that_are_no_text_are_errors(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chat(value)


def test_names_are_kept_and_named_where_no_text_shows_them() -> None:
    said = [
        {"role": "user", "name": "ada", "content": "2 + 3?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "name": "add", "tool_call_id": "a", "content": "5"},
        {"role": "tool", "name": "sub", "tool_call_id": "b", "content": "1"},
    ]
    turns = chat(said)
    assert [t.get("name") for t in turns] == ["ada", None, "add", "sub"]
    assert [list(left_out_of(t)) for t in turns] == [
        ["name"], [], [], ["tool_call_id", "name"]
    ]  # fmt: skip


def test_a_row_s_second_dialogue_is_named() -> None:
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert list(left_out_of(chat({"messages": said, "prompt": "q"}))) == []
    assert list(left_out_of(chat({"messages": said, "prompt": "other"}))) == ["column prompt"]
    assert list(left_out_of(chat({"messages": said, "turns": said}))) == ["column turns"]


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_list_of_texts_is_no_content(role: str) -> None:
    turn = {"role": role, "content": ["one", "two"]}
    with pytest.raises(ValueError, match="list of 2 texts"):
        chat([turn])
    assert chat([{**turn, "content": ["one"]}])[0]["content"] == "one"

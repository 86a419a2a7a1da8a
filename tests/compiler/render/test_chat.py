"""Dialogues: turns of rows, layouts, what is learnt, and what is cut when a chat is over-long."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from toys import Bytes, rows_of

from flancompile.cli.inspect import summary
from flancompile.compiler.objects.fit import Budget, Fitted, fit
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.chat import ChatLayout, Turn, chat_spans, span_ids, turns_of
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.dsl.jinja import dialogues
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.style import ChatStyle
from flancompile.dsl.models.task import Task, Turns
from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.export import export
from flancompile.store.verify import verify
from flancompile.tokenizer.chat import ChatTemplate
from flancompile.tokenizer.load import load_folder

NAMES = ChatStyle(
    opening="Begin.\n",
    system="({{ text }})",
    user="U: {{ text }}",
    assistant="A:{{ text }}.",
    between="\n",
)
CHATML = ChatTemplate(
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SAID = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Yes"},
    {"role": "user", "content": "Two?"},
    {"role": "assistant", "content": "No"},
    {"role": "user", "content": "Bye."},
]


def turns(said: Any, **more: str) -> tuple[Turn, ...]:
    return turns_of({"said": said}, Turns(each="said", **more))


def test_a_style_learns_from_the_slot_on() -> None:
    assert chat_spans(NAMES, turns(SAID)) == (
        "Begin.\n(Be brief.)\nU: One?\nA:",
        "Yes.",
        "\nU: Two?\nA:",
        "No.",
    )


def test_a_chat_template_is_cut_where_answers_begin_and_end() -> None:
    spans = chat_spans(CHATML, turns(SAID))
    assert spans[1::2] == ("Yes<|im_end|>\n", "No<|im_end|>\n")
    assert spans[2] == "<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n"
    assert "".join(spans) == CHATML.render(SAID[:-1])


def test_the_last_turn_alone_may_be_learnt() -> None:
    assert chat_spans(NAMES, turns(SAID[:-1], loss="last"))[1::2] == ("No.",)
    assert chat_spans(CHATML, turns(SAID[:-1], loss="n == count")) == (
        CHATML.render(SAID[:4], generate=True),
        "No<|im_end|>\n",
    )


def test_answers_with_nothing_between_them_are_one_run() -> None:
    bare = ChatStyle(between="")
    said = [SAID[1], SAID[2], {"role": "assistant", "content": "Sure"}]
    assert chat_spans(bare, turns(said)) == ("One?", "YesSure")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("a text", "turns: not a list"),
        ([], "no turn is to be learnt"),
        (SAID[:2], "no turn is to be learnt"),
        ([{"role": "user", "content": "  "}], "turn 1 is empty"),
        ([{"role": "user", "content": None}], "turn 1 is empty"),
        ([{"role": "wizard", "content": "Hm."}], "turn 1: there is no speaker 'wizard'"),
        ([{"content": "Hm."}], "no 'role'"),
        ([SAID[2], SAID[1]], "the dialogue begins with an answer"),
    ],
)
def test_odd_dialogues_are_dropped_with_their_reason(said: Any, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        chat_spans(ChatStyle(), turns(said))


def test_only_an_assistant_is_learnt() -> None:
    with pytest.raises(RowError, match="turn 1 is to be learnt, and is the user's"):
        turns(SAID[1:3], loss="true")


def test_a_template_that_rewrites_earlier_answers_is_refused() -> None:
    fickle = ChatTemplate(
        "{% for m in messages %}{{ m.role }}: "
        "{{ m.content if loop.last else m.content | upper }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    with pytest.raises(RowError, match="written otherwise in the whole chat"):
        chat_spans(fickle, turns(SAID[:-1]))


def test_a_template_may_refuse_messages() -> None:
    strict = ChatTemplate("{{ raise_exception('no system, please') }}")
    with pytest.raises(RowError, match="chat template: no system, please"):
        chat_spans(strict, turns(SAID))
    with pytest.raises(RowError, match=r"chat template: .*'now' is undefined"):
        chat_spans(ChatTemplate("{{ now() }}"), turns(SAID))


class Pairs:
    """Two characters a token, so that a token may run over an edge."""

    def encode(self, texts: Any) -> list[np.ndarray]:
        cut = [[t[i : i + 2] for i in range(0, len(t), 2)] for t in texts]
        return [np.array([hash(p) & 0xFFFF for p in c], dtype=np.uint32) for c in cut]


def test_ids_of_a_chat_template_are_those_of_the_whole_text() -> None:
    coder = Pairs()
    spans = ("abcd", "ef", "gh", "ij")
    cut = span_ids(CHATML, coder, spans, coder.encode(spans))
    assert np.array_equal(np.concatenate(cut), coder.encode(["".join(spans)])[0])
    with pytest.raises(RowError, match="a token runs over the edge"):
        span_ids(CHATML, coder, ("abc", "de"), coder.encode(("abc", "de")))
    assert len(span_ids(NAMES, coder, ("abc", "de"), coder.encode(("abc", "de")))) == 2


def fitted(said: list[Any], layout: ChatLayout, budget: Budget) -> tuple[list[Fitted], Any]:
    template = [{"name": "whole", "turns": {"each": "said"}}]
    task = Task.model_validate({"signature": "-> said", "templates": template})
    rows = rows_of(task, {"said": said})
    shares = ArmShares(options=(0.0, 1.0), cot=(0.0, 1.0))
    chats = {"only": layout}
    spec = RenderSpec("t", task, {}, {"plain": toys.PLAIN}, shares, 1, (0,), chat_styles=chats)
    made = Renderer(spec, rows, Pools(task.exemplars, rows), {})
    return list(fit(made, Bytes(), budget)), made.reasons


def test_an_over_long_dialogue_loses_its_last_exchanges() -> None:
    whole = sum(len(r) for r in chat_spans(NAMES, turns(SAID)))
    one = sum(len(r) for r in chat_spans(NAMES, turns(SAID))[:2])
    (all_,), _ = fitted([SAID], NAMES, Budget(total=whole + 2, exchange=2))
    assert all_.many == [len(r) for r in chat_spans(NAMES, turns(SAID))]
    assert not all_.draft.shortened
    (cut,), _ = fitted([SAID], NAMES, Budget(total=whole + 1, exchange=2))
    assert (cut.many, sum(cut.lengths)) == (None, one)
    assert cut.draft.shortened
    none, reasons = fitted([SAID], NAMES, Budget(total=one - 1))
    assert (none, reasons) == ([], {0: "the prompt is over-long"})


def test_an_answer_over_its_limit_ends_the_dialogue() -> None:
    longer = [*SAID[:4], {"role": "assistant", "content": "Not at all."}]
    (cut,), _ = fitted([longer], NAMES, Budget(total=500, target=6))
    assert len(cut.parts) == 2
    none, reasons = fitted([longer], NAMES, Budget(total=500, target=3))
    assert (none, reasons) == ([], {0: "the target is over-long"})


def test_an_encoder_decoder_takes_one_answer() -> None:
    found, reasons = fitted([SAID, SAID[:3]], NAMES, Budget(input=99, target=99))
    assert [f.draft.row for f in found] == [1]
    assert "several answers" in reasons[0]


def library(root: Path, **recipe: Any) -> toys.Library:
    """Dialogues of one to four exchanges, as ShareGPT keeps them."""
    made = toys.Library(root)
    said = [
        [
            {"from": speaker, "value": f"{speaker} {i} says {n}, and ü."}
            for n in range(i % 4 + 1)
            for speaker in ("human", "gpt")
        ]
        for i in range(60)
    ]
    made.write("datasets/talk.jsonl", [{"id": i, "conversations": s} for i, s in enumerate(said)])
    template = {"name": "whole", "turns": {"each": "messages"}}
    made.write(
        "datasets/talk.yaml",
        {
            "source": {"files": {"train": "talk.jsonl"}, "id": "id"},
            "fields": {"messages": "row | chat"},
            "tasks": {"chat": {"signature": "-> messages", "templates": [template]}},
        },
    )
    made.mixture()
    made.recipe(size={"passes": 1}, **recipe)
    return made


def exported(build: Build, path: Path) -> list[dict[str, Any]]:
    export(build, path, "jsonl", decode=load_folder(build.tokenizer_folder).decode)
    return [json.loads(line) for line in path.read_text().splitlines()]


def span_texts(line: dict[str, Any]) -> list[str]:
    if "runs" in line:
        return [run["text"] for run in line["runs"]]
    return [line["prompt"], line["target"]]


def test_a_build_of_dialogues_is_sound_and_learns_the_answers(tmp_path: Path) -> None:
    build = library(tmp_path / "lib").compile(tmp_path / "out", tmp_path / "cache")
    assert verify(build) == []
    assert build.manifest.counts["examples"] == 60
    answers = 0
    for line in exported(build, tmp_path / "all.jsonl"):
        learnt = span_texts(line)[1::2]
        assert len(learnt) == int(line["row"]) % 4 + 1
        for n, text in enumerate(learnt):
            assert f"gpt {line['row']} says {n}, and ü." in text and "human" not in text
        answers += len(learnt)
    assert answers == 150


def test_a_size_in_tokens_counts_the_frame_of_every_answer(tmp_path: Path) -> None:
    made = library(tmp_path / "lib")
    made.recipe(size={"target_tokens": 3000})
    build = made.compile(tmp_path / "out", tmp_path / "cache")
    counts = [x["target_tokens"] for b in build.examples() for x in b.to_pylist()]
    extra = build.manifest.counts["target_tokens"] - sum(counts)
    assert extra == sum(int(x["row_id"]) % 4 + 1 for b in build.examples() for x in b.to_pylist())
    assert 3000 <= build.manifest.counts["target_tokens"] < 3000 + max(counts) + 4


def test_every_answer_of_a_dialogue_may_be_a_row(tmp_path: Path) -> None:
    made = library(tmp_path / "lib", evaluate=[{"select": "all", "split": "train"}])
    made.write(
        "datasets/talk.yaml",
        {
            "source": {
                "files": {"train": "talk.jsonl"},
                "explode": {"exchange": "row | exchanges"},
            },
            "fields": {"query": "exchange.query", "reply": "exchange.reply"},
            "tasks": {
                "reply": {
                    "signature": "query -> reply",
                    "eval": {"metric": "rouge_l"},
                    "templates": [{"name": "a", "input": "{{ query }}", "target": "{{ reply }}"}],
                }
            },
        },
    )
    build = made.compile(tmp_path / "out", tmp_path / "cache")
    assert build.manifest.counts["examples"] == 150
    assert verify(build) == []


def test_an_item_that_is_no_list_drops_its_row(tmp_path: Path) -> None:
    made = library(tmp_path / "lib")
    source = {"files": {"train": "talk.jsonl"}, "explode": {"x": "id if id < 3 else [1, 2]"}}
    plain = {"name": "a", "input": "{{ id }}", "target": "{{ x }}"}
    about = {
        "source": source,
        "fields": {"x": "x", "id": "id"},
        "tasks": {"t": {"signature": "id -> x", "templates": [plain]}},
    }
    made.write("datasets/talk.yaml", about)
    build = made.compile(tmp_path / "out", tmp_path / "cache")
    assert build.manifest.counts["examples"] == 57 * 2
    assert "explode: x is no list" in str(build.ledger()["reason"].to_pylist())


OFF = {"bos": False, "join": "none", "eos": False}


@pytest.mark.slow
def test_the_tokenizers_own_template_lays_out_chats_and_wrapped_examples(tmp_path: Path) -> None:
    made = library(
        tmp_path / "lib",
        styles={"chat": ["tokenizer"], "wrap": True},
        frame=OFF,
        tokenizer={"bytes": True, "chat_template": "chat.jinja"},
        evaluate=[{"select": "toy/qa", "split": "validation", "max_rows": 5}],
    )
    made.dataset(rows=40)
    made.write("recipes/chat.jinja", CHATML.text)
    build = made.compile(tmp_path / "out", tmp_path / "cache")
    assert verify(build) == []
    saved = load_folder(build.tokenizer_folder)
    assert saved.chat is not None and saved.chat.text == CHATML.text
    for line in exported(build, tmp_path / "all.jsonl"):
        prompt, *_, answer = span_texts(line)
        assert prompt.startswith("<|im_start|>user\n")
        assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")
        assert answer.endswith("<|im_end|>\n")
    table, about = build.evaluation("toy/qa")
    assert about["stop"] == ["<|im_end|>"]
    row = table.to_pylist()[0]
    assert row["prompt"].endswith("<|im_start|>assistant\n")
    assert row["target"] == f"{row['accepted'][0]}<|im_end|>\n"
    again = made.compile(tmp_path / "again", tmp_path / "other", workers=2)
    assert again.manifest.root_digest == build.manifest.root_digest


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        ({"styles": {"chat": ["tokenizer"]}, "frame": OFF}, "FC417"),
        (
            {
                "styles": {"chat": ["tokenizer"]},
                "tokenizer": {"bytes": True, "chat_template": "chat.jinja"},
            },
            "FC418",
        ),
        ({"styles": {"chat": ["nothing*"]}}, "FC411"),
        ({"tokenizer": {"bytes": True, "chat_template": "chad.jinja"}}, "FC412"),
        ({"tokenizer": {"bytes": True, "chat_template": "odd.jinja"}}, "FC412"),
    ],
)
def test_a_layout_that_cannot_be_is_told_before_work(
    tmp_path: Path, recipe: dict[str, Any], code: str
) -> None:
    made = library(tmp_path / "lib", **recipe)
    made.write("recipes/chat.jinja", CHATML.text)
    made.write("recipes/odd.jinja", "{% for %}")
    with pytest.raises(FlancompileError) as caught:
        made.compile(tmp_path / "out", tmp_path / "cache")
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert not (tmp_path / "out").exists()


SHARED = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes?"}]


@pytest.mark.parametrize(
    ("beside", "first"),
    [
        ({"system": "Be kind."}, "Be kind."),
        ({"tools": '[{"name": "add"}]'}, '[{"name": "add"}]'),
        ({"tools": [{"name": "é"}], "system": "Be kind. "}, 'Be kind.\n\n[{"name": "é"}]'),
        ({"tools": "[]", "system": ""}, None),
        ({"tools": None}, None),
    ],
)
def test_what_a_row_says_beside_its_turns_is_the_system_s(
    beside: dict[str, Any], first: str | None
) -> None:
    led = [] if first is None else [{"role": "system", "content": first}]
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    assert dialogues.chat({"conversations": SHARED, **beside}) == [*led, *said]
    assert dialogues.chat({"prompt": "hi", "response": "yes?", **beside}) == [*led, *said]
    assert dialogues.chat(SHARED) == said


def test_a_dialogue_has_one_system_turn() -> None:
    own = [{"from": "system", "value": "Be brief."}, *SHARED]
    for row, text in (
        ({"system": "Be kind.", "conversations": own}, "Be kind.\n\nBe brief."),
        ({"system": "Be brief.", "conversations": own}, "Be brief."),
    ):
        found = dialogues.chat(row)
        assert [t["role"] for t in found] == ["system", "user", "assistant"]
        assert found[0]["content"] == text


def test_an_empty_answer_costs_that_answer_alone() -> None:
    said = [SAID[1], {"role": "assistant", "content": ""}, *SAID[3:5]]
    found = turns(said)
    assert [(t.text, t.learnt) for t in found] == [
        ("One?", False),
        ("", False),
        ("Two?", False),
        ("No", True),
    ]
    assert chat_spans(CHATML, found)[1::2] == ("No<|im_end|>\n",)


def test_an_empty_system_turn_is_left_out_and_a_tool_may_return_nothing() -> None:
    said = [{"role": "system", "content": " "}, *SAID[1:3], {"role": "tool", "content": ""}]
    found = turns([*said, SAID[4]])
    assert [t.role for t in found] == ["user", "assistant", "tool", "assistant"]


def test_an_answer_with_weight_zero_is_shown_and_not_learnt() -> None:
    said = [SAID[1], {**SAID[2], "weight": 0}, SAID[3], {**SAID[4], "weight": 1}]
    assert chat_spans(NAMES, turns(said))[1::2] == ("No.",)
    assert chat_spans(NAMES, turns(dialogues.chat(said))) == chat_spans(NAMES, turns(said))
    assert chat_spans(NAMES, turns(said, loss="role == 'assistant'"))[1::2] == ("Yes.", "No.")


@pytest.mark.parametrize("value", [["a"], {"a": 1}, True, [{"type": "text", "text": "a"}]])
def test_a_turn_s_text_is_no_value_as_python_writes_it(value: Any) -> None:
    with pytest.raises(RowError, match="turn 1: its text is "):
        turns([{"role": "user", "content": value}, SAID[2]])
    assert turns([{"role": "user", "content": 4}, SAID[2]])[0].text == "4"


PHI = ChatTemplate(
    "{% for m in messages %}{% if m.role == 'system' %}{{ '<|system|>\\n' + m.content + '<|end|>\\n'"
    " }}{% elif m.role == 'user' %}{{ '<|user|>\\n' + m.content + '<|end|>\\n' }}"
    "{% elif m.role == 'assistant' %}{{ '<|assistant|>\\n' + m.content + '<|end|>\\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
    {"eos_token": "<|endoftext|>"},
)


def test_a_template_that_writes_its_end_when_not_generating() -> None:
    spans = chat_spans(PHI, turns(SAID))
    assert spans == (
        "<|system|>\nBe brief.<|end|>\n<|user|>\nOne?<|end|>\n<|assistant|>\n",
        "Yes<|end|>\n",
        "<|user|>\nTwo?<|end|>\n<|assistant|>\n",
        "No<|end|>\n<|endoftext|>",
    )
    assert "".join(spans) == PHI.render(SAID[:-1])


ENDS = ["{% if not add_generation_prompt %}<|end{{ 'oftext' }}|>{% endif %}",
        "{% if add_generation_prompt %}<|a|>{% else %}{{ eos_token }}{% endif %}"]  # fmt: skip
STARTS = {"apart": "", "like the end": "<|endo"}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab<|>\n", min_size=1).filter(str.strip), st.text("ab<|>\n ")),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(ENDS),
    st.sampled_from(sorted(STARTS)),
)
def test_answers_end_where_the_template_s_own_parts_do(
    pairs: list[tuple[str, str]], end: str, start: str
) -> None:
    """Against a rendering with marks around each answer, under ends that only whole chats have."""
    lead = STARTS[start]
    opening = "<|a|>" if "<|a|>" in end else ""

    def template(left: str, right: str) -> ChatTemplate:
        text = (
            "{% for m in messages %}{% if m.role == 'user' %}" + lead + "<|u|>{{ m.content }}\n"
            "{% else %}" + opening + left + "{{ m.content }}<|e|>" + right + "{% endif %}"
            "{% endfor %}" + end
        )
        return ChatTemplate(text, {"eos_token": "<|endoftext|>"})

    said = [
        {"role": role, "content": text}
        for question, answer in pairs
        for role, text in (("user", question), ("assistant", answer))
    ]
    if not any(answer.strip() for _, answer in pairs):
        return
    made = turns(said)
    marked = template("\x01", "\x02").render([{"role": t.role, "content": t.text} for t in made])
    learnt = [t.text for t in made if t.role == "assistant"]
    spans = [part.split("\x02") for part in marked.split("\x01")[1:]]
    wanted = [a for (a, _), t in zip(spans, learnt, strict=True) if t.strip()]
    wanted[-1] += spans[-1][1] if learnt[-1].strip() else ""
    found = chat_spans(template("", ""), made)
    assert "".join(found) == template("", "").render(
        [{"role": t.role, "content": t.text} for t in made]
    )
    assert len(found[1::2]) == len(wanted) > 0
    assert list(found[1::2]) == wanted


def test_parts_that_no_text_shows_are_counted(tmp_path: Path) -> None:
    made = library(tmp_path / "lib")
    image = {"type": "image_url", "image_url": {"url": "x"}}
    asked = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}
    rows = [
        {"messages": [asked, {"role": "assistant", "content": f"A cat, {i}."}]} for i in range(9)
    ]
    rows.append({"messages": [{"role": "user", "content": [image]}, SAID[2]]})
    made.write("datasets/talk.jsonl", rows)
    about = {
        "source": {"files": {"train": "talk.jsonl"}},
        "fields": {"messages": "messages | chat"},
        "tasks": {
            "chat": {
                "signature": "-> messages",
                "templates": [{"name": "whole", "turns": {"each": "messages"}}],
            }
        },
    }
    made.write("datasets/talk.yaml", about)
    made.recipe(size={"examples": 9})
    build = made.compile(tmp_path / "out", tmp_path / "cache")
    assert build.manifest.counts["examples"] == 9
    work = json.loads((build.path / "run.json").read_text())["work"]
    assert work["left_out"] == {"talk/chat: image_url part": 9}
    assert {d["reason"] for d in build.dropped()} == {"turn 1 is empty: it has only image_url part"}
    for line in exported(build, tmp_path / "all.jsonl"):
        assert "image" not in json.dumps(line) and "What is it?" in line["prompt"]
    shown = io.StringIO()
    summary(build, Console(file=shown, width=200))
    assert "talk/chat: image_url part of messages: 9 left out" in shown.getvalue()

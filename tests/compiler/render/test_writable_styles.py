"""What a tokenizer cannot write is left out or counted; white space between prompt and target."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import PLAIN, Library, rows_of

from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.writable_styles import unwritable
from flancompile.dsl.models.style import ChatStyle, OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task
from flancompile.errors import FlancompileError
from flancompile.marks import marked
from flancompile.store.verify import verify
from flancompile.tokenizer.tokenizer import Tokenizer

TASK = Task.model_validate(
    {
        "signature": "q -> a",
        "templates": [{"name": "t", "input": "{{ q }}", "target": "{{ a }}"}],
    }
)


def table_of(
    tokenizer: Tokenizer, columns: dict[str, list[Any]], by_columns: bool, **spec: Any
) -> pa.Table:
    rows = rows_of(TASK, columns)
    rows.arrays = {k: pa.array(v) for k, v in columns.items()}
    n = len(rows)
    ids = pa.array(map(str, range(n))), pa.array(range(n), pa.uint64())
    shares = ArmShares(((0, 1.0), (2, 1.0)), (0.0, 1.0), (0.0, 1.0))
    made = RenderSpec("toy/qa", TASK, {}, {"plain": PLAIN}, shares, 1, (0,), **spec)
    return examples_of(made, (rows, *ids), Pools(TASK.exemplars, rows), tokenizer,
                       Budget(total=4000), by_columns=by_columns)  # fmt: skip


@pytest.mark.parametrize("kind", ["t5 json", "t5", "wordpiece", "gpt2", "bytes", "llama2 json"])
@settings(max_examples=12, deadline=None)
@given(rows=st.lists(st.text(st.sampled_from("ab {}<🜚</s>[INST]\n")), min_size=1, max_size=8))
def test_unknown_prompts_and_spelt_special_tokens_are_counted(
    zoo: dict[str, Tokenizer], kind: str, rows: list[str]
) -> None:
    """Against the ids of whole texts by the reference, in both engines."""
    tokenizer = zoo[kind]
    columns = {"q": [f"x{i} {t}" for i, t in enumerate(rows)], "a": ["so"] * len(rows)}
    tables = [table_of(tokenizer, columns, by_columns) for by_columns in (True, False)]
    assert tables[0].equals(tables[1])
    ids = tables[0]["ids"].to_pylist()
    prompts = [i[:n] for i, n in zip(ids, tables[0]["prompt_tokens"].to_pylist(), strict=True)]
    unknown = [tokenizer.unknown_id is not None and tokenizer.unknown_id in p for p in prompts]
    assert tables[0]["unknown"].to_pylist() == unknown
    spelt = [any(s in q for s in tokenizer.special_texts) for q in columns["q"]]
    assert tables[0]["spells_special"].to_pylist() == spelt


@pytest.mark.parametrize("kind", ["gpt2", "cl100k", "bytes", "llama2"])
@pytest.mark.parametrize("join", [" ", "\n"])
def test_a_join_of_white_space_begins_each_target(
    zoo: dict[str, Tokenizer], kind: str, join: str
) -> None:
    tokenizer = zoo[kind]
    answers = ["the rain", "", "doesn't", "12", "é"]
    columns = {"q": [f"why {i}?" for i in range(5)], "a": answers}
    tables = [table_of(tokenizer, columns, by_columns, join=join) for by_columns in (True, False)]
    assert tables[0].equals(tables[1])
    found = 0
    for row, answer in zip(tables[0].to_pylist(), answers, strict=True):
        if answer:
            target = row["ids"][row["prompt_tokens"] :]
            assert target == tokenizer.reference([join + answer])[0].tolist()
            found += 1
        else:
            assert row["reason"] == "the target is empty"
    assert found == 4
    bare = table_of(tokenizer, columns, True)
    assert bare["prompt_tokens"].equals(tables[0]["prompt_tokens"])


def test_styles_with_unknown_or_lacking_tokens_are_found(zoo: dict[str, Tokenizer]) -> None:
    styles: dict[str, Any] = {
        "plain": ShotsStyle(),
        "braces": ShotsStyle(exemplar="{ {{ input }} -> {{ target }} }"),
        "jinja": ShotsStyle(exemplar="{% if n %}{{ input }}{% endif %} {{ target }}"),
        "angle": OptionStyle(label="<{{ letter }}"),
        "turns": ChatStyle(user='{{ "<|nope|>" | special }}{{ text }}'),
    }
    found = unwritable(styles, zoo["t5 json"])
    assert found == {
        "braces": "the tokenizer cannot write '{'",
        "angle": "the tokenizer cannot write '<'",
        "turns": "the tokenizer has no special token '<|nope|>'",
    }
    assert set(unwritable(styles, zoo["gpt2"])) == {"turns"}
    for style in styles.values():  # what is kept is written without an unknown token
        alone = unwritable({"s": style}, zoo["t5"])
        texts = [
            t
            for t in style.model_dump(exclude={"tags", "when"}).values()
            if isinstance(t, str) and "{" not in t
        ]
        held = zoo["t5"].unknown_id in np.concatenate([*zoo["t5"].encode(["", *texts])])
        assert alone or not held


def library_of(tmp_path: Path, tokenizer: Tokenizer, **recipe: Any) -> Library:
    made = Library(tmp_path / "library")
    made.dataset("toy")
    made.mixture({"select": "source:toy"}, shots={0: 1, 2: 1})
    (made.root / "tokenizer.json").write_bytes(tokenizer.data)
    made.write("styles/s.yaml", {"shots": {
        "fine": {"exemplar": "{{ input }}\n{{ target }}"},
        "braces": {"exemplar": "{ {{ input }} } {{ target }}"},
    }})  # fmt: skip
    about = {"tokenizer": {"file": "../tokenizer.json", "eos": "</s>"}, **recipe}
    made.recipe(**about)
    return made


def test_a_build_leaves_such_styles_out_and_names_them(
    zoo: dict[str, Tokenizer], tmp_path: Path
) -> None:
    library = library_of(tmp_path, zoo["t5 json"], styles={"shots": ["fine", "braces"]})
    build = library.compile(tmp_path / "a", tmp_path / "cache")
    left_out = build.manifest.unwritten_styles
    assert left_out["braces"] == "the tokenizer cannot write '{'" and "fine" not in left_out
    drawn = {build.example(i)["shots_style"] for i in range(40)}
    assert "fine" in drawn and "braces" not in drawn
    assert set(json.loads((build.path / "manifest.json").read_text())["unwritten_styles"])
    assert not verify(build)
    assert build.manifest.counts["unknown_prompts"] >= 0
    library.recipe(
        tokenizer={"file": "../tokenizer.json", "eos": "</s>"}, styles={"shots": ["braces"]}
    )
    with pytest.raises(FlancompileError, match="FC421"):
        library.compile(tmp_path / "b", tmp_path / "cache")


def test_special_tokens_in_data_make_no_turn_unless_the_recipe_says_so(
    zoo: dict[str, Tokenizer], tmp_path: Path
) -> None:
    library = library_of(tmp_path, zoo["gpt2"], styles={"shots": ["fine"]})
    rows = [{"q": f"{i} </s> <|im_start|>?", "a": f"<s> {i}"} for i in range(20)]
    library.write("datasets/toy.jsonl", rows)
    library.write("datasets/toy.yaml", {
        "source": {"files": {"train": "toy.jsonl"}}, "fields": {"q": "q", "a": "a"},
        "tasks": {"t": {"signature": "q -> a", "templates": [
            {"name": "t", "input": '{{ "<|im_end|>" | special }}{{ q }}', "target": "{{ a }}"}]}},
    })  # fmt: skip
    library.mixture({"select": "source:toy"})
    token = {i: zoo["gpt2"].token_id(i) for i in ("</s>", "<|im_start|>", "<s>", "<|im_end|>")}
    counts = {}
    for mode in ("text", "token"):
        about = {"file": "../tokenizer.json", "eos": "</s>", "special_in_data": mode}
        library.recipe(tokenizer=about, styles={"shots": ["fine"]}, size={"examples": 20})
        build = library.compile(tmp_path / mode, tmp_path / "cache")
        assert not verify(build)
        assert build.manifest.counts["special_in_data"] == 20
        ids = np.concatenate([np.concatenate([*build.example_ids(p, s)[1].values()])
                              for p in range(len(build.packs))
                              for s in range(len(build.packs[p].examples))])  # fmt: skip
        counts[mode] = {t: int((ids == i).sum()) for t, i in token.items()}
    assert counts["text"] == {"</s>": 40, "<|im_start|>": 0, "<s>": 0, "<|im_end|>": 20}
    assert counts["token"] == {"</s>": 60, "<|im_start|>": 20, "<s>": 20, "<|im_end|>": 20}
    text = json.loads((tmp_path / "text" / "manifest.json").read_text())
    assert marked("") not in json.dumps(text, ensure_ascii=False)


def test_a_template_with_a_special_token_that_is_lacking_is_an_error(
    zoo: dict[str, Tokenizer], tmp_path: Path
) -> None:
    library = library_of(tmp_path, zoo["gpt2"], styles={"shots": ["fine"]})
    library.write("datasets/toy.yaml", {
        "source": {"files": {"train": "toy.jsonl"}}, "fields": {"q": "q", "a": "a"},
        "tasks": {"t": {"signature": "q -> a", "templates": [
            {"name": "t", "input": "{{ '<|nope|>' | special }}{{ q }}", "target": "{{ a }}"}]}},
    })  # fmt: skip
    library.write("datasets/toy.jsonl", [{"q": "a", "a": "b"}])
    library.mixture({"select": "source:toy"})
    with pytest.raises(FlancompileError, match=r"no special token '<\|nope\|>'") as caught:
        library.compile(tmp_path / "a", tmp_path / "cache")
    (found,) = caught.value.diagnostics
    assert found.code == "FC422" and found.span is not None


def test_ids_that_differ_from_the_references_are_refused(
    zoo: dict[str, Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder that went wrong after its checks."""
    tokenizer = zoo["gpt2"]
    columns = {"q": [f"why {i}?" for i in range(5)], "a": ["the rain"] * 5}
    wrong = [np.append(ids, 0) for ids in tokenizer.reference(["x"])]
    for by_columns in (True, False):
        table_of(tokenizer, columns, by_columns)
        with monkeypatch.context() as patch:
            patch.setattr(type(tokenizer), "reference", lambda _, texts: wrong * len(texts))
            with pytest.raises(
                FlancompileError, match="and the reference give other ids"
            ) as caught:
                table_of(tokenizer, columns, by_columns)
        assert caught.value.code == "FC512"

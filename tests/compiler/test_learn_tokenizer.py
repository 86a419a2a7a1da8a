"""Learnt tokenizers: from a mixture's first examples, pinned, and learnt again only on request."""

import json
from pathlib import Path
from typing import Any

import pytest
from toys import Library

from flancompile.compiler import learn_tokenizer
from flancompile.compiler.cache import Cache
from flancompile.compiler.pipeline import prepare
from flancompile.compiler.prepared_recipe import PreparedRecipe
from flancompile.compiler.request import request_of
from flancompile.tokenizer.train import train

SPEC = {"train": "bpe", "vocab_size": 300, "train_rows": 30}


def library(root: Path) -> Library:
    made = Library(root / "lib")
    for name in ("toy", "other"):
        made.dataset(name, rows=60)
    members = [{"select": "toy/qa", "rate": 2}, {"select": "other/qa", "rate": 1}]
    made.mixture(*members)
    made.recipe(tokenizer=SPEC)
    return made


def prepared(made: Library, cache: str = "cache", **more: Any) -> PreparedRecipe:
    kept = Cache(made.root.parent / cache)
    return prepare(request_of("r", library=(made.root,), cache=kept, **more), None)


def test_a_learnt_tokenizer_stays_until_it_is_to_be_learnt_again(tmp_path: Path) -> None:
    made = library(tmp_path)
    first = prepared(made).tokenizer
    pin = made.root / "recipes/r.lock.json"
    about = json.loads(pin.read_text())["tokenizer"]
    assert (about["digest"], about["train"], about["vocab_size"]) == (first.digest, "bpe", 300)
    assert (pin.with_name(about["file"])).is_dir()
    made.write(
        "datasets/toy.jsonl",
        [{"id": i, "question": "Żółć? " * 9, "answer": "ja"} for i in range(60)],
    )
    kept = prepared(made)
    assert kept.tokenizer.digest == first.digest  # new rows change no id
    again = prepared(made, relearn=True).tokenizer
    assert again.digest != first.digest
    assert json.loads(pin.read_text())["tokenizer"]["digest"] == again.digest
    assert json.loads(pin.read_text())["tokenizer"]["texts"] != about["texts"]


def test_the_same_rows_give_the_same_tokenizer(tmp_path: Path) -> None:
    found = [prepared(library(tmp_path / n), cache=n).tokenizer for n in "ab"]
    assert found[0].digest == found[1].digest
    assert found[0].data == found[1].data


def test_texts_are_of_the_tasks_in_the_mixtures_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def recorded(kind: Any, texts: list[str], size: int) -> Any:
        given.extend(texts)
        return train(kind, texts, size)

    monkeypatch.setattr(learn_tokenizer, "train", recorded)
    made = library(tmp_path)
    text = (made.root / "datasets/other.jsonl").read_text()
    made.write("datasets/other.jsonl", text.replace("What is", "Other:"))
    prepared(made)
    assert len(given) == 2 * 30  # a prompt and a target of each row
    prompts = given[::2]
    assert sum("Other:" in p for p in prompts) == 10
    assert sum("What is" in p for p in prompts) == 20


def test_a_text_is_cut_to_the_most_that_could_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def recorded(kind: Any, texts: list[str], size: int) -> Any:
        given.extend(texts)
        return train(kind, texts, size)

    monkeypatch.setattr(learn_tokenizer, "train", recorded)
    made = library(tmp_path)
    rows = [
        {"id": i, "question": f"long {i} " * 9000, "answer": "ja", "topic": "", "note": ""}
        for i in range(9)
    ]
    made.write("datasets/toy.jsonl", rows)
    prepared(made)
    assert max(map(len, given)) == 512 * learn_tokenizer.TOKEN_CHARACTERS
    assert sum("long" in text for text in given) == 9  # no row twice

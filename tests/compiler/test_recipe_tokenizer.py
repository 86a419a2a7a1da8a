"""A recipe's tokenizer: named, pinned beside the recipe, or still to be learnt."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import Library

from flancompile.compiler.cache import Cache
from flancompile.compiler.recipe_tokenizer import named_tokenizer, pin_path
from flancompile.compiler.request import request_of
from flancompile.dsl.library.library import Loaded, builtin_library
from flancompile.dsl.models.mixture import Recipe
from flancompile.dsl.yaml.document import Document
from flancompile.errors import FlancompileError
from flancompile.tokenizer.tokenizer import Tokenizer
from flancompile.tokenizer.train import train

SPEC = {"train": "bpe", "vocab_size": 320}
TEXTS = [f"the {a} {b} in the text" for a in "abcdefghij" for b in "klmnopqrst"]


def recipe(root: Path, **tokenizer: Any) -> Loaded[Recipe]:
    made = Library(root / "lib")
    made.dataset(rows=3)
    made.mixture()
    made.recipe(tokenizer=tokenizer)
    return request_of("r", library=(made.root,)).recipe


def pinned(root: Path, **changes: Any) -> tuple[Loaded[Recipe], Tokenizer]:
    """A recipe with a tokenizer pinned beside it. changes: of the pin."""
    found, tokenizer = recipe(root, **SPEC), train("bpe", TEXTS, 320)
    tokenizer.save(root / "lib/recipes/r.tokenizer")
    pin = {**SPEC, "digest": tokenizer.digest, "file": "r.tokenizer", **changes}
    (root / "lib/recipes/r.lock.json").write_text(json.dumps({"tokenizer": pin}))
    return found, tokenizer


def test_bytes_are_a_tokenizer_of_their_own(tmp_path: Path) -> None:
    found = named_tokenizer(recipe(tmp_path, bytes=True), Cache(tmp_path))
    assert found is not None
    assert found.decode(found.encode(["ü"])[0]) == "ü"


def test_a_file_is_sought_from_the_recipes_folder(tmp_path: Path) -> None:
    learnt = train("bpe", TEXTS, 320)
    learnt.save(tmp_path / "lib/kept")
    named = recipe(tmp_path, file="../kept/tokenizer.json", eos="</s>")
    found = named_tokenizer(named, Cache(tmp_path))
    assert found is not None and found.vocab_size == learnt.vocab_size
    assert found.eos_id == 2
    gone = recipe(tmp_path, file="gone.json")
    with pytest.raises(FlancompileError, match="FC412") as caught:
        named_tokenizer(gone, Cache(tmp_path))
    assert caught.value.diagnostics[0].span == gone.document.span(("tokenizer",))


def test_a_tokenizer_is_to_be_learnt_until_it_is_pinned(tmp_path: Path) -> None:
    assert named_tokenizer(recipe(tmp_path / "a", **SPEC), Cache(tmp_path)) is None
    made, tokenizer = pinned(tmp_path / "b")
    found = named_tokenizer(made, Cache(tmp_path))
    assert found is not None and found.digest == tokenizer.digest
    assert found.encode(TEXTS[:2])[0].tolist() == tokenizer.encode(TEXTS[:2])[0].tolist()
    assert named_tokenizer(made, Cache(tmp_path), relearn=True) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 400}, "pins a bpe tokenizer of 400, but the recipe sets bpe of 320"),
        ({"train": "unigram"}, "pins a unigram tokenizer of 320"),
        ({"digest": "0"}, r"r\.tokenizer is not the tokenizer that r\.lock\.json pins"),
    ],
)
def test_a_pin_that_does_not_match_is_an_error(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    made, _ = pinned(tmp_path, **changes)
    with pytest.raises(FlancompileError, match=message) as caught:
        named_tokenizer(made, Cache(tmp_path))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "FC414" and "--relearn" in (diagnostic.hint or "")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"tokenizer": []}', '{"tokenizer": {"train": "bpe"}}', "\xff"]
)
def test_a_damaged_pin_is_an_error(tmp_path: Path, text: str) -> None:
    made = recipe(tmp_path, **SPEC)
    (tmp_path / "lib/recipes/r.lock.json").write_text(text, encoding="latin-1")
    with pytest.raises(FlancompileError, match=r"r\.lock\.json is damaged") as caught:
        named_tokenizer(made, Cache(tmp_path))
    assert caught.value.code == "FC414"
    assert named_tokenizer(made, Cache(tmp_path), relearn=True) is None


def test_a_pin_is_beside_its_recipe_or_in_the_cache_for_the_built_in_library(
    tmp_path: Path,
) -> None:
    own = recipe(tmp_path, **SPEC)
    cache = Cache(tmp_path / "cache")
    assert pin_path(own, cache) == tmp_path / "lib/recipes/r.lock.json"
    shipped = next((builtin_library() / "recipes").glob("*.yaml"))
    built_in = replace(own, document=Document(str(shipped), None))
    assert pin_path(built_in, cache) == cache.root / "locks/r-bpe-320.lock.json"


def test_the_recipe_chooses_the_chat_template_and_special_tokens_in_data(tmp_path: Path) -> None:
    (tmp_path / "lib/recipes").mkdir(parents=True)
    (tmp_path / "lib/recipes/chat.jinja").write_text(
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    learnt = train("bpe", TEXTS, 320)
    learnt.save(tmp_path / "lib/kept")
    name = "../kept/tokenizer.json"
    plain = named_tokenizer(recipe(tmp_path, file=name), Cache(tmp_path))
    chosen = named_tokenizer(
        recipe(tmp_path, file=name, chat_template="chat.jinja", special_in_data="token"),
        Cache(tmp_path),
    )
    assert plain is not None and chosen is not None
    assert plain.chat is None and chosen.chat is not None
    special = "</s>"
    assert chosen.encode([special])[0].tolist() == [2]
    assert plain.encode([special])[0].tolist() != [2]

"""Dumped YAML: the language's reader and PyYAML's read the same values back."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toys import Library

from flancompile.compiler.request import request_of
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.dump import Dumper

ODD = st.text(
    st.sampled_from([*"ab: #'\"\\\n\t-|>{}[]&*!%@`?,~", "é", "\u2028", "\x85", "\x07", "😀", "\ufeff"]),
    max_size=12,
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "yes",
        "no",
        "null",
        "~",
        "1e3",
        "1.",
        "+1",
        "08",
        "0x1",
        "0o7",
        "1_000",
        "1:30",
        ".inf",
        ".5E2",
        "2001-01-01",
        "=",
        "<<",
        "",
        "True",
        "1e3x",
    ]
)
KEYS = st.one_of(ODD, WORDS)
VALUES = st.recursive(
    st.one_of(ODD, WORDS, st.integers(-9, 10**20), st.booleans(), st.none())
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def dumped(data: object, **more: Any) -> str:
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, **more))


@settings(max_examples=60)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
@example({"a": "x" * 5000 + " " + "y" * 5000})
@example({"a": "\n x\n", "b": " x\n\n", "c": "x \ny"})
@example({"a": ["", "\n", " "]})
@example({"a": "\\U0001F600 😀: \\\\U0001F600"})
def test_dumped_values_are_read_back(data: dict[str, object]) -> None:
    text = dumped(data)
    assert parse(text, "a.yaml").data == data
    assert list(parse(text, "a.yaml").data) == list(data)
    assert yaml.safe_load(text) == data


@pytest.mark.parametrize("style", ['"', None])
def test_printable_characters_are_not_escaped(style: str | None) -> None:
    text = dumped({"a": ": 😀é\U000e0001\x07"}, default_style=style)
    assert "😀é" in text and "\\U000E0001\\a" in text
    assert "\\U0001F600" in yaml.dump({"a": ": 😀"}, Dumper=Dumper)


def test_texts_of_a_recipe_stay_texts_beside_settings(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.write("mixtures/1e3.yaml", 'mixture: "1e3"\nmembers: [{select: all}]\n')
    library.recipe(mixture="1e3")
    path = tmp_path / "recipes" / "r.yaml"
    path.write_text(path.read_text().replace("mixture: 1e3", 'mixture: "1e3"'))
    request = request_of("r", library=(tmp_path,), settings={"seed": 7})
    assert (request.recipe.model.mixture, request.recipe.model.seed) == ("1e3", 7)

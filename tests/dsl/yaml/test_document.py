from collections.abc import Callable
from pathlib import Path

import pytest

from flancompile.dsl.library.memo import Memo
from flancompile.dsl.yaml.document import parse, read
from flancompile.errors import FlancompileError


def test_scalars_follow_the_core_schema() -> None:
    text = "a: [yes, no, on, true, 12, 1_000, 12:30, 2024-01-01, 1e3, ~, '']"
    assert parse(text, "f").data["a"] == [
        "yes", "no", "on", True, 12, "1_000", "12:30", "2024-01-01", 1000.0, None, "",
    ]  # fmt: skip


def test_places_of_values_and_keys() -> None:
    document = parse("a:\n  b: [1, two]\n  c: |-\n    Q {{ q }}\n    A {{ a }}\n", "f.yaml")
    assert str(document.span(("a", "b", 1))) == "f.yaml:2:10"
    assert str(document.span(("a", "b"), of_key=True)) == "f.yaml:2:3"
    assert str(document.find(("a", "c"), "a", "name")) == "f.yaml:5:10"
    assert str(document.span(("a", "b", "dict[str,int]", 1))) == "f.yaml:2:10"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "FC102", "f:3:1"),
        ("a: [1, 2\nb: 3\n", "FC101", "f:1:4"),
        ("a: b: c\n", "FC101", "f:1:5"),
        ("a: \x00\n", "FC101", "f:1:4"),
    ],
)
def test_mistakes_have_a_place(text: str, code: str, place: str) -> None:
    with pytest.raises(FlancompileError) as caught:
        parse(text, "f")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, str(diagnostic.span)) == (code, place)


def test_whole_numbers_are_decimal() -> None:
    assert parse("[08, 010, -7, !!float 3]", "f").data == [8, 10, -7, 3.0]


@pytest.mark.parametrize("text", ["[" * 2000 + "]" * 2000, "[" * 300_000, "- " * 150 + "x"])
def test_depth_is_told_of(text: str) -> None:
    with pytest.raises(FlancompileError, match="more than 100 deep"):
        parse(text, "f")


def test_a_character_after_accents_has_its_place() -> None:
    with pytest.raises(FlancompileError) as caught:
        parse("éééé\nb: ééééé\x01\n", "f")
    assert str(caught.value.diagnostics[0].span) == "f:2:9"


@pytest.mark.parametrize("make", [Path.mkdir, lambda p: p.symlink_to("nowhere")])
def test_what_cannot_be_read_is_a_diagnostic(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "x.yaml")
    for reader in (read, Memo().read):
        with pytest.raises(FlancompileError, match="FC101: the file cannot be read"):
            reader(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("written", "word", "places"),
    [
        ("k: a b a", "a", ["f:1:4", "f:1:8"]),
        ('k: "\\u00e9\\n {{ a }} \\"{{ a }}"', "a", ["f:1:17", "f:1:27"]),
        ("k: '{{ ''a'' }} {{ a }}'", "a", ["f:1:20"]),
        ("k: |\n  x\n\n  {{ o }}{% for o in a %}{{ o }}{% endfor %}", "o", ["f:4:6"]),
        ("k: >\n  x\n  {{ a }}\n\n  {{ a }}\n", "a", ["f:3:6", "f:5:6"]),
        ('k: "x\n  {{ a }}\n\n  {{ a }}"', "a", ["f:2:6", "f:4:6"]),
        ("k: &x !!str 'b {{ a }}'", "a", ["f:1:19"]),
    ],
)
def test_words_are_found_in_every_form(written: str, word: str, places: list[str]) -> None:
    document = parse(written, "f")
    assert [str(span) for span in document.every(("k",), word, "name")] == places

import pytest

from flancompile.dsl.yaml import parse
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
    assert str(document.find(("a", "c"), "a", 1)) == "f.yaml:5:10"
    assert str(document.span(("a", "b", "dict[str,int]", 1))) == "f.yaml:2:10"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "FC102", "f:3:1"),
        ("a: [1, 2\nb: 3\n", "FC101", "f:2:2"),
        ("a: b: c\n", "FC101", "f:1:5"),
        ("a: \x00\n", "FC101", "f:1:4"),
    ],
)
def test_mistakes_have_a_place(text: str, code: str, place: str) -> None:
    with pytest.raises(FlancompileError) as caught:
        parse(text, "f")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, str(diagnostic.span)) == (code, place)

"""Every code that the program can give has an entry in docs/diagnostics.md, and no other has; a
test makes each appear."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENTRY = re.compile(
    r"^### (FC\d{3}): .+?\n(?:.*?\n)*?Wrong:\n\n```text\n(.+?)\n```\n\nRight:\n\n```text\n(.+?)\n```",
    re.MULTILINE | re.DOTALL,
)


def test_each_code_has_an_entry_with_a_wrong_and_a_right_example() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text()
    headed = re.findall(r"^### (FC\d{3})", page, re.MULTILINE)
    assert headed == sorted(set(headed))
    pieces = re.split(r"(?=^### FC)", page, flags=re.MULTILINE)[1:]
    for piece in pieces:
        assert ENTRY.match(piece), piece.splitlines()[0]
    given = set()
    for path in (ROOT / "flancompile").rglob("*.py"):
        given |= set(re.findall(r'"(FC\d{3})"', path.read_text()))
    assert given == set(headed)


def asserted(tree: ast.AST) -> Iterator[str]:
    """The codes that a test file wants: in `assert`, `pytest.raises` and lists of cases."""
    wanting = ("pytest.raises", "pytest.warns", "pytest.mark.parametrize")
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Call) and ast.unparse(node.func) in wanting
        if isinstance(node, ast.Assert) or is_call:
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield from re.findall(r"FC\d{3}", part.value)


def test_some_test_makes_each_code_appear() -> None:
    tests = ROOT / "tests"
    found = {c for p in tests.rglob("test_*.py") for c in asserted(ast.parse(p.read_text()))}
    for path in (tests / "mistakes").glob("*.txt"):
        said = r"^(?:\S+: )?(?:error|warning) (FC\d{3}): "
        found |= set(re.findall(said, path.read_text(), re.MULTILINE))
    page = (ROOT / "docs" / "diagnostics.md").read_text()
    headed = set(re.findall(r"^### (FC\d{3})", page, re.MULTILINE))
    assert len(headed) > 100
    assert headed - found == set()


def test_codes_are_found_where_they_are_wanted_alone() -> None:
    source = """
assert caught.code == "FC111" and x
with pytest.raises(E, match="FC222"): pass
@pytest.mark.parametrize("code", ["FC333", ("x", "FC444")])
def test(): "FC555"; y = "FC666"  # FC777
"""
    assert sorted(asserted(ast.parse(source))) == ["FC111", "FC222", "FC333", "FC444"]


def test_codes_of_seeded_mistakes_are_many() -> None:
    said = "".join(p.read_text() for p in (ROOT / "tests" / "mistakes").glob("*.txt"))
    assert len(set(re.findall(r"(?:error|warning) (FC\d{3})", said))) >= 40


def test_each_family_has_a_screen_that_the_program_shows() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text()
    families = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert len(families) == 6
    seeded = "".join(p.read_text() for p in (ROOT / "tests" / "mistakes").glob("*.txt"))
    for family in families:
        screen = re.match(r"[^\n]+\n\n```text\n(.+?)\n```", family, re.DOTALL)
        assert screen, family.splitlines()[0]
        if "FC5" not in screen[1] and "FC6" not in screen[1]:  # those need a build
            assert screen[1] in seeded, family.splitlines()[0]

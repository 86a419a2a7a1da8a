"""Drop reasons: texts are written and read in one place."""

import ast
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import flancompile
from flancompile.drop_reasons import Dropped, DropReason

FIXED = [r for r in DropReason if r]
DETAILS = st.text(st.sampled_from("ab'1 :.…(),é"), min_size=1, max_size=12)


@given(st.sampled_from([*DropReason]), DETAILS | st.just(""))
def test_a_text_gives_back_its_reason(reason: DropReason, detail: str) -> None:
    assume(reason or detail)
    known = Dropped(reason, detail)
    assert Dropped.of(str(known)) == known
    assert known.is_intended == (str(known) in ("where", "no template applies"))


@pytest.mark.parametrize(
    ("text", "general"),
    [
        ("field a2: no item 7", "field a2: no item …"),
        ("+ is not defined for 'a' and 'b'", "+ is not defined for '…' and '…'"),
        ("no template applies: why is empty", "no template applies: why is empty"),
        ("where: 'x' is undefined", "where: '…' is undefined"),
        ("the object isn't 'a' (part-00012.jsonl:1,204)", "the object isn't '…' (part-….jsonl:…)"),
        ("the item is no JSON object (x.jsonl:3)", "the item is no JSON object (x.jsonl:…)"),
        ("beyond the cap", "beyond the cap"),
    ],
)
def test_general_texts(text: str, general: str) -> None:
    assert Dropped.of(text).general == general


@given(
    st.from_regex(r"[a-z]{1,5}( [a-z]{1,5}){0,3}", fullmatch=True),
    st.lists(st.integers(0, 10**6), min_size=2, max_size=2),
    st.lists(st.text("xyz 1", max_size=6), min_size=2, max_size=2),
)
def test_rows_with_other_values_have_one_general_text(
    words: str, numbers: list[int], names: list[str]
) -> None:
    texts = [
        f"field q: {words} {number:,} of '{name}' (rows.csv:{number})"
        for number, name in zip(numbers, names, strict=True)
    ]
    assert len({Dropped.of(t).general for t in texts}) == 1


def test_no_module_writes_a_reason_as_a_text() -> None:
    root = Path(flancompile.__file__).parent
    texts = {r.value for r in FIXED} - {DropReason.WHERE.value}  # the name of a key, too
    looked = 0
    for path in root.rglob("*.py"):
        if path.name == "drop_reasons.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                looked += 1
                assert node.value not in texts, f"{path}:{node.lineno}"
    assert looked > 1000

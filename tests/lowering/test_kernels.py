"""Kernels of filters against the filters, text by text."""

import re
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.lowering.kernels import _KERNELS, kernel, required_text
from flancompile.lowering.operations import applied

PARTS = ["a", "B", " ", "  ", "n't", "``", "&amp;", "&", "é", "ß", "İ", "ǆ", "\t", "\n", "\u2028",
         "\u00a0", "1", ".", "-lrb-", "\\", "aB a"]  # fmt: skip
TEXTS = st.lists(st.lists(st.sampled_from(PARTS), max_size=7).map("".join) | st.text(), max_size=6)
PATTERNS = [
    r"\s+", r" n't\b", r"``?", r"a|B", r"(?i)b", r"(a)(B)?", r"^a", r"a{2}", r"a{0,2}B", r"[ab]+B",
    r"a?B", r"a*B", r"a+B", r"\.", r"\\", r"-lrb-", r"é\b", "", r"a(?=B)", r"\d", r"\n", "a b",
]  # fmt: skip
REPLACED = ["", "x", r"\1", r"\g<0>\g<0>", r"\\", "\\n"]
ARGS: dict[tuple[str, int], list[tuple[str, ...]]] = {
    ("matches", 1): [(p,) for p in PATTERNS],
    ("regex_findall", 1): [(p,) for p in PATTERNS],
    ("regex_replace", 2): [(p, r) for p in PATTERNS for r in REPLACED],
    ("replace", 2): [("a", "b"), ("", "-"), (" ", ""), ("aB", "aB aB")],
    ("split", 1): [(" ",), ("aB",), ("\n",)],
    ("trim", 1): [(" ",), ("",), ("aB.",)],
}
CALLS = [(name, args) for name, count in _KERNELS for args in ARGS.get((name, count), [()])]


@pytest.mark.parametrize(("name", "args"), CALLS)
@given(texts=TEXTS)
def test_a_kernel_gives_what_its_filter_gives(
    name: str, args: tuple[str, ...], texts: list[str]
) -> None:
    function = applied("Filter", name)
    try:
        expected: list[Any] | None = [function(t, *args) for t in [*texts, "", "aB"]]
    except re.error:
        expected = None
    fast = kernel(name, args)
    assert (fast is None) == (expected is None)
    if fast is not None:
        assert fast([*texts, "", "aB"]) == expected
        assert list(map(type, fast(texts))) == [type(function(t, *args)) for t in texts]


def test_every_kernel_is_tried() -> None:
    assert {(name, len(args)) for name, args in CALLS} == {*_KERNELS} and len(CALLS) > 100


@pytest.mark.parametrize("call", [
    ("regex_replace", ("(", "x")), ("regex_replace", ("a", r"\1")), ("split", ("",)),
    ("replace", ("a", None)), ("trim", (1,)), ("regex_replace", ("a",)), ("unknown", ()),
])  # fmt: skip
def test_there_is_no_kernel_for_arguments_that_fail(call: tuple[str, tuple[Any, ...]]) -> None:
    assert kernel(*call) is None


PIECES = ["a", "b", " ", "n", "\\", "\\.", "\\s", "\\n", "\\b", "*", "+", "?", "{2}", "{0,1}", "(",
          ")", "[", "]", "[ab]", "(a)", "(?:b)", "|", "^", "$", ".", "{"]  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.text("ab n.{\\\n", max_size=12)
)
def test_a_match_contains_the_required_text(pattern: str, text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            compiled = re.compile(pattern)
    except re.error:
        return
    needed = required_text(pattern)
    assert all(needed in found.group() for found in compiled.finditer(text))

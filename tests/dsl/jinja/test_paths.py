"""Paths that expressions read, and labels of literal tables."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.paths import label_names, paths_read


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a", {("a",)}),
        ("a.b['c'][0].d", {("a", "b", "c", "0", "d")}),
        ("a[b.c]", {("a",), ("b", "c")}),
        ("a | map(attribute='k') | join(b.c)", {("a",), ("b", "c")}),
        ("row['#1 String'] ~ row.x", {("row", "#1 String"), ("row", "x")}),
        ("zip(a, range(n))", {("a",), ("n",)}),
        ("a.b().c", {("a", "b")}),
        ("range.x ~ len(len)", {("range", "x"), ("len",)}),
        ("1 + 'x'", set()),
        ("a +", set()),
    ],
)
def test_paths_of_an_expression(text: str, paths: set[tuple[str, ...]]) -> None:
    assert paths_read(text) == paths


class Watched(dict[str, Any]):
    """A map that notes the paths of keys that are read of it."""

    def __init__(self, path: tuple[str, ...], read: set[tuple[str, ...]]) -> None:
        super().__init__({} if len(path) > 3 else dict.fromkeys("abc"))
        self.path, self.read = path, read

    def __getitem__(self, key: str) -> Any:
        self.read.add((*self.path, key))
        return Watched((*self.path, key), self.read)


PATHS = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.builds("{}{}".format, inner, st.sampled_from([".a", "['b']", ".c"])),
    max_leaves=3,
)


@settings(max_examples=50)
@given(st.lists(PATHS, min_size=1, max_size=3))
def test_paths_are_those_that_the_evaluation_reads(parts: list[str]) -> None:
    text = " and ".join(f"({part} is mapping)" for part in parts)
    read = set[tuple[str, ...]]()
    row = Watched((), read)
    assert compile_expression(text)({name: row[name] for name in "abc"}) is True
    ends = {p for p in read if len(p) > 1} | {(n,) for n in "abc" if n in parts}
    assert paths_read(text) <= read
    longest = {p for p in ends if not any(q[: len(p)] == p and q != p for q in ends)}
    assert longest <= paths_read(text)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("['no', 'yes'][label]", ["no", "yes"]),
        ("label | lookup({'A': 'no', 'B': 'yes'})", ["no", "yes"]),
        ("['no', 1][label]", []),
        ("['no', other][label]", []),
        ("names[label]", []),
        ("label | lookup(table)", []),
        ("label", []),
        ("[][label]", []),
        ("['no'", []),
    ],
)
def test_labels_of_a_literal_table(text: str, labels: list[str]) -> None:
    assert label_names(text) == labels


def test_a_label_is_what_the_expression_gives() -> None:
    text = "label | lookup({0: 'no', 1: 'yes'})"
    assert [compile_expression(text)({"label": n}) for n in (0, 1)] == label_names(text)
    with pytest.raises(RowError):
        compile_expression(text)({"label": 2})

"""Projections: which columns are included, which are read, and those of a joined file."""

import pytest

from flancompile.sources.rows import EVERY_COLUMN, Projection

SOME = Projection(frozenset({"a", "other_b"}))


@pytest.mark.parametrize(
    ("projection", "included", "read"),
    [
        (EVERY_COLUMN, "abz", "abz"),
        (SOME, "a", "a"),
        (Projection(frozenset({"a"}), identity=True), "abz", "a"),
        (Projection(frozenset()), "", ""),
    ],
)
def test_columns_included_and_read(projection: Projection, included: str, read: str) -> None:
    assert "".join(c for c in "abz" if projection.includes(c)) == included
    assert "".join(c for c in "abz" if projection.is_read(c)) == read


def test_further_columns_and_prefixes() -> None:
    assert SOME.with_columns("z").columns == frozenset({"a", "other_b", "z"})
    assert SOME.without_prefix("other_", ["id"]).columns == frozenset({"b", "id"})
    assert SOME.without_prefix("").columns == SOME.columns
    assert EVERY_COLUMN.with_columns("z") is EVERY_COLUMN.without_prefix("x") is EVERY_COLUMN
    whole = Projection(frozenset({"a"}), identity=True)
    assert whole.with_columns("b").identity and whole.without_prefix("x").identity

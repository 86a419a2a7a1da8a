"""Warnings about a split's rows: their place, and the name of the split."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import Library

from flancompile.compiler.request import bare_request
from flancompile.lint.reading import Reading
from flancompile.lint.sample import Sample, share


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_warning_is_at_its_key_and_names_an_evaluation_s_split(
    tmp_path: Path, evaluated: bool
) -> None:
    Library(tmp_path).dataset(rows=2)
    request = bare_request((tmp_path,), None)
    sample = Sample(request, request.tasks["toy/qa"], "test", [], Reading(), evaluated)
    sample.report("FC331", "all answers are one", ("signature",), "look again")
    (found,) = sample.found
    assert (
        found.message == ("toy/qa on 'test'" if evaluated else "toy/qa") + ": all answers are one"
    )
    assert (found.severity, found.hint) == ("warning", "look again")
    assert found.span is not None
    line = Path(found.span.path).read_text().splitlines()[found.span.line - 1]
    assert line[found.span.column - 1 :] == "question -> answer"


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.none() | st.text())
def test_a_share_gives_both_counts_and_a_row(count: int, of: int, row: str | None) -> None:
    text = share(count, of, row)
    counts, _, named = text.partition(" rows")
    assert [int(n.replace(",", "")) for n in counts.split(" of ")] == [count, of]
    assert named == ("" if row is None else f", such as {row!r}")

"""Quoted records, against Python's reader; unclosed quotes are errors with their line."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import FlancompileError
from flancompile.sources.quoted import quoted_records

CELL = st.text(st.sampled_from(["a", '"', ",", "\n", " ", "é"]), max_size=4)


def records(text: str, delimiter: str = ",", **options: object) -> list[tuple[int, list[str]]]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_text(text, encoding="utf-8", newline="")
        return list(quoted_records(path, ReadOptions.model_validate(options), delimiter))


@settings(deadline=None)
@given(st.lists(st.lists(CELL, min_size=2, max_size=3), max_size=5))
def test_written_records_read_back_with_their_lines(rows: list[list[str]]) -> None:
    sink = io.StringIO()
    csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    found = records(sink.getvalue())
    assert [values for _, values in found] == rows
    lines = [1]
    for row in rows:
        lines.append(lines[-1] + 1 + sum(cell.count("\n") for cell in row))
    assert [number for number, _ in found] == lines[:-1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a,b\n1,"open\n2,x\n', 2),
        ('a,b\n1,"open\n2,"x"\n', 2),
        ('"a,b\n', 1),
        ('a\n"x\ny" z\n', 2),
    ],
)
def test_an_unclosed_quote_is_reported_at_its_line(text: str, line: int) -> None:
    with pytest.raises(FlancompileError, match=f"a.csv:{line}: a quote opens here") as caught:
        records(text)
    assert caught.value.code == "FC304"


def test_skipped_lines_count_and_a_delimiter_may_be_any_character() -> None:
    assert records("# note\na|b\n", "|", skip=1) == [(2, ["a", "b"])]
    assert records('x,"say ""hi"""\n') == [(1, ["x", 'say "hi"'])]
    assert records("") == []

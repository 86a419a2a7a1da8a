"""What commands print: sizes, JSON, highlighted text, and the library of a folder."""

from pathlib import Path

import pytest
from commands import call
from hypothesis import given
from hypothesis import strategies as st

from flancompile.cli.console import LOSS, bytes_of, folders, print_json, progress, size, tinted
from flancompile.errors import FlancompileError


@pytest.mark.parametrize(
    ("text", "want"),
    [("0", 0), ("12", 12), (" 1 KiB ", 1024), ("1.5kb", 1500), ("256MiB", 1 << 28),
     ("1gib", 1 << 30), ("2TB", 2 * 10**12), ("0.5 B", 0)],
)  # fmt: skip
def test_sizes_in_bytes(text: str, want: int) -> None:
    assert bytes_of(text) == want


@pytest.mark.parametrize("text", ["", "much", "-1", "1 Gi", "1,5GB", "1e3", "GiB", "1 2 MB"])
def test_texts_that_are_no_size(text: str) -> None:
    with pytest.raises(FlancompileError, match="is not a size") as caught:
        bytes_of(text)
    assert caught.value.code == "FC415"


@given(st.integers(0, 1 << 50))
def test_a_printed_size_is_near_its_bytes(count: int) -> None:
    assert bytes_of(size(count)) == pytest.approx(count, rel=0.05, abs=0.5)


def test_sizes_as_they_are_printed() -> None:
    counts = [0, 1023, 1024, 1 << 20, 3 << 30, 5000 << 30]
    assert list(map(size, counts)) == [
        "0 B", "1023 B", "1.0 KiB", "1.0 MiB", "3.0 GiB", "5000.0 GiB",
    ]  # fmt: skip


def test_json_keeps_unicode(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"é": Path("a/ü"), "n": [1, None]})
    assert capsys.readouterr().out == '{\n  "é": "a/ü",\n  "n": [\n    1,\n    null\n  ]\n}\n'


def test_loss_is_highlighted_and_white_space_shown() -> None:
    parts = [("a b\n", False), ("c\td\r\v\f", True)]
    text = tinted(parts)
    assert text.plain == "a b\nc\td"  # without what would move a terminal's cursor
    assert [(s.start, s.end, s.style) for s in text.spans if s.style] == [(4, 7, LOSS)]
    assert tinted(parts, whitespace=True).plain == "a·b⏎\nc→\td␍␋␌"


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as report:
        report("read", 0, None)
        report("read", 3, 10)
        report("write", 1, 1)
    assert capsys.readouterr() == ("", "")


def test_the_library_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folders([Path("x"), Path("y")]) == (Path("x"), Path("y"))
    assert folders([]) == ()
    (tmp_path / "runs").mkdir()
    assert folders([]) == ()  # training writes there
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "a.yaml").write_text("a: 1\n")
    assert folders([]) == (Path(),)


def test_lines_are_not_cut_where_there_is_no_terminal(home: Path) -> None:
    assert max(map(len, call("ls", "styles", cwd=home).splitlines())) < 160

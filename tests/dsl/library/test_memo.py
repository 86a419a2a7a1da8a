"""The cache of parsed files: the same results with and without it, and no harm by damage."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.library import memo as module
from flancompile.dsl.library.memo import Memo
from flancompile.errors import Diagnostic, FlancompileError, Span

TEXT = "a: 1\nb: [x, {c: 'é'}]\n"


def filled(folder: Path) -> tuple[Memo, Path]:
    """A saved cache of one checked file."""
    path = folder / "d.yaml"
    path.write_text(TEXT)
    memo = Memo(folder / "memo")
    document = memo.read(path)
    span = Span(str(path), 2, 4, 2, 5)
    memo.store(
        document, [Diagnostic("FC213", "two", span, "one", "warning"), Diagnostic("FC105", "x")]
    )
    memo.save()
    return memo, path


def test_a_file_of_equal_bytes_is_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, path = filled(tmp_path)
    found = first.diagnostics(first.read(path))
    other = tmp_path / "copy.yaml"
    other.write_text(TEXT)
    again = Memo(tmp_path / "memo")
    monkeypatch.setattr("flancompile.dsl.yaml.document.parse", None)
    document = again.read(other)
    assert (document.data, document.text) == ({"a": 1, "b": ["x", {"c": "é"}]}, TEXT)
    stored = again.diagnostics(document)
    assert found is not None and stored is not None
    assert [(d.code, d.message, d.hint, d.severity) for d in stored] == [
        ("FC213", "two", "one", "warning"), ("FC105", "x", None, "error")
    ]  # fmt: skip
    assert str(stored[0].span) == f"{other}:2:4" and stored[1].span is None


def test_a_document_is_checked_again_for_other_marks_and_other_bytes(tmp_path: Path) -> None:
    memo, path = filled(tmp_path)
    document = memo.read(path)
    assert memo.diagnostics(document, "schema 1") is None
    memo.store(document, [], "schema 1")
    assert memo.diagnostics(document, "schema 1") == []
    memo.store(document, [], "schema 2")  # in place of the older schema's
    assert memo.diagnostics(document, "schema 1") is None
    assert len(memo.diagnostics(document) or ()) == 2
    memo.store(document, [])  # the file is checked anew: all marks are
    assert memo.diagnostics(document, "schema 2") is None
    path.write_text(TEXT + "c: 1\n")
    assert memo.diagnostics(memo.read(path)) is None


def test_files_that_are_no_longer_used_are_dropped(tmp_path: Path) -> None:
    _, path = filled(tmp_path)
    full = (tmp_path / "memo").stat().st_size
    again = Memo(tmp_path / "memo")
    again.save()
    assert (tmp_path / "memo").stat().st_size < full
    assert Memo(tmp_path / "memo").diagnostics(Memo(tmp_path / "memo").read(path)) is None


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 255), st.booleans())
def test_a_damaged_cache_is_ignored(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("memo")
    _, path = filled(folder)
    raw = bytearray((folder / "memo").read_bytes())
    place %= len(raw)
    if cut:
        del raw[place:]
    else:
        raw[place] ^= change
    (folder / "memo").write_bytes(raw)
    memo = Memo(folder / "memo")
    document = memo.read(path)
    assert document.data == {"a": 1, "b": ["x", {"c": "é"}]}
    assert memo.diagnostics(document) is None


def test_a_cache_of_other_code_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = filled(tmp_path)
    monkeypatch.setattr(module, "_fingerprint", lambda: "another version")
    memo = Memo(tmp_path / "memo")
    assert memo.diagnostics(memo.read(path)) is None


def test_without_a_place_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("a: [1")
    memo = Memo()
    with pytest.raises(FlancompileError) as caught:
        memo.read(path)
    assert caught.value.code == "FC101"
    memo.save()
    assert [p.name for p in tmp_path.iterdir()] == ["d.yaml"]
    blocked = Memo(path / "memo")  # no folder
    path.write_text(TEXT)
    blocked.read(path)
    blocked.save()
    assert path.read_text() == TEXT

from pathlib import Path

from flancompile.errors import Diagnostic, FlancompileError, Span, fail, nearest


def test_a_diagnostic_shows_place_line_caret_and_help(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("one\n\ttwo: three\n")
    span = Span(str(file), 2, 2, 2, 5)
    shown = Diagnostic("FC105", "unknown key 'two'", span, "did you mean 'too'?").render()
    assert shown == (
        f"{file}:2:2: error FC105: unknown key 'two'\n"
        "  2 | \ttwo: three\n"
        "    | \t^^^\n"
        "  = help: did you mean 'too'?"
    )


def test_a_diagnostic_without_a_readable_file_still_prints() -> None:
    span = Span("gone.yaml", 1, 1, 1, 2)
    assert Diagnostic("FC101", "bad", span).render() == "gone.yaml:1:1: error FC101: bad"


def test_an_error_travels_between_processes() -> None:
    import pickle

    error = fail("FC301", "no file", hint="look again")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, FlancompileError)
    assert again.code == "FC301"
    assert str(again) == str(error)


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("zebra", ["premise"]) is None


def test_a_place_in_no_file_is_none() -> None:
    found = Diagnostic("FC101", "wrong", Span("", 1, 1, 1, 1))
    assert found.span is None
    assert found.render() == "error FC101: wrong"
    assert "line" not in found.as_dict()

"""Diagnostics of a single text."""

from flancompile.dsl.checks.style import located
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.yaml.document import parse


def test_a_word_is_marked_in_or_after_its_line() -> None:
    document = parse("text: |\n  one two\n  three two\n", "d.yaml")
    found = [
        d.span
        for d in located(
            document,
            ("text",),
            [TextDiagnostic("FC216", "m", word="two", line=n) for n in (1, 2)],
        )
    ]
    assert [(s.line, s.column) for s in found if s is not None] == [(2, 7), (3, 9)]


def test_a_place_goes_before_a_line() -> None:
    document = parse("text: |\n  one two\n  three two\n", "d.yaml")
    (found,) = located(
        document, ("text",), [TextDiagnostic("FC216", "m", word="two", at=14, severity="warning")]
    )
    assert found.span is not None and (found.span.line, found.severity) == (3, "warning")

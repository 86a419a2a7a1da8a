"""Expressions and templates over one row, in the row engine and the column engine."""

from typing import Any

from flancompile.dsl.jinja.expression import RowError, compile_expression, compile_template
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import evaluate
from flancompile.lowering.lowerable import why_not

__all__ = ["TO_TEXT", "both", "by_row"]

# Expressions that convert `v` to text, or to a number.
TO_TEXT = [
    "v | trim", "v | lower", "v | upper", "v | title", "v | capitalize", "v | replace('a', 'b')",
    "v | string", "v | center(9)", "v | squeeze", "v | striptags", "v | unescape_html",
    "v | urlencode", "v | upper_first", "v | lower_first", "v | lstrip", "v | rstrip", "'%s' | format(v)",
    "v | format", "v ~ 'a'", "'a' ~ v", "[v, 1] | join", "['a', 'b'] | join(v)", "v | wordcount", "v | int",
    "v | float", "'%s' % v", "'%s%s' % ('a', v)", "'%(k)s' % {'k': v}", "'{}'.format(v)", "'{k}'.format(k=v)",
    "'{0[0]}'.format([v])", "'{k}'.format_map({'k': v})", "'{!r}'.format(v)", "['a'] | map('replace', 'a', v) | list",
    "[v] | map('string') | list", "[{'k': v}] | join(', ', 'k')", "[v] | map('trim') | list", "[[v]] | join",
    "'abc' | replace('b', v)", "v | number", "v | ordinal", "v | indent", "v | truncate", "v | wordwrap",
    "'%s' | format({'k': v})", "v | tojson", "{'k': v} | urlencode", "'{:>5}'.format(v)", "'%s' | format(v, v)",
]  # fmt: skip


def both(text: str, row: dict[str, Any]) -> tuple[Any, Any]:
    """[value] by each engine: None if the sandbox refuses the row, or columns leave it to it."""
    try:
        wanted = [compile_expression(text)(row)]
    except RowError:
        wanted = None
    assert why_not(text, expression=True) is None
    column = evaluate(text, Scope(1, {n: Column.of([v]) for n, v in row.items()}))
    resolved = None if column.fallback(1)[0] else column.values(1)
    return wanted, resolved


def by_row(text: str, rows: list[dict[str, Any]]) -> list[str | None]:
    """The template's text for each row in the row engine; None for a row that it drops."""
    found: list[str | None] = []
    for row in rows:
        try:
            found.append(compile_template(text).render(row))
        except RowError:
            found.append(None)
    return found

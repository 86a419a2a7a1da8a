"""Locate YAML syntax errors at the mistake itself.

libyaml reports the token at which it stops, often some lines after the mistake. The tokens
before it show the quotes, brackets and indentation that are open there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from flancompile.errors import Diagnostic, Span

__all__ = ["QUOTES", "syntax_diagnostic"]

QUOTES = "text that begins with {{ needs quotes"
_NO_TABS = "indent with spaces: YAML does not allow tabs"
_KEY = re.compile(r"^\s*(?:-\s+)*(?P<key>[^\s:#'\"{\[,-][^:#{\[]*?)\s*:(?:\s|$)")
_VALUE = re.compile(r"^\s*(?:-\s+)*(?:(?:[\w.]+|\"[^\"]*\"|'[^']*')\s*:\s+)?(?P<value>\S.*)$")
_BARE_SLOT = re.compile(r"^[^\"'#]*?[:-]\s+(?P<slot>\{\{)")


@dataclass(frozen=True)
class _Mistake:
    """A mistake: line and column from 0, message and hint."""

    line: int
    column: int
    message: str
    hint: str
    length: int = 1


def syntax_diagnostic(error: yaml.MarkedYAMLError, path: str, text: str, loader: Any) -> Diagnostic:
    """FC101 at the mistake that stops the YAML parser.

    loader: the class whose scanner gives the tokens.
    """
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Diagnostic("FC101", f"not YAML: {error.problem}")
    lines = text.split("\n")
    if "end of stream" in str(error.problem) and error.context_mark is not None:
        mark = error.context_mark  # where the quote or bracket was opened
    fault = _found(error, mark, lines, text, loader)
    span = Span(
        path, fault.line + 1, fault.column + 1, fault.line + 1, fault.column + fault.length + 1
    )
    return Diagnostic("FC101", f"not YAML: {fault.message}", span, fault.hint)


def _found(error: Any, mark: Any, lines: list[str], text: str, loader: Any) -> _Mistake:
    line = lines[mark.line] if mark.line < len(lines) else ""
    problem, context = str(error.problem), str(error.context)
    tokens = list(_tokens(text, loader))
    looks: tuple[Callable[[], _Mistake | None], ...] = (
        lambda: _tab(lines, mark),
        lambda: _tag(problem, mark),
        lambda: _slot(line, mark),
        lambda: _quoted(problem, context, mark, lines, tokens),
        lambda: _special(line, mark, problem),
        lambda: _bracket(context, mark, line, tokens),
        lambda: _no_colon(problem, error, mark, lines),
        lambda: _indentation(problem, mark, lines, tokens),
        lambda: _other(problem, mark),
    )
    for look in looks:
        if (fault := look()) is not None:
            return fault
    text = ", ".join(str(p) for p in (error.context, error.problem) if p)
    return _Mistake(mark.line, mark.column, text, "the mistake may be in the line before")


def _tokens(text: str, loader: Any) -> Iterator[Any]:
    """The tokens up to the first one that cannot be scanned."""
    with suppress(yaml.YAMLError):
        yield from yaml.scan(text, Loader=loader)


def _tab(lines: list[str], mark: Any) -> _Mistake | None:
    for number in (mark.line, mark.line - 1, mark.line + 1):
        line = lines[number] if 0 <= number < len(lines) else ""
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            column = indent.index("\t")
            return _Mistake(number, column, "a tab in the indentation", _NO_TABS)
    return None


def _tag(problem: str, mark: Any) -> _Mistake | None:
    if tag := re.search(r"constructor for the tag '(?:tag:yaml.org,2002:)?(.*)'", problem):
        hint = "remove the tag: values are texts, numbers, booleans, lists and maps"
        return _Mistake(mark.line, mark.column, f"the tag {tag[1]!r} is not known", hint)
    return None


def _slot(line: str, mark: Any) -> _Mistake | None:
    slot = _BARE_SLOT.search(line)
    if slot is not None and slot.start("slot") <= mark.column:
        return _Mistake(mark.line, slot.start("slot"), "{{ begins a map", QUOTES, 2)
    return None


def _special(line: str, mark: Any, problem: str) -> _Mistake | None:
    """A plain text that begins with a special character of YAML."""
    match = _VALUE.match(line)
    if match is not None and match["value"].startswith(("{%", "{#")):
        hint = f"text that begins with {match['value'][:2]} needs quotes"
        return _Mistake(
            mark.line, match.start("value"), f"{match['value'][:2]} begins a map", hint, 2
        )
    if match is None or match["value"][0] not in "%@*&!`|>":
        return None
    first, at = match["value"][0], match.start("value")
    if not at <= mark.column <= at + 2:
        return None
    if first in "|>":
        hint = "begin the block's text on the next line, indented; or quote the text"
        return _Mistake(mark.line, at, f"text after {first!r} on the same line", hint)
    kind = {"*": "an alias", "&": "an anchor", "!": "a tag"}.get(first, "no plain text")
    hint = f"text that begins with {first} needs quotes"
    return _Mistake(mark.line, at, f"{first!r} begins {kind}", hint)


def _quoted(
    problem: str, context: str, mark: Any, lines: list[str], tokens: list[Any]
) -> _Mistake | None:
    """A quote that is not closed, closed too late or too soon, or contains an invalid escape."""
    if "unknown escape" in problem:
        line = lines[mark.line] if mark.line < len(lines) else ""
        at = mark.column - (line[mark.column : mark.column + 1] != "\\")
        escape = line[at : at + 2]
        hint = "double the backslash, or use 'single quotes'"
        return _Mistake(mark.line, at, f"the escape {escape!r} is not known", hint, 2)
    if "quoted scalar" in context:
        quoted = [t for t in tokens if isinstance(t, yaml.ScalarToken) and t.style in ('"', "'")]
        late = [t for t in quoted if t.start_mark.line < t.end_mark.line <= mark.line]
        if late and mark.line == late[-1].end_mark.line:
            return _unclosed(late[-1].start_mark.line, late[-1].start_mark.column)
        early = (t for t in quoted if t.end_mark.line == mark.line and _continues(t, lines))
        place = next((t.start_mark for t in early), mark)
        return _unclosed(place.line, place.column)
    before = [
        t
        for t in tokens
        if isinstance(t, yaml.ScalarToken) and t.style in ('"', "'")
        and (t.end_mark.line, t.end_mark.column) <= (mark.line, mark.column)
    ]  # fmt: skip
    if not before or before[-1].end_mark.line != mark.line:
        return None
    last = before[-1]
    rest = lines[mark.line][last.end_mark.column : mark.column]
    if rest.strip() or lines[mark.line][mark.column : mark.column + 1] in (",", "]", "}", ""):
        return None
    if last.start_mark.line < last.end_mark.line:
        return _unclosed(last.start_mark.line, last.start_mark.column)
    double = last.style == '"'
    inner = '\\"' if double else "''"
    hint = f"write a quote within the text as {inner}; or write the text as a block with |-"
    place = last.end_mark.column - 1
    return _Mistake(mark.line, place, "the quote closes here, but text follows", hint)


def _continues(token: Any, lines: list[str]) -> bool:
    """Whether text follows a closing quote directly, so that it was probably an opening one."""
    after = lines[token.end_mark.line][token.end_mark.column :][:1]
    return after not in ("", " ", ",", ":", "]", "}")


def _unclosed(line: int, column: int) -> _Mistake:
    message = "the quote that opens here is not closed"
    return _Mistake(line, column, message, "close it, or write the text as a block with |-")


def _bracket(context: str, mark: Any, line: str, tokens: list[Any]) -> _Mistake | None:
    """An unbalanced bracket."""
    here = line[mark.column : mark.column + 1]
    opened = _opened(tokens, mark)
    if here in ("}", "]") and here and opened is None:
        return _Mistake(mark.line, mark.column, f"nothing opens this {here!r}", "remove it")
    if opened is None or "flow" not in context:
        return None
    bracket = "{" if isinstance(opened, yaml.FlowMappingStartToken) else "["
    place = opened.start_mark
    if place.line < mark.line or mark.column >= len(line.rstrip()):
        close = {"{": "}", "[": "]"}[bracket]
        hint = f"close it with {close}; a text with brackets in it needs quotes"
        message = f"the {bracket!r} that opens here is not closed"
        return _Mistake(place.line, place.column, message, hint)
    message = f"within {bracket!r}, a comma or a closing bracket is expected here"
    hint = "text with , : { } [ or ] needs quotes there"
    return _Mistake(mark.line, mark.column, message, hint)


def _opened(tokens: list[Any], mark: Any) -> Any:
    """The innermost open bracket at a place, or None."""
    open_ = []
    for token in tokens:
        if (token.start_mark.line, token.start_mark.column) >= (mark.line, mark.column):
            break
        if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
            open_.append(token)
        elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken) and open_:
            open_.pop()
    return open_[-1] if open_ else None


def _no_colon(problem: str, error: Any, mark: Any, lines: list[str]) -> _Mistake | None:
    """A line without `key: `, or a colon within a plain text."""
    if "could not find expected ':'" in problem and error.context_mark is not None:
        place = error.context_mark
        excerpt = lines[place.line].strip()
        message = f"{_short(excerpt)!r} is not `key: value`"
        hint = "write `key: value`; indent the lines of a text deeper than its key"
        return _Mistake(place.line, place.column, message, hint, len(excerpt))
    if "mapping values are not allowed" not in problem:
        return None
    own = _KEY.match(lines[mark.line])
    if own is None or own.end("key") < mark.column:
        hint = "text with a colon and a space needs quotes"
        if any(mark_ in lines[mark.line][: mark.column] for mark_ in "“‘«"):
            hint += ", and the quotes must be straight"
        return _Mistake(mark.line, mark.column, "a second ': ' on one line", hint)
    above = _above(mark.line, lines)
    excerpt = lines[above].strip()
    if above < mark.line and _KEY.match(lines[above]) is None and not excerpt.startswith("- "):
        first = excerpt.replace("=", " ").replace(":", " ").split()
        hint = f"write `{first[0]}: {' '.join(first[1:])}`" if first[1:] else f"write `{first[0]}:`"
        message = f"{_short(excerpt)!r} is not `key: value`"
        return _Mistake(above, lines[above].index(excerpt), message, hint, len(excerpt))
    return None


def _indentation(problem: str, mark: Any, lines: list[str], tokens: list[Any]) -> _Mistake | None:
    """A line with an indentation that differs from its neighbours'."""
    marks = ("did not find expected key", "expected '-' indicator", "mapping values")
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = len(line) - len(line.lstrip())
    if not any(m in problem for m in marks):
        return None
    if mark.column != indent and "mapping values" not in problem:
        return None
    above = _above(mark.line, lines)
    name, before = _name(line), _name(lines[above])
    of_above = _column(lines[above])
    if "'-' indicator" in problem and indent == len(lines[above]) - len(lines[above].lstrip()):
        hint = "indent it like the item's first key, or begin another item with `- `"
        return _Mistake(mark.line, indent, f"{name} is beside the items of a list", hint)
    if line.lstrip().startswith("-") and not line.lstrip().startswith("- "):
        hint = "an item begins with a dash and a space"
        return _Mistake(mark.line, indent, f"{_short(line.strip())!r} is not an item", hint)
    if line.lstrip().startswith("- "):
        dashes = [n for n in range(mark.line) if lines[n].lstrip().startswith("- ")]
        of_items = len(lines[dashes[-1]]) - len(lines[dashes[-1]].lstrip()) if dashes else indent
        message = f"this item is indented by {indent}, the one before it by {of_items}"
        return _Mistake(mark.line, indent, message, "indent all items of a list equally")
    first = _dedented(mark.line, indent, tokens, lines)
    if first is not None:
        excerpt = _name(lines[first])
        found = len(lines[first]) - len(lines[first].lstrip())
        message = f"{excerpt} is indented by {found}, the lines around it by {indent}"
        return _Mistake(first, found, message, f"indent it by {indent}", len(excerpt))
    message = f"{name} is indented by {indent}, {before} before it by {of_above}"
    return _Mistake(mark.line, indent, message, "indent all keys of a map equally", len(name))


def _dedented(stop: int, indent: int, tokens: list[Any], lines: list[str]) -> int | None:
    """The line whose lower indentation ended the block that line `stop` continues.

    indent: indentation of line `stop`.
    """
    open_: list[int] = []
    closed: int | None = None
    for token in tokens:
        if token.start_mark.line >= stop:
            break
        if isinstance(token, yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken):
            open_.append(token.start_mark.column)
        elif isinstance(token, yaml.BlockEndToken) and open_:
            column = open_.pop()
            if column == indent:
                closed = token.start_mark.line
    if closed is None or any(c == indent for c in open_):
        return None
    found = len(lines[closed]) - len(lines[closed].lstrip())
    return closed if found < indent else None


def _other(problem: str, mark: Any) -> _Mistake | None:
    if "another document" in problem:
        hint = "move it to a file of its own"
        return _Mistake(mark.line, 0, "a second document in one file", hint)
    if "cannot start any token" in problem:
        return _Mistake(
            mark.line, mark.column, "a character that cannot begin a text", "put the text in quotes"
        )
    if " is no " in problem:  # of a scalar with a tag
        return _Mistake(mark.line, mark.column, problem, "remove the tag, or correct the value")
    return None


def _above(line: int, lines: list[str]) -> int:
    """The last line with text before a line."""
    found = range(line - 1, -1, -1)
    return next((n for n in found if lines[n].strip() and lines[n].lstrip()[0] != "#"), line)


def _column(line: str) -> int:
    match = _KEY.match(line)
    return match.start("key") if match else len(line) - len(line.lstrip())


def _name(line: str) -> str:
    match = _KEY.match(line)
    return f"`{match['key']}`" if match else f"`{_short(line.strip())}`"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."

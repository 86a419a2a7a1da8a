"""Static checks of expressions: called fields, keys of `for_each`, pattern escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from flancompile.dsl.jinja.infer import GUARD, expression_diagnostics, template_diagnostics
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.jinja.tokens import words
from flancompile.dsl.jinja.types import ANY, Type, common_type, type_of
from flancompile.dsl.models.task import ForEach

__all__ = ["field_call_diagnostics", "variable_diagnostics", "variable_type"]

_CALL = re.compile(r"([^\W\d]\w*)\s*\(")
_REGEX_FILTERS = ("regex_replace", "regex_search", "regex_findall", "matches")
_CONTROL = re.compile(r"(?<!\\)(?:\\\\)*\\([b1-7])")


def variable_type(each: ForEach | None) -> dict[str, Type]:
    """Type of the variable of `for_each`, by its name; empty without `for_each`."""
    if each is None:
        return {}
    if each.values is None:
        return {each.variable: type_of({"name": "", "path": ""})}
    values = [type_of({"name": v} if isinstance(v, str) else v) for v in each.values]
    return {each.variable: common_type(values) or ANY}


def variable_diagnostics(text: str, variable: Mapping[str, Type]) -> Iterator[TextDiagnostic]:
    """Find keys that the values of `for_each` lack, in a text that compiles."""
    if not any(name in text for name in variable):
        return
    is_template = "{{" in text or "{%" in text
    found = (
        template_diagnostics(text, variable)
        if is_template
        else expression_diagnostics(text, variable)[1]
    )
    for diagnostic in found:
        if diagnostic.code == "FC222" and diagnostic.word is not None:
            some = diagnostic.hint == GUARD
            who = "some values of for_each have no" if some else "no value of for_each has a"
            message = f"{who} key {diagnostic.word!r}"
            yield replace(diagnostic, message=message, severity="warning" if some else "error")


def field_call_diagnostics(text: str, fields: frozenset[str]) -> Iterator[TextDiagnostic]:
    """FC226 for fields that are called, FC211 for control characters in patterns."""
    if "(" not in text:
        return
    if not fields.isdisjoint(_CALL.findall(text)):
        for word in words(text):
            called = word.part == "name" and text[word.start + len(word.text) :].lstrip()[:1] == "("
            if called and word.text in fields:
                message = f"{word.text!r} is a field, but it is called like a function"
                hint = "remove the brackets; functions are filters: text | upper"
                yield TextDiagnostic("FC226", message, hint, word=word.text, at=word.start)
    if "\\" in text and any(name in text for name in _REGEX_FILTERS):
        yield from _escapes(text)


def _escapes(text: str) -> Iterator[TextDiagnostic]:
    r"""FC211 for `\b` and `\1` in a pattern, where they are control characters."""
    filter_name = ""  # the filter whose arguments these are
    for word in words(text):
        if word.part == "filter":
            filter_name = word.text
        elif word.part == "text" and filter_name in _REGEX_FILTERS:
            for match in _CONTROL.finditer(word.text):
                character = "a backspace" if match[1] == "b" else "a control character"
                message = f"'\\{match[1]}' in a text is {character}"
                hint = f"double the backslash: '\\\\{match[1]}'"
                at = word.start + match.end() - 2
                yield TextDiagnostic(
                    "FC211", message, hint, word=match[0][-2:], severity="warning", at=at
                )

"""Calls and keys in a text that cannot work, seen without any row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from flancompile.dsl.jinja.infer import GUARD, expression_faults, template_faults
from flancompile.dsl.jinja.texts import Fault
from flancompile.dsl.jinja.tokens import words
from flancompile.dsl.jinja.types import ANY, Type, merged, type_of
from flancompile.dsl.models.task import ForEach

__all__ = ["call_faults", "variable_faults", "variable_type"]

_CALL = re.compile(r"([^\W\d]\w*)\s*\(")
_REGEX_FILTERS = ("regex_replace", "regex_search", "regex_findall", "matches")
_CONTROL = re.compile(r"(?<!\\)(?:\\\\)*\\([b1-7])")


def variable_type(each: ForEach | None) -> dict[str, Type]:
    """The variable of `for_each` with the keys that its values have; none without one."""
    if each is None:
        return {}
    if each.values is None:
        return {each.variable: type_of({"name": "", "path": ""})}
    values = [type_of({"name": v} if isinstance(v, str) else v) for v in each.values]
    return {each.variable: merged(values) or ANY}


def variable_faults(text: str, variable: Mapping[str, Type]) -> Iterator[Fault]:
    """Keys that no value of `for_each` has, in a text that compiles."""
    if not any(name in text for name in variable):
        return
    is_template = "{{" in text or "{%" in text
    found = template_faults(text, variable) if is_template else expression_faults(text, variable)[1]
    for fault in found:
        if fault.code == "FC222" and fault.word is not None:
            some = fault.hint == GUARD
            who = "some values of for_each have no" if some else "no value of for_each has a"
            message = f"{who} key {fault.word!r}"
            yield replace(fault, message=message, severity="warning" if some else "error")


def call_faults(text: str, fields: frozenset[str]) -> Iterator[Fault]:
    """Fields that are called, and escapes that a pattern does not get."""
    if "(" not in text:
        return
    if not fields.isdisjoint(_CALL.findall(text)):
        for word in words(text):
            called = word.part == "name" and text[word.start + len(word.text) :].lstrip()[:1] == "("
            if called and word.text in fields:
                message = f"{word.text!r} is a field, and is called"
                hint = "take the brackets out; functions are filters: text | upper"
                yield Fault("FC226", message, hint, word=word.text, at=word.start)
    if "\\" in text and any(name in text for name in _REGEX_FILTERS):
        yield from _escapes(text)


def _escapes(text: str) -> Iterator[Fault]:
    r"""`\b` and `\1` in a text are a backspace and another control character."""
    near = ""  # the filter whose arguments these are
    for word in words(text):
        if word.part == "filter":
            near = word.text
        elif word.part == "text" and near in _REGEX_FILTERS:
            for match in _CONTROL.finditer(word.text):
                what = "a backspace" if match[1] == "b" else "a control character"
                message = f"'\\{match[1]}' in a text is {what}"
                hint = f"double the backslash: '\\\\{match[1]}'"
                at = word.start + match.end() - 2
                yield Fault("FC211", message, hint, word=match[0][-2:], severity="warning", at=at)

"""Validate parsed YAML against a model: all errors, with positions and hints."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flancompile.dsl.yaml.advice import advice_on, described
from flancompile.dsl.yaml.document import Document, Key
from flancompile.dsl.yaml.keys import likely_key
from flancompile.dsl.yaml.model_members import keys_at
from flancompile.dsl.yaml.repair import edits_for, real_key, without
from flancompile.errors import Diagnostic, FlancompileError, Span, nearest

__all__ = ["validate", "validated"]

MAX_ROUNDS = 12
M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document) -> M:
    """Validate a document. Raises FC105 (unknown key), FC106 (missing key), FC201 (value)."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise FlancompileError(_diagnostics(model, document, _errors(error, document))) from None


def validated(model: type[M], document: Document) -> tuple[M | None, Document, list[Diagnostic]]:
    """Validate a document; return the model, the repaired document and all diagnostics.

    Invalid parts are removed from the repaired document and misspelt keys renamed, so that the rest
    can be checked too. The model is None if too little remains. Codes as for `validate`.
    """
    found: list[Diagnostic] = []
    hurt: set[Key] = set()  # incomplete parts, whose further errors follow from that
    for _ in range(MAX_ROUNDS):
        try:
            return model.model_validate(document.data), document, found
        except ValidationError as error:
            errors = _errors(error, document)
        new = [e for e in errors if not _follows(e, document, hurt)]
        found += [d for d in _diagnostics(model, document, new) if d not in found]
        edits = edits_for(errors, document, partial(_hint_for, model))
        less = without(document, edits, hurt)
        if less is None:
            break
        document, hurt = less
    return None, document, found


def _errors(error: ValidationError, document: Document) -> list[Any]:
    """Errors of a model, without those that a value is of no other type of a union, where one type
    takes the value and refuses a part of it."""
    errors: list[Any] = error.errors(include_url=False)
    keys = [real_key(tuple(e["loc"]), document) for e in errors]

    def is_other_type(one: Any, key: Key) -> bool:
        inner = any(len(k) > len(key) and k[: len(key)] == key for k in keys)
        return inner and one["type"] in _EXPECTED and tuple(one["loc"]) != key

    return [e for e, key in zip(errors, keys, strict=True) if not is_other_type(e, key)]


def _hint_for(model: type[BaseModel], key: Key) -> str | None:
    return likely_key(str(key[-1]), keys_at(model, key[:-1]), model)


def _follows(error: Any, document: Document, hurt: set[Key]) -> bool:
    place = real_key(tuple(error["loc"]), document)
    follows = ("missing", "too_short", "value_error", "string_pattern_mismatch")
    return error["type"] in follows and any(key[: len(place)] == place for key in hurt)


def _diagnostics(model: type[BaseModel], document: Document, errors: list[Any]) -> list[Diagnostic]:
    moved = _misplaced(model, document, errors)
    names = {key[-1] for key in moved}
    remaining = [
        e
        for e in _without_consequences(errors)
        if not any(tuple(e["loc"][: len(key)]) == key for key in moved)
        and not (e["type"] == "missing" and e["loc"][-1] in names)
    ]
    found = [*moved.values(), *(_diagnostic(model, document, e) for e in remaining)]
    return _without_branches(_without_misspelt(found))


def _misplaced(
    model: type[BaseModel], document: Document, errors: list[Any]
) -> dict[Key, Diagnostic]:
    """Detect keys of a value that are beside it among free names: lines indented too little.

    For example `templates:` directly under `tasks:` is not a task.
    """
    found: dict[Key, Diagnostic] = {}
    for error in errors:
        loc: Key = tuple(error["loc"])
        for end in range(1, len(loc) + 1):
            key, name = loc[:end], str(loc[end - 1])
            among_names = not keys_at(model, key[:-1])
            others = document.value(key[:-1])
            if among_names and isinstance(others, dict) and name in keys_at(model, key):
                owner = next((str(o) for o in others if o not in keys_at(model, key)), "NAME")
                message = f"{name!r} is a key, but it is among the names of {key[-2]!r}"
                span = document.span(key, of_key=True)
                hint = f"indent it more, as a key of {owner!r}"
                found.setdefault(key, Diagnostic("FC105", message, span, hint))
                break
    return found


def _diagnostic(model: type[BaseModel], document: Document, error: Any) -> Diagnostic:
    key: Key = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        name = str(key[-1])
        known = keys_at(model, key[:-1])
        listed = f"known here: {', '.join(sorted(known))}"
        hint = likely_key(name, known, model) or listed
        return Diagnostic("FC105", f"unknown key {name!r}", document.span(key, of_key=True), hint)
    if kind == "missing":
        owner = key[:-1]
        span = document.span(owner, of_key=True)
        name = str(key[-1])
        text = described(model, key)
        advice = f"{name}: {text.removesuffix('.')}" if text else None
        return Diagnostic("FC106", f"the key {name!r} is missing", span, advice)
    message, advice = _message(error, keys_at(model, key))
    advice = advice_on(error, model, key) or advice
    if kind == "string_type" and error.get("input") is None:
        advice = _empty_text(document.span(key), document) or advice
    if key == () and kind == "value_error":
        key = _named_in(message, document)
    of_key = key[-1:] == ("[key]",)
    key = key[:-1] if of_key else key
    parent = key[:-1] if of_key else key
    where = ".".join(str(k) for k in real_key(parent, document))
    if where and not message.startswith(where):
        message = f"{where}: {message}"
    if advice is None and kind != "value_error" and (text := described(model, key)):
        advice = f"{key[-1]}: {text.removesuffix('.')}"
    return Diagnostic("FC201", message, document.span(key, of_key=of_key), advice)


_EXPECTED = {
    "dict_type": "keys with values are expected here",
    "model_type": "keys with values are expected here",
    "model_attributes_type": "keys with values are expected here",
    "tuple_type": "a list is expected here",
    "list_type": "a list is expected here",
    "string_type": "text is expected here",
    "bool_type": "true or false is expected here",
    "bool_parsing": "true or false is expected here",
    "int_type": "a whole number is expected here",
    "int_parsing": "a whole number is expected here",
    "int_from_float": "a whole number is expected here",
    "float_type": "a number is expected here",
    "float_parsing": "a number is expected here",
    "finite_number": "a number is expected here",
}
_LIMITS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
}


def _message(error: Any, known: list[str]) -> tuple[str, str | None]:
    """Message and hint for a model's error."""
    kind, given, context = error["type"], error.get("input"), error.get("ctx") or {}
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        advice = "a name begins with a letter and has only letters, digits, _ and -"
        return f"{given!r} is not a name", advice
    if kind == "literal_error":
        words = str(context.get("expected", ""))
        names = re.findall(r"'([^']*)'", words)
        return f"{_short(given)} is not one of {words}", nearest(str(given), names)
    if kind in _LIMITS:
        name, requirement = _LIMITS[kind]
        return f"{given} {requirement} {float(context[name]):g}", None
    if kind == "too_short":
        return "at least one item is expected here", "remove the key, or give it a value"
    if kind.startswith("string_too_"):
        limits = [context[n] for n in ("min_length", "max_length") if n in context]
        return f"{_short(given)}: {limits[0]} character is expected", None
    if kind not in _EXPECTED:
        return message, None
    message = f"{_EXPECTED[kind]}, but this is {_short(given)}"
    if kind == "string_type" and isinstance(given, dict) and "files" in given:
        path = given["files"] if isinstance(given["files"], str) else "PATH"
        return message, f"a split is a path, or a list of paths: write {path}, without `files:`"
    if kind == "string_type" and isinstance(given, bool | int | float):
        quoted = str(given).lower() if isinstance(given, bool) else given
        return message, f'text that looks like a number or true needs quotes: "{quoted}"'
    if kind in ("tuple_type", "list_type"):
        items = "begin each item with a dash: `- name: …`" if known else "write [a, b]"
        return message, f"[{given}]" if isinstance(given, str | int | float) else items
    if _EXPECTED[kind].startswith("keys"):
        return message, f"its keys: {', '.join(sorted(known))}" if known else "write name: value"
    return message, None


def _empty_text(span: Span, document: Document) -> str | None:
    """Hint for a text that is empty because it begins with #."""
    line = document.index.lines[span.line - 1] if document.index.lines else ""
    is_comment = line[span.column - 1 :].lstrip().startswith("#")
    return "text after # is a comment; put the text in quotes" if is_comment else None


def _short(value: object) -> str:
    """A value as an author would write it."""
    if value is None:
        return "empty"
    if isinstance(value, dict | list | tuple):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...'"


def _named_in(message: str, document: Document) -> Key:
    """The first top-level key that a diagnostic about the whole file mentions."""
    keys = document.data if isinstance(document.data, dict) else {}
    return next(((w,) for w in re.findall(r"\w+", message) if w in keys), ())


def _without_consequences(errors: list[Any]) -> list[Any]:
    """Drop errors about short lists whose items are invalid."""
    places = [tuple(e["loc"]) for e in errors]

    def follows(error: Any) -> bool:
        loc = tuple(error["loc"])
        inside = (p for p in places if len(p) > len(loc) and p[: len(loc)] == loc)
        return error["type"] == "too_short" and any(inside)

    return [e for e in errors if not follows(e)]


def _without_misspelt(found: list[Diagnostic]) -> list[Diagnostic]:
    """Report a misspelt required key once, at its position."""
    meant = {d.hint for d in found if d.code == "FC105"}
    return [
        d
        for d in found
        if d.code != "FC106" or f"did you mean {d.message.split(chr(39))[1]!r}?" not in meant
    ]


def _without_branches(found: list[Diagnostic]) -> list[Diagnostic]:
    """Keep one diagnostic per place: a value of a union type fails once for each type."""
    seen: set[tuple[object, ...]] = set()
    distinct = []
    for item in found:
        place = (item.code == "FC201", item.span, item.message if item.code != "FC201" else None)
        if place not in seen:
            seen.add(place)
            distinct.append(item)
    return distinct

"""From parsed YAML to a model, with every complaint at its place and the nearest right key."""

from __future__ import annotations

import re
import types
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from flancompile.dsl.mend import edits_for, real_key, without
from flancompile.dsl.yaml import Document, Key
from flancompile.errors import Diagnostic, FlancompileError, nearest

__all__ = ["validate", "validated"]

MAX_ROUNDS = 12
M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`. Raises FC105 (unknown key), FC106 (missing), FC201 (value)."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise FlancompileError(_told(model, document, error.errors(include_url=False))) from None


def validated(model: type[M], document: Document) -> tuple[M | None, Document, list[Diagnostic]]:
    """The document as a `model` with every complaint, and the document that the model is of.

    What is wrong is left out of that document (a misspelt key gets its name), so that the rest can
    be checked as well; None where nothing would be left. Codes as for `validate`.
    """
    found: list[Diagnostic] = []
    hurt: set[Key] = set()  # what has lost a part: its next complaints follow from that
    for _ in range(MAX_ROUNDS):
        try:
            return model.model_validate(document.data), document, found
        except ValidationError as error:
            errors = error.errors(include_url=False)
        told = [e for e in errors if not _follows(e, document, hurt)]
        found += [d for d in _told(model, document, told) if d not in found]
        edits = edits_for(errors, document, lambda owner: _keys_at(model, owner))
        less = without(document, edits, hurt)
        if less is None:
            break
        document, hurt = less
    return None, document, found


def _follows(error: Any, document: Document, hurt: set[Key]) -> bool:
    place = real_key(tuple(error["loc"]), document)
    follows = ("missing", "too_short", "value_error", "string_pattern_mismatch")
    return error["type"] in follows and any(key[: len(place)] == place for key in hurt)


def _told(model: type[BaseModel], document: Document, errors: list[Any]) -> list[Diagnostic]:
    found = [_diagnostic(model, document, e) for e in _without_consequences(errors)]
    return _without_branches(_without_misspelt(found))


def _diagnostic(model: type[BaseModel], document: Document, error: Any) -> Diagnostic:
    key: Key = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        name = str(key[-1])
        known = _keys_at(model, key[:-1])
        hint = nearest(name, known) or f"known here: {', '.join(sorted(known))}"
        return Diagnostic("FC105", f"unknown key {name!r}", document.span(key, of_key=True), hint)
    if kind == "missing":
        owner = key[:-1]
        span = document.span(owner, of_key=True)
        return Diagnostic("FC106", f"the key {str(key[-1])!r} is missing", span)
    message, advice = _said(error, _keys_at(model, key))
    if key == () and kind == "value_error":
        key = _named_in(message, document)
    of_key = key[-1:] == ("[key]",)
    key = key[:-1] if of_key else key
    shown = key[:-1] if of_key else key
    where = ".".join(str(k) for k in shown if not str(k)[:1].isupper() and "[" not in str(k))
    if where and not message.startswith(where):
        message = f"{where}: {message}"
    return Diagnostic("FC201", message, document.span(key, of_key=of_key), advice)


_WANTED = {
    "dict_type": "keys with values are wanted here",
    "model_type": "keys with values are wanted here",
    "model_attributes_type": "keys with values are wanted here",
    "tuple_type": "a list is wanted here",
    "list_type": "a list is wanted here",
    "string_type": "text is wanted here",
    "bool_type": "true or false is wanted here",
    "bool_parsing": "true or false is wanted here",
    "int_type": "a whole number is wanted here",
    "int_parsing": "a whole number is wanted here",
    "int_from_float": "a whole number is wanted here",
    "float_type": "a number is wanted here",
    "float_parsing": "a number is wanted here",
    "finite_number": "a number is wanted here",
}
_LIMITS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
}


def _said(error: Any, known: list[str]) -> tuple[str, str | None]:
    """What is wrong with a value, and advice, in words of ours."""
    kind, given, about = error["type"], error.get("input"), error.get("ctx") or {}
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        advice = "a name begins with a letter and holds letters, digits, _ and - alone"
        return f"{given!r} is no name", advice
    if kind == "literal_error":
        words = str(about.get("expected", ""))
        names = re.findall(r"'([^']*)'", words)
        return f"{_short(given)} is none of {words}", nearest(str(given), names)
    if kind in _LIMITS:
        name, said = _LIMITS[kind]
        return f"{given} {said} {float(about[name]):g}", None
    if kind == "too_short":
        return "at least one is wanted here, and there is none", "take the key out or fill it"
    if kind.startswith("string_too_"):
        limits = [about[n] for n in ("min_length", "max_length") if n in about]
        return f"{_short(given)}: {limits[0]} character is wanted", None
    if kind not in _WANTED:
        return message, None
    message = f"{_WANTED[kind]}, and this is {_short(given)}"
    if kind == "string_type" and isinstance(given, bool | int | float):
        shown = str(given).lower() if isinstance(given, bool) else given
        return message, f'text that looks like a number or true needs quotes: "{shown}"'
    if kind in ("tuple_type", "list_type"):
        return message, f"[{given}]" if isinstance(given, str | int | float) else "write [a, b]"
    if _WANTED[kind].startswith("keys"):
        return message, f"its keys: {', '.join(sorted(known))}" if known else "write name: value"
    return message, None


def _short(value: object) -> str:
    """A value in an author's words."""
    if value is None:
        return "empty"
    if isinstance(value, dict | list | tuple):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...'"


def _named_in(message: str, document: Document) -> Key:
    """The key of the file's top level that a complaint about the whole speaks of first."""
    keys = document.data if isinstance(document.data, dict) else {}
    return next(((w,) for w in re.findall(r"\w+", message) if w in keys), ())


def _without_consequences(errors: list[Any]) -> list[Any]:
    """A list is too short only because its items are wrong: one complaint will do."""
    places = [tuple(e["loc"]) for e in errors]

    def follows(error: Any) -> bool:
        loc = tuple(error["loc"])
        inside = (p for p in places if len(p) > len(loc) and p[: len(loc)] == loc)
        return error["type"] == "too_short" and any(inside)

    return [e for e in errors if not follows(e)]


def _without_misspelt(found: list[Diagnostic]) -> list[Diagnostic]:
    """A key that is missing because it is misspelt is told of once, where it stands."""
    meant = {d.hint for d in found if d.code == "FC105"}
    return [
        d
        for d in found
        if d.code != "FC106" or f"did you mean {d.message.split(chr(39))[1]!r}?" not in meant
    ]


def _without_branches(found: list[Diagnostic]) -> list[Diagnostic]:
    """A value that may be of several types fails once for each; one complaint a place will do."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for item in found:
        place = (item.code == "FC201", item.span, item.message if item.code != "FC201" else None)
        if place not in seen:
            seen.add(place)
            kept.append(item)
    return kept


def _keys_at(model: type[BaseModel], key: Key) -> list[str]:
    kinds: list[Any] = [model]
    for part in key:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)] or kinds
    models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
    return [f.alias or name for m in models for name, f in m.model_fields.items()]


def _inside(kind: Any, part: str | int) -> list[Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return [inner for k in get_args(kind) for inner in _inside(k, part)]
    if origin is dict:
        return _members(get_args(kind)[1])
    if origin in (tuple, list):
        return _members(get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _members(field.annotation)
    return []


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) in (Union, types.UnionType):
        return [k for k in get_args(kind) if k is not type(None)]
    return [kind]

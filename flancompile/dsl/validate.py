"""From parsed YAML to a model, with every complaint at its place and the nearest right key."""

from __future__ import annotations

import re
import types
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from flancompile.dsl.yaml import Document, Key
from flancompile.errors import Diagnostic, FlancompileError, nearest

__all__ = ["validate"]

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`. Raises FC105 (unknown key), FC106 (missing), FC201 (value)."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        errors = _without_consequences(error.errors(include_url=False))
        found = [_diagnostic(model, document, e) for e in errors]
        raise FlancompileError(_without_branches(_without_misspelt(found))) from None


def _diagnostic(model: type[BaseModel], document: Document, error: Any) -> Diagnostic:
    key: Key = tuple(error["loc"])
    kind, message = error["type"], str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        name = str(key[-1])
        known = _keys_at(model, key[:-1])
        hint = nearest(name, known) or f"known here: {', '.join(sorted(known))}"
        return Diagnostic("FC105", f"unknown key {name!r}", document.span(key, of_key=True), hint)
    if kind == "missing":
        owner = key[:-1]
        span = document.span(owner, of_key=True)
        return Diagnostic("FC106", f"the key {str(key[-1])!r} is missing", span)
    if key == () and kind == "value_error":
        key = _named_in(message, document)
    where = ".".join(str(k) for k in key if not str(k)[:1].isupper() and "[" not in str(k))
    advice = None
    if kind == "string_type" and isinstance(error.get("input"), bool | int | float):
        advice = f'text that looks like a number needs quotes: "{error["input"]}"'
    elif kind == "literal_error":
        advice = nearest(str(error.get("input")), re.findall(r"'([^']*)'", message))
    elif kind == "string_pattern_mismatch":
        message = f"{error['input']!r} is no name"
        advice = "a name begins with a letter and holds letters, digits, _ and - alone"
    if where and not message.startswith(where):
        message = f"{where}: {message}"
    return Diagnostic("FC201", message, document.span(key), advice)


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

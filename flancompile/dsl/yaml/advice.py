"""Hints for values of the wrong type: the expected form, filled with the author's own value."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from flancompile.dsl.yaml.document import Key
from flancompile.dsl.yaml.model_members import kinds_at, models_in

__all__ = ["advice_on", "described"]

_UNITS = {
    unit: Decimal(n) for unit, n in (("", 1), ("%", "0.01"), ("k", 1e3), ("m", 1e6), ("b", 1e9))
}
_NUMBER = re.compile(r"([-+]?(?:\d{1,3}(?:[_,']\d{3})+|\d+)?(?:\.\d+)?)\s*([a-zA-Z%]*)", re.ASCII)
# The key that a bare value most often means, by the keys that a place has.
_USUAL = {str: ("select", "file", "files"), int: ("examples", "pack")}


def described(model: type[BaseModel], key: Key) -> str | None:
    """The description of a key, or None."""
    for kind in kinds_at(model, key[:-1]) if key else ():
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                if key[-1] in (name, field.alias):
                    return field.description
    return None


def advice_on(error: Any, model: type[BaseModel], key: Key) -> str | None:
    """Hint for a value of the wrong type, or None."""
    kind, given = error["type"], error.get("input")
    if kind.split("_")[0] in ("int", "float"):
        if key[-1:] == ("[key]",):
            return "these keys are numbers: {0: 1, 5: 1}"
        return _digits(given, whole=kind.startswith("int"))
    kinds = kinds_at(model, key)
    if kind in ("tuple_type", "list_type"):
        return _listed(given, kinds)
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return _keyed(given, kinds)
    return None


def _digits(given: object, *, whole: bool) -> str | None:
    """A number with a unit, written in digits."""
    match = _NUMBER.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None or not match[1].strip("+-") or match[2].lower() not in _UNITS:
        return None
    value = Decimal(re.sub("[_,']", "", match[1])) * _UNITS[match[2].lower()]
    if whole and value != value.to_integral_value():
        return None
    digits = f"{value:f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"write it as plain digits: {digits}"


def _listed(given: object, kinds: list[Any]) -> str | None:
    """The form of a list: of maps, where its items have keys."""
    if isinstance(given, dict) and any(str(k).startswith("-") for k in given):
        return "a dash that begins an item has a space after it: `- select: …`"
    item = next((m for m, is_map in models_in(kinds) if not is_map), None)
    if item is None:
        return None
    names = [f.alias or n for n, f in item.model_fields.items()]
    first = next((n for n in _USUAL[str] if n in names), None)
    first = first or next((n for n, f in item.model_fields.items() if f.is_required()), names[0])
    if isinstance(given, str):
        return f'[{{{first}: "{given}"}}]'
    return f"begin each item with a dash: `- {first}: …`"


def _keyed(given: object, kinds: list[Any]) -> str | None:
    """The form of a map, with the most likely key of a bare value."""
    for kind in kinds:
        kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if get_origin(kind) is dict and get_args(kind)[0] is int:
            value = given if isinstance(given, int) and not isinstance(given, bool) else 0
            return f"write a number and its weight: {{{value}: 1}}"
    names = [
        f.alias or n
        for k in kinds
        if isinstance(k, type) and issubclass(k, BaseModel)
        for n, f in k.model_fields.items()
    ]
    for type_, usual in _USUAL.items():
        name = next((n for n in usual if n in names), None)
        if name is not None and type(given) is type_:
            shown = f'"{given}"' if isinstance(given, str) else given
            return f"write {{{name}: {shown}}}; its keys: {', '.join(sorted(names))}"
    return None

"""Types of row values: text, number, list, map; `any` if unknown.

A type is inferred from values (`type_of`, `common_type`), stored in schemas.lock (`as_json`), and
propagated through expressions by `dsl.jinja.infer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "ANY",
    "Kind",
    "Type",
    "common_type",
    "describe",
    "from_json",
    "list_of",
    "never_equal",
    "type_of",
]

Kind = Literal["any", "null", "text", "integer", "number", "boolean", "list", "map"]
MANY_KEYS = 64  # a map with more keys is a table, whose keys are data


@dataclass(frozen=True)
class Type:
    """A type. item: item type of a list; keys: of a map; absent: keys that some rows lack."""

    kind: Kind
    item: Type | None = None
    keys: Mapping[str, Type] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    nullable: bool = False

    def __str__(self) -> str:
        if self.kind == "list":
            return f"list of {self.item}" if self.item else "list"
        if self.kind == "map":
            return f"map of {', '.join(self.keys)}"
        return self.kind

    @property
    def is_number(self) -> bool:
        """Whether the kind is integer or number."""
        return self.kind in ("integer", "number")

    def as_json(self) -> Any:
        """JSON value: the kind, or a map with the key `list` or `map`."""
        if self.kind == "list":
            found: Any = {"list": (self.item or ANY).as_json()}
        elif self.kind == "map":
            found = {"map": {k: t.as_json() for k, t in sorted(self.keys.items())}}
            if self.absent:
                found["absent"] = sorted(self.absent)
        else:
            return f"{self.kind}?" if self.nullable else self.kind
        if self.nullable:
            found["null"] = True
        return found


ANY = Type("any")
_LEAVES: dict[str, Type] = {
    f"{kind}{mark}": Type(kind, nullable=bool(mark))
    for kind in ("any", "null", "text", "integer", "number", "boolean")
    for mark in ("", "?")
}


def list_of(item: Type | None) -> Type:
    """List type with items of a type; None for `any`."""
    return Type("list", item or ANY)


def from_json(value: Any) -> Type:
    """Type from a value of `as_json`. Raises ValueError for any other value."""
    if isinstance(value, str) and value in _LEAVES:
        return _LEAVES[value]
    if isinstance(value, dict) and "list" in value:
        return Type("list", from_json(value["list"]), nullable=bool(value.get("null")))
    if isinstance(value, dict) and isinstance(value.get("map"), dict):
        keys = {str(k): from_json(v) for k, v in value["map"].items()}
        return Type("map", None, keys, frozenset(value.get("absent", ())), bool(value.get("null")))
    raise ValueError(f"no type: {value!r}")


def type_of(value: object) -> Type:
    """Type of one value."""
    if value is None:
        return Type("null")
    if isinstance(value, bool):
        return Type("boolean")
    if isinstance(value, str | int | float):
        kinds: dict[type, Kind] = {str: "text", int: "integer", float: "number"}
        return Type(kinds[type(value)])
    if isinstance(value, Mapping):
        if len(value) > MANY_KEYS:
            return ANY
        return Type("map", None, {str(k): type_of(v) for k, v in value.items()})
    if isinstance(value, Iterable):
        return Type("list", common_type(type_of(item) for item in list(value)[:64]))
    return ANY


def common_type(types: Iterable[Type]) -> Type | None:
    """Least common type; None for no types."""
    found: Type | None = None
    for other in types:
        found = other if found is None else _both(found, other)
    return found


def _both(a: Type, b: Type) -> Type:
    if "null" in (a.kind, b.kind):
        other = b if a.kind == "null" else a
        return other if other.kind in ("null", "any") else _nullable(other)
    nullable = a.nullable or b.nullable
    if a.is_number and b.is_number:
        kind: Kind = "integer" if a.kind == b.kind == "integer" else "number"
        return Type(kind, nullable=nullable)
    if a.kind != b.kind:
        return ANY
    if a.kind == "list":
        inner = common_type(t for t in (a.item, b.item) if t is not None)
        return Type("list", inner, nullable=nullable)
    if a.kind == "map":
        keys = {k: common_type(t.keys[k] for t in (a, b) if k in t.keys) or ANY for k in
                dict.fromkeys([*a.keys, *b.keys])}  # fmt: skip
        if len(keys) > MANY_KEYS:
            return ANY
        absent = a.absent | b.absent | (set(a.keys) ^ set(b.keys))
        return Type("map", None, keys, frozenset(absent), nullable)
    return Type(a.kind, nullable=nullable)


def _nullable(type_: Type) -> Type:
    return Type(type_.kind, type_.item, type_.keys, type_.absent, True)


def never_equal(a: Type, b: Type) -> bool:
    """Whether no value of one type equals a value of the other."""
    kinds = {"text": "text", "integer": "number", "number": "number", "boolean": "number",
             "list": "list", "map": "map"}  # fmt: skip
    known = a.kind in kinds and b.kind in kinds
    return known and kinds[a.kind] != kinds[b.kind]


def describe(type_: Type) -> str:
    """A type with its article, for messages."""
    if type_.kind == "integer":
        return "a whole number"
    return {"text": "text", "null": "null"}.get(type_.kind, f"a {type_.kind}")

"""Keys and types that a model allows at a place of a file."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["inside", "keys_at", "kinds_at", "models_in"]

Key = tuple[str | int, ...]


def keys_at(model: type[BaseModel], key: Key) -> list[str]:
    """Keys allowed at a place; none for a map with free names."""
    models = [k for k in kinds_at(model, key) if isinstance(k, type) and issubclass(k, BaseModel)]
    return [f.alias or name for m in models for name, f in m.model_fields.items()]


def kinds_at(model: type[BaseModel], key: Key) -> list[Any]:
    """Types allowed for a value at a place."""
    kinds: list[Any] = [model]
    for part in key:
        kinds = [inner for kind in kinds for inner in inside(kind, part)] or kinds
    return kinds


def inside(kind: Any, part: str | int) -> list[Any]:
    """Types of a component of a type."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return [inner for k in get_args(kind) for inner in inside(k, part)]
    if origin is dict:
        return _members(get_args(kind)[1])
    if origin in (tuple, list):
        return _members(get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _members(field.annotation)
    return []


def models_in(kinds: list[Any]) -> Iterator[tuple[type[BaseModel], bool]]:
    """Models among types, including items of lists and maps; true for items of maps."""
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind, False
        elif get_origin(kind) in (dict, tuple, list):
            is_map = get_origin(kind) is dict
            for inner in _members(get_args(kind)[1 if is_map else 0]):
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    yield inner, is_map


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) in (Union, types.UnionType):
        return [k for k in get_args(kind) if k is not type(None)]
    return [kind]

"""Narrow types by conditions: `item is mapping`, `x is defined and x.y`, `selectattr("q")`.

A condition overrides the sample of rows: if all sampled values are texts and a branch runs for maps
only, the type there is unknown, and no diagnostic is given. Conditions that cannot be analysed make
the type of the expressions in them unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jinja2 import nodes

from flancompile.dsl.jinja.paths import Path, path_of, paths_of
from flancompile.dsl.jinja.types import ANY, Kind, Type

__all__ = [
    "KIND_TESTS",
    "Place",
    "guarded_paths",
    "narrowed_types",
    "place_of",
    "selected",
    "with_key",
]

Place = Path | str  # a path, or `repr` of any other expression's tree
Facts = dict[Place, Type]

_NUMBERS: tuple[Kind, ...] = ("integer", "number", "boolean")
_KINDS: dict[str, tuple[Kind, ...]] = {
    "mapping": ("map",),
    "string": ("text",),
    "number": _NUMBERS,
    "integer": ("integer", "number"),
    "float": ("number", "integer"),
    "boolean": ("boolean",),
    "true": ("boolean",),
    "false": ("boolean",),
    "sequence": ("text", "list", "map"),
    "iterable": ("text", "list", "map"),
    "callable": (),
    "none": ("null",),
    "undefined": (),
}
KIND_TESTS = frozenset(_KINDS) | {"defined"}


def place_of(node: nodes.Node) -> Place:
    """Key of an expression; equal for `a.b` and `a["b"]`."""
    return path_of(node) or repr(node)


def guarded_paths(condition: nodes.Node) -> Iterator[Path]:
    """Paths that a condition reads, and paths of keys that it tests with `in`."""
    yield from paths_of(condition)
    for compare in [condition, *condition.find_all(nodes.Compare)]:
        if not isinstance(compare, nodes.Compare) or not isinstance(compare.expr, nodes.Const):
            continue
        for operand in compare.ops:
            over = operand.expr
            if isinstance(over, nodes.Call) and isinstance(over.node, nodes.Getattr):
                over = over.node.node  # item.keys()
            if operand.op in ("in", "notin") and (path := path_of(over)) is not None:
                yield (*path, str(compare.expr.value))


def narrowed_types(
    condition: nodes.Node,
    holds: bool,
    type_at: Callable[[nodes.Node], Type],
    named: Mapping[str, nodes.Node],
) -> Facts:
    """Types of expressions where a condition holds, or where it fails.

    type_at: current type of an expression; named: conditions assigned to a name by `set`.
    """
    if isinstance(condition, nodes.Not):
        return narrowed_types(condition.node, not holds, type_at, named)
    if isinstance(condition, nodes.And | nodes.Or):
        sides = [
            narrowed_types(s, holds, type_at, named) for s in (condition.left, condition.right)
        ]
        if isinstance(condition, nodes.And) == holds:
            unknown = [p for p in sides[0] if p in sides[1] and ANY in (sides[0][p], sides[1][p])]
            return sides[0] | sides[1] | dict.fromkeys(unknown, ANY)
        return dict.fromkeys([*sides[0], *sides[1]], ANY)
    if isinstance(condition, nodes.Name) and condition.name in named:
        return narrowed_types(named[condition.name], holds, type_at, {})
    if isinstance(condition, nodes.Test):
        return _by_test(condition, holds, type_at)
    tests = list(condition.find_all(nodes.Test))
    return {place: ANY for test in tests for place in _places(test.node)}


def _by_test(test: nodes.Test, holds: bool, type_at: Callable[[nodes.Node], Type]) -> Facts:
    if test.name not in KIND_TESTS:
        return {}
    before = type_at(test.node)
    found = _after(test.name, holds, before)
    others: Facts = {}
    if path_of(test.node) is None:
        others |= dict.fromkeys(paths_of(test.node), ANY)
    return others if found == before else {**others, place_of(test.node): found}


def _places(node: nodes.Node) -> Iterator[Place]:
    yield place_of(node)
    yield from paths_of(node)


def _after(test: str, holds: bool, type_: Type) -> Type:
    """Type after a test has held or failed; unknown if the sample has no such value."""
    if test == "defined":
        return type_ if holds else ANY
    kinds = _KINDS[test]
    if holds:
        if type_.kind in kinds:
            return replace(type_, nullable=False)
        only = kinds[0] if len(kinds) == 1 and kinds[0] not in ("map", "null") else "any"
        return Type(only) if type_.kind == "any" else ANY
    return ANY if type_.kind in kinds else type_


def selected(filter_: nodes.Filter, item: Type) -> Type:
    """Item type after `select`, `reject`, `selectattr` or `rejectattr`."""
    given = [a.value if isinstance(a, nodes.Const) else None for a in filter_.args]
    holds = filter_.name.startswith("select")
    if filter_.name in ("select", "reject"):
        test = given[0] if given else None
        return _after(test, holds, item) if test in KIND_TESTS else item
    if filter_.name not in ("selectattr", "rejectattr") or item.kind != "map":
        return item if item.kind in ("map", "any") else ANY
    if not given or not isinstance(given[0], str):
        return item
    return _with_attribute(item, given[0].split("."), given[1] if given[1:] else None, holds)


def _with_attribute(item: Type, path: list[str], test: Any, holds: bool) -> Type:
    """Map type after a test of the key at `path`, which every remaining item has."""
    key = path[0]
    inner = item.keys.get(key, ANY)
    if path[1:]:
        inner = _with_attribute(inner, path[1:], test, holds) if inner.kind == "map" else ANY
    elif test in KIND_TESTS:
        inner = _after(test, holds, inner)
    return with_key(item, key, inner)


def with_key(map_: Type, key: str, inner: Type) -> Type:
    """Map type in which a key is always present."""
    return replace(map_, keys={**map_.keys, key: inner}, absent=map_.absent - {key})

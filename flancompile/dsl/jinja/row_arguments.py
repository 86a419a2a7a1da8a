"""Arguments of filters and methods that a row gives, and which of them may be null or negative.

A null argument would act as one that is left out (`t | replace(a, b, n)` replaces all), and a
negative `attribute` counts from the end. Written out, both are the author's; from a row, they drop
the row. Arguments that are values to be given or looked for, such as `default`'s, may be null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from jinja2 import nodes

__all__ = ["guarded", "has_fixed_sign"]

_EVERY = 1 << 30
# Arguments that are values, from one place to another; of `map`, the filter's own follow its name.
_VALUES = {
    "default": (0, 1), "float": (0, 1), "format": (0, _EVERY), "index": (0, 1), "int": (0, 1),
    "reject": (1, _EVERY), "rejectattr": (2, _EVERY), "select": (1, _EVERY),
    "selectattr": (2, _EVERY), "zip": (0, _EVERY),
}  # fmt: skip
_VALUE_NAMES = {
    ("default", "default_value"), ("float", "default"), ("index", "value"), ("int", "default"),
}  # fmt: skip
_ATTRIBUTE = {
    "groupby": 0, "join": 1, "max": 1, "min": 1, "rejectattr": 0, "selectattr": 0, "sort": 2,
    "sum": 0, "unique": 1,
}  # fmt: skip
_METHODS = frozenset(dir(str)) - frozenset(dir(list)) - frozenset(dir(dict)) - {"format"}
Called = TypeVar("Called", nodes.Call, nodes.Filter, nodes.Test)


def has_fixed_sign(index: nodes.Node) -> bool:
    """Whether an index or argument is written in the text, or its sign is: no row can turn it."""
    if isinstance(index, nodes.Neg):
        return True
    if isinstance(index, nodes.CondExpr):
        others = [index.expr1, *([index.expr2] if index.expr2 else [])]
        return all(map(has_fixed_sign, others))
    reads = (nodes.Name, nodes.Call)
    return not isinstance(index, reads) and next(index.find_all(reads), None) is None


def guarded(node: Called) -> Called:
    """The call with each argument that a row gives passed through the environment's `row_argument`,
    or `index_argument` for an index. The node itself where it has none."""
    kinds = _kinds(node)
    if not any(kinds):
        return node
    n = len(node.args)
    args = [_through(kind, arg) for kind, arg in zip(kinds[:n], node.args, strict=True)]
    kwargs = [
        nodes.Keyword(k.key, _through(kind, k.value), lineno=k.lineno)
        for kind, k in zip(kinds[n:], node.kwargs, strict=True)
    ]
    fields = {name: getattr(node, name) for name in node.fields} | {"args": args, "kwargs": kwargs}
    return type(node)(*fields.values(), lineno=node.lineno, environment=node.environment)


def _through(kind: str, arg: nodes.Expr) -> nodes.Expr:
    if not kind:
        return arg
    return nodes.Call(nodes.EnvironmentAttribute(kind), [arg], [], None, None, lineno=arg.lineno)


def _kinds(node: Called) -> list[str]:
    """The guard of each argument, then of each keyword; empty for none."""
    if isinstance(node, nodes.Test):
        return []
    if isinstance(node, nodes.Filter):
        found = _of_filter(node.name, node.args, [str(k.key) for k in node.kwargs])
    elif isinstance(node.node, nodes.Getattr) and node.node.attr in _METHODS:
        found = ["row_argument"] * (len(node.args) + len(node.kwargs))
    else:
        return []
    values = [*node.args, *(k.value for k in node.kwargs)]
    return ["" if has_fixed_sign(v) else k for k, v in zip(found, values, strict=True)]


def _of_filter(name: str, args: Sequence[nodes.Expr], keys: Sequence[str]) -> list[str]:
    named = [_of_keyword(name, key) for key in keys]
    if name == "map" and args and isinstance(args[0], nodes.Const):
        return ["", *_of_filter(str(args[0].value), args[1:], ()), *named]
    first, last = _VALUES.get(name, (0, 0))
    attribute = _ATTRIBUTE.get(name)
    placed = ["index_argument" if n == attribute else "row_argument" for n in range(len(args))]
    return ["" if first <= n < last else guard for n, guard in enumerate(placed)] + named


def _of_keyword(name: str, key: str) -> str:
    if name == "format" or (name, key) in _VALUE_NAMES:
        return ""
    return "index_argument" if key == "attribute" else "row_argument"

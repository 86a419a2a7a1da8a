"""Paths that an expression reads: a name with its constant keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import parsed_expression
from flancompile.errors import TextError

__all__ = ["Path", "label_names", "path_of", "paths_of", "paths_read"]

Path = tuple[str, ...]


@lru_cache(maxsize=4096)
def paths_read(text: str) -> frozenset[Path]:
    """Paths that an expression reads; empty if it does not compile."""
    try:
        return frozenset(paths_of(parsed_expression(text)))
    except TextError:
        return frozenset()


def paths_of(node: nodes.Node) -> Iterator[Path]:
    """Paths in a subtree of an expression."""
    path = path_of(node)
    if path is not None:
        yield path
        return
    called = node.node if isinstance(node, nodes.Call) else None
    for child in node.iter_child_nodes():
        is_function = isinstance(child, nodes.Name) and child.name in environment().globals
        if child is called and is_function:
            continue  # no field of the same name
        yield from paths_of(child)


def path_of(node: Any) -> Path | None:
    """Path of a node that is a name or a constant key of a path; else None."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        key: str | None = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = str(node.arg.value)
    else:
        return None
    base = path_of(node.node)
    return None if base is None or key is None else (*base, key)


def label_names(text: str) -> list[str]:
    """Label names in a lookup in a literal list or table; empty for other expressions."""
    try:
        output = parsed_expression(text).body[0]
    except TextError:
        return []
    node = output.nodes[0] if isinstance(output, nodes.Output) else output
    found: list[nodes.Expr] = []
    if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.List):
        found = node.node.items
    elif isinstance(node, nodes.Filter) and node.name == "lookup" and node.args:
        table = node.args[0]
        found = [p.value for p in table.items] if isinstance(table, nodes.Dict) else []
    names = [n.value for n in found if isinstance(n, nodes.Const) and isinstance(n.value, str)]
    return names if len(names) == len(found) else []

"""What an expression reads: each name with the keys that are taken of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from flancompile.dsl.environment import environment
from flancompile.dsl.expression import parsed_expression
from flancompile.errors import TextError

__all__ = ["Path", "path_of", "paths_of", "paths_read"]

Path = tuple[str, ...]


@lru_cache(maxsize=4096)
def paths_read(text: str) -> frozenset[Path]:
    """The paths that an expression reads; none of one that does not compile."""
    try:
        return frozenset(paths_of(parsed_expression(text)))
    except TextError:
        return frozenset()


def paths_of(node: nodes.Node) -> Iterator[Path]:
    """The paths in a part of an expression."""
    path = path_of(node)
    if path is not None:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from paths_of(child)


def path_of(node: Any) -> Path | None:
    """The path that a node is: a name, or a constant key of a path."""
    if isinstance(node, nodes.Name):
        return None if node.name in environment().globals else (node.name,)
    if isinstance(node, nodes.Getattr):
        key: str | None = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = str(node.arg.value)
    else:
        return None
    base = path_of(node.node)
    return None if base is None or key is None else (*base, key)

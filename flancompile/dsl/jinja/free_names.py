"""Free names of a template: names that it reads and does not set.

Jinja's own `find_undeclared_variables` counts a name as free if any branch may leave it unset, and
takes `{% if %}…{% else %}…{% endif %}` for three branches, so a name that both set counts too. This
module follows the branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

__all__ = ["FreeNames", "free_names"]


@dataclass
class FreeNames:
    """Free names. sometimes: those that are set on some branches, but not on all."""

    names: set[str] = field(default_factory=set)
    sometimes: set[str] = field(default_factory=set)


def free_names(tree: nodes.Template) -> FreeNames:
    """Find the names that are free for some row, following Jinja's order of execution."""
    found = FreeNames()
    _walk(tree.body, set(), set(), found)
    return found


def _walk(body: Iterable[nodes.Node], bound: set[str], maybe: set[str], found: FreeNames) -> None:
    """Visit nodes in order and extend `bound` (set on every path) and `maybe` (on some path)."""
    for node in body:
        _visit(node, bound, maybe, found)


def _visit(node: nodes.Node, bound: set[str], maybe: set[str], found: FreeNames) -> None:
    if isinstance(node, nodes.Name | nodes.NSRef):
        if isinstance(node, nodes.NSRef) or node.ctx == "load":
            _read(node.name, bound, maybe, found)
    elif isinstance(node, nodes.If):
        _branches(node, bound, maybe, found)
    elif isinstance(node, nodes.For):
        _visit(node.iter, bound, maybe, found)
        inner = bound | _targets(node.target) | {"loop"}
        rest = [*([] if node.test is None else [node.test]), *node.body]
        _walk(rest, inner, set(maybe), found)
        _walk(node.else_, set(bound), set(maybe), found)
    elif isinstance(node, nodes.Assign):
        _visit(node.node, bound, maybe, found)
        _visit(node.target, bound, maybe, found)
        bound |= _targets(node.target)
    elif isinstance(node, nodes.AssignBlock):
        _walk([*node.body, *_optional(node.filter)], set(bound), set(maybe), found)
        bound |= _targets(node.target)
    elif isinstance(node, nodes.With):
        _walk(node.values, bound, maybe, found)
        inner = bound.union(*(_targets(target) for target in node.targets))
        _walk(node.body, inner, set(maybe), found)
    elif isinstance(node, nodes.FilterBlock | nodes.Scope | nodes.ScopedEvalContextModifier):
        _walk(node.iter_child_nodes(), set(bound), set(maybe), found)
    elif isinstance(node, nodes.Macro | nodes.CallBlock):
        if isinstance(node, nodes.Macro):
            bound.add(node.name)
        inner = bound | {a.name for a in node.args} | {"caller", "varargs", "kwargs"}
        _walk(node.iter_child_nodes(), inner, set(maybe), found)
    else:
        _walk(node.iter_child_nodes(), bound, maybe, found)


def _read(name: str, bound: set[str], maybe: set[str], found: FreeNames) -> None:
    if name not in bound:
        found.names.add(name)
        if name in maybe:
            found.sometimes.add(name)


def _branches(node: nodes.If, bound: set[str], maybe: set[str], found: FreeNames) -> None:
    """Bind names that every branch sets; names that only some set are added to `maybe`."""
    _visit(node.test, bound, maybe, found)
    paths: list[set[str]] = []
    bodies: list[nodes.If | list[nodes.Node]] = [node.body, *node.elif_, node.else_]
    for body in bodies:
        own, maybe_here = set(bound), set(maybe)
        if isinstance(body, nodes.If):  # `elif`
            _visit(body.test, own, maybe_here, found)
        _walk(body.body if isinstance(body, nodes.If) else body, own, maybe_here, found)
        paths.append(own)
        maybe |= maybe_here | own
    bound |= set.intersection(*paths)


def _targets(node: nodes.Node) -> set[str]:
    names = {n.name for n in node.find_all(nodes.Name)}
    return names | ({node.name} if isinstance(node, nodes.Name) else set())


def _optional(node: nodes.Node | None) -> Iterator[nodes.Node]:
    if node is not None:
        yield node

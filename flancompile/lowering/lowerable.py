"""Check whether the column engine can evaluate a text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from jinja2 import nodes
from jinja2.runtime import Context

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import parsed_expression, parsed_template

__all__ = [
    "STATEFUL",
    "context",
    "expression_tree",
    "keeps_state",
    "of_loop",
    "template_tree",
    "why_not",
]

_Scope = tuple[int, ...]
_SCOPES = (nodes.For, nodes.FilterBlock, nodes.AssignBlock, nodes.With)
_LOOP = ("index", "index0", "first", "last", "length", "revindex", "revindex0")
STATEFUL = frozenset({"namespace", "joiner", "cycler"})
_KNOWN = frozenset(
    {"Template", "Output", "TemplateData", "Const", "Name", "Tuple", "List", "Dict", "Pair",
     "Keyword", "Filter", "Test", "Compare", "Operand", "And", "Or", "CondExpr", "Getattr",
     "Getitem", "Slice", "Call", "Concat", "If", "For", "Assign", "AssignBlock", "With",
     "FilterBlock", "NSRef",
     "Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Not", "Neg", "Pos"}
)  # fmt: skip


@lru_cache(maxsize=65_536)
def why_not(text: str, *, expression: bool = False) -> str | None:
    """Reason why a text needs the row engine; None if it is lowered."""
    tree = parsed_expression(text) if expression else parsed_template(text)
    for node in _all(tree):
        kind = type(node).__name__
        if kind not in _KNOWN:
            return f"{kind.lower()} is not lowered"
        if isinstance(node, nodes.For) and node.recursive:
            return "a recursive loop"
    loops = sum(n.name == "loop" for n in tree.find_all(nodes.Name))
    known = sum(of_loop(n) in (*_LOOP, "cycle") for n in tree.find_all(nodes.Getattr))
    if loops != known:
        return "a loop's own methods"
    return "a block reads a name before it is set" if _reads_ahead(tree) else None


@lru_cache(maxsize=4096)
def template_tree(text: str) -> nodes.Template:
    """Syntax tree of a template, cached."""
    return parsed_template(text)


@lru_cache(maxsize=4096)
def expression_tree(text: str) -> nodes.Template:
    """Syntax tree of an expression, cached."""
    return parsed_expression(text)


@lru_cache(maxsize=1)
def context() -> Context:
    """Empty Jinja context, for functions that require one."""
    return environment().from_string("").new_context({})


def of_loop(node: nodes.Node) -> str | None:
    """Attribute of `loop` that a node reads; None for any other node."""
    if not isinstance(node, nodes.Getattr) or not isinstance(node.node, nodes.Name):
        return None
    return node.attr if node.node.name == "loop" else None


def keeps_state(node: nodes.Node) -> bool:
    """Whether a loop's body may change state that the next iteration reads."""
    names = {n.name for n in node.find_all(nodes.Name)}
    sets = next(node.find_all(nodes.NSRef), None) is not None
    calls = any(isinstance(c.node, nodes.Name | nodes.Getattr) and of_loop(c.node) is None
                for c in node.find_all(nodes.Call))  # fmt: skip
    return sets or calls or bool(names & STATEFUL)


def _reads_ahead(tree: nodes.Template) -> bool:
    """Whether an inner block reads a name that is assigned after it: Jinja leaves it undefined."""
    loads: dict[str, list[_Scope]] = {}

    def visit(node: nodes.Node, scope: _Scope) -> bool:
        if isinstance(node, nodes.Name) and node.ctx == "load":
            loads.setdefault(node.name, []).append(scope)
        inner = (*scope, id(node)) if isinstance(node, _SCOPES) else scope
        is_set = isinstance(node, nodes.Assign | nodes.AssignBlock)
        if any(visit(child, inner) for child in node.iter_child_nodes()):
            return True
        names = [n.name for n in node.target.find_all(nodes.Name)] if is_set else []  # type: ignore[attr-defined]
        names += [node.target.name] if is_set and isinstance(node.target, nodes.Name) else []  # type: ignore[attr-defined]
        deeper = (s for n in names for s in loads.get(n, ()) if len(s) > len(scope))
        return any(s[: len(scope)] == scope for s in deeper)

    return visit(tree, ())


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)

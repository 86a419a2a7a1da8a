"""Infer the type of an expression from the types of its names, and check it.

Diagnostics are given for known types only: an unknown type never causes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from flancompile.dsl.jinja.filter_types import (
    BOOLEAN,
    INTEGER,
    METHODS,
    NUMBER,
    RETURN_TYPES,
    RETURNS_INTEGER,
    RETURNS_SAME_LIST,
    RETURNS_TEXT,
    SELECTING,
    TAKES_LIST,
    TAKES_PRINTABLE,
    TAKES_TEXT,
    TEXT,
    TEXTLESS_HINTS,
)
from flancompile.dsl.jinja.narrow import (
    KIND_TESTS,
    Place,
    guarded_paths,
    narrowed_types,
    place_of,
    selected,
)
from flancompile.dsl.jinja.paths import Path, path_of
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.jinja.types import (
    ANY,
    Type,
    common_type,
    describe,
    list_of,
    never_equal,
    type_of,
)
from flancompile.errors import nearest

__all__ = ["GUARD", "ExpressionTypes"]

GUARD = "guard it with `| default(…)` or `is defined`; rows that lack it are dropped"


@dataclass
class ExpressionTypes:
    """Types and diagnostics of one text.

    guarded: paths that an enclosing condition tests; narrow: types under the enclosing conditions;
    depth: number of enclosing conditions; named: conditions assigned to a name; lenient: above 0
    inside `default` and type tests; unguarded: names that are read without a guard.
    """

    types: dict[str, Type]
    diagnostics: list[TextDiagnostic]
    guarded: frozenset[Path] = frozenset()
    narrow: dict[Place, Type] = field(default_factory=dict)
    depth: int = 0
    named: dict[str, nodes.Node] = field(default_factory=dict)
    lenient: int = 0
    unguarded: set[str] = field(default_factory=set)

    def report(self, code: str, node: nodes.Node, message: str, word: str | None,
              hint: str | None = None, warning: bool = False) -> None:  # fmt: skip
        severity = "warning" if warning else "error"
        self.diagnostics.append(TextDiagnostic(code, message, hint, node.lineno, word, severity))  # type: ignore[arg-type]

    def of(self, node: nodes.Node | None) -> Type:
        """Type of an expression, whose parts are checked too."""
        if node is None:
            return ANY
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        found = ANY
        if handler is not None:
            found = handler(node)
        else:
            for child in node.iter_child_nodes():
                self.of(child)
        return self.narrow.get(place_of(node), found) if self.narrow else found

    def quietly(self, node: nodes.Node) -> Type:
        """Type of an expression without adding diagnostics."""
        count, unguarded = len(self.diagnostics), set(self.unguarded)
        found = self.of(node)
        del self.diagnostics[count:]
        self.unguarded = unguarded
        return found

    @contextmanager
    def under(self, condition: nodes.Node, holds: bool = True) -> Iterator[None]:
        """Infer the types inside where a condition holds, or where it fails."""
        before = self.guarded, self.narrow
        self.assume(condition, holds)
        self.depth += 1
        yield
        self.depth -= 1
        self.guarded, self.narrow = before

    def assume(self, condition: nodes.Node, holds: bool = True) -> None:
        """Narrow types by a condition from here on."""
        found = narrowed_types(condition, holds, self.quietly, self.named)
        names = [n.name for n in (condition, *condition.find_all(nodes.Name))
                 if isinstance(n, nodes.Name)]  # fmt: skip
        for part in (condition, *(self.named[n] for n in names if n in self.named)):
            self.guarded |= frozenset(guarded_paths(part))
        self.narrow = {**self.narrow, **found}

    def rebind(self, names: Sequence[str]) -> None:
        """Drop narrowed types and guards of names that are assigned again."""
        self.guarded = frozenset(p for p in self.guarded if p[0] not in names)
        self.narrow = {p: t for p, t in self.narrow.items() if isinstance(p, tuple)
                       and p[0] not in names}  # fmt: skip
        self.named = {n: c for n, c in self.named.items() if n not in names}

    def _name(self, node: nodes.Name) -> Type:
        if not self.lenient and (node.name,) not in self.guarded:
            self.unguarded.add(node.name)
        return self.types.get(node.name, ANY)

    def _const(self, node: nodes.Const) -> Type:
        return type_of(node.value)

    def _list(self, node: nodes.List) -> Type:
        return list_of(common_type([self.of(item) for item in node.items]))

    def _concat(self, node: nodes.Concat) -> Type:
        for part in node.nodes:
            self.printed(part)
        return TEXT

    def _condexpr(self, node: nodes.CondExpr) -> Type:
        self.of(node.test)
        with self.under(node.test):
            sides = [self.of(node.expr1)]
        with self.under(node.test, False):
            sides.append(self.of(node.expr2) if node.expr2 else ANY)
        return common_type(sides) or ANY

    def _logic(self, node: Any) -> Type:
        self.of(node.left)
        with self.under(node.left, isinstance(node, nodes.And)):
            self.of(node.right)
        return ANY

    _and = _or = _logic

    def _not(self, node: nodes.Not) -> Type:
        self.of(node.node)
        return BOOLEAN

    def _test(self, node: nodes.Test) -> Type:
        self.lenient += node.name in KIND_TESTS
        self.of(node.node)
        self.lenient -= node.name in KIND_TESTS
        for argument in node.args:
            self.of(argument)
        return BOOLEAN

    def _compare(self, node: nodes.Compare) -> Type:
        left = self.of(node.expr)
        for operand in node.ops:
            right = self.of(operand.expr)
            if operand.op in ("eq", "ne") and never_equal(left, right):
                message = f"{describe(left)} is never equal to {describe(right)}"
                word = _word(node.expr)
                self.report("FC224", node, message, word, "compare equal types", warning=True)
            elif operand.op in ("lt", "gt", "lteq", "gteq") and never_equal(left, right):
                message = f"{describe(left)} cannot be compared with {describe(right)}"
                self.report("FC223", node, message, _word(node.expr))
            left = right
        return BOOLEAN

    def _add(self, node: nodes.Add) -> Type:
        left, right = self.of(node.left), self.of(node.right)
        kinds = {left.kind, right.kind}
        if "text" in kinds and kinds & {"integer", "number", "list", "map", "boolean"}:
            message = f"{describe(left)} and {describe(right)} cannot be added"
            self.report("FC223", node, message, _word(node.left), "join them as text with `~`")
        if left.is_number and right.is_number:
            return common_type([left, right]) or ANY
        same = left.kind == right.kind and left.kind in ("text", "list")
        return (common_type([left, right]) or ANY) if same else ANY

    def _arithmetic(self, node: Any) -> Type:
        left, right = self.of(node.left), self.of(node.right)
        free = _operands(node, left, right)
        for side, type_ in ((node.left, left), (node.right, right)):
            if type_.kind in ("text", "list", "map") and type_.kind not in free:
                hint = "convert it with `| int` or `| float`"
                message = f"{describe(type_)} where a number is expected"
                self.report("FC223", node, message, _word(side), hint)
        return NUMBER if left.is_number and right.is_number else ANY

    _sub = _div = _floordiv = _mul = _mod = _pow = _arithmetic

    def _getattr(self, node: nodes.Getattr) -> Type:
        return self._key(node, self.of(node.node), node.attr, method=True)

    def _getitem(self, node: nodes.Getitem) -> Type:
        base = self.of(node.node)
        if isinstance(node.arg, nodes.Slice):
            for part in (node.arg.start, node.arg.stop, node.arg.step):
                self.of(part)
            return base
        key = self.of(node.arg)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._key(node, base, node.arg.value, method=False)
        if base.kind in ("list", "text") and key.kind in ("text", "list", "map"):
            message = f"{describe(base)} is indexed by a number, but this is {describe(key)}"
            hint = "for a label: label | lookup({...}), or ['a', 'b'] | index(label) for its place"
            self.report("FC223", node, message, _word(node.arg), hint)
        if base.kind == "list":
            return base.item or ANY
        return TEXT if base.kind == "text" else ANY

    def _key(self, node: nodes.Node, base: Type, key: str, *, method: bool) -> Type:
        if base.kind == "any" or (method and key in METHODS.get(base.kind, ())):
            return base.keys.get(key, ANY)
        lenient = self.lenient or path_of(node) in self.guarded
        if base.kind == "map":
            if key in base.absent and not lenient:
                message = f"some rows that were read have no key {key!r} here"
                self.report("FC222", node, message, key, GUARD, warning=True)
            if key not in base.keys and not lenient:
                near = nearest(key, base.keys)
                hint = near or f"its keys: {', '.join(base.keys)}"
                message = f"no row that was read has a key {key!r} here"
                self.report("FC222", node, message, key, hint, warning=near is None)
            return base.keys.get(key, ANY)
        if not lenient:
            advice = "choose an item, or use `map(attribute=…)`" if base.kind == "list" else None
            conditional = self.depth > 0  # the sample may lack the rows of this branch
            self.report(
                "FC222", node, f"{describe(base)} has no key {key!r}", key, advice, conditional
            )
        return ANY

    def _call(self, node: nodes.Call) -> Type:
        self.of(node.node)
        for argument in (*node.args, *(k.value for k in node.kwargs)):
            self.of(argument)
        if isinstance(node.node, nodes.Name) and node.node.name == "pick" and node.args:
            return self.of(node.args[0]).item or ANY
        return ANY

    def _filter(self, node: nodes.Filter) -> Type:
        self.lenient += node.name == "default"
        base = self.of(node.node)
        self.lenient -= node.name == "default"
        for argument in (*node.args, *(k.value for k in node.kwargs)):
            self.of(argument)
        if node.name in TAKES_PRINTABLE:
            self.textless(node.node, base, f"reaches {node.name}")
        elif node.name == "join" and base.kind == "list":
            self.textless(node.node, base.item or ANY, "is joined")
        elif node.name in TAKES_TEXT and base.kind not in ("text", "any"):
            message = f"{describe(base)} where {node.name} wants text"
            self.report(
                "FC223", node, message, _word(node.node), "convert it with `| string` first"
            )
        elif node.name in TAKES_LIST and (base.is_number or base.kind == "boolean"):
            message = f"{describe(base)} where {node.name} wants a list"
            self.report("FC223", node, message, _word(node.node))
        return self._filtered(node, base)

    def _filtered(self, node: nodes.Filter, base: Type) -> Type:
        name = node.name
        if name in RETURN_TYPES:
            return RETURN_TYPES[name]
        if name in RETURNS_TEXT:
            return TEXT
        if name in RETURNS_INTEGER:
            return self._or_given(INTEGER, node, 0, "default") if name == "int" else INTEGER
        if name in ("float", "sum"):
            place, parameter = (0, "default") if name == "float" else (1, "start")
            return self._or_given(NUMBER, node, place, parameter)
        if name == "round":
            return NUMBER
        if name in ("split", "words", "regex_findall"):
            return list_of(TEXT if name != "regex_findall" else ANY)
        if name in RETURNS_SAME_LIST and base.kind == "list":
            return base
        if name in SELECTING and base.kind == "list":
            return list_of(selected(node, base.item or ANY))
        if name in ("first", "last", "min", "max") and base.kind == "list":
            return base.item or ANY
        if name == "map" and base.kind == "list":
            return list_of(self._mapped(node, base.item or ANY))
        return base if name == "abs" and base.is_number else ANY

    def _or_given(self, type_: Type, node: nodes.Filter, place: int, parameter: str) -> Type:
        """Result of a filter that gives a number, or a value made of one of its arguments."""
        named = {str(k.key): k.value for k in node.kwargs}
        given = node.args[place] if len(node.args) > place else named.get(parameter)
        return type_ if given is None else common_type([type_, self.quietly(given)]) or ANY

    def _mapped(self, node: nodes.Filter, item: Type) -> Type:
        named = {str(k.key): k.value for k in node.kwargs}
        if isinstance(named.get("attribute"), nodes.Const):
            return self._at(node, item, named)
        first = node.args[0] if node.args else None
        return TEXT if isinstance(first, nodes.Const) and first.value in RETURNS_TEXT else ANY

    def _at(self, node: nodes.Filter, item: Type, named: Mapping[str, nodes.Expr]) -> Type:
        """Type of an item's attribute: keys and indexes, separated by dots."""
        attribute = named["attribute"]
        assert isinstance(attribute, nodes.Const)
        self.lenient += "default" in named
        for key in str(attribute.value).split("."):
            if key.isdigit() and item.kind != "map":
                item = (item.item or ANY) if item.kind == "list" else ANY
            else:
                item = self._key(node, item, key, method=False)
        self.lenient -= "default" in named
        return ANY if "default" in named else item

    def printed(self, node: nodes.Expr) -> None:
        """Check an expression whose value is printed."""
        self.textless(node, self.of(node), "is printed")

    def textless(self, node: nodes.Node | None, type_: Type, where: str) -> None:
        """FC221 for a list or map that becomes text; a warning under a condition."""
        if (hint := TEXTLESS_HINTS.get(type_.kind)) is not None:
            message = f"{describe(type_)} {where}, which has no text: the row is dropped"
            self.report(
                "FC221",
                node or nodes.Node(lineno=1),
                message,
                _word(node),
                hint,
                warning=self.depth > 0,
            )


def _operands(node: nodes.BinExpr, left: Type, right: Type) -> tuple[str, ...]:
    """Kinds besides numbers that an operator accepts: `*` repeats texts and lists, and printf's `%`
    formats values of any kind."""
    if isinstance(node, nodes.Mul):
        repeats = {left.kind, right.kind} & {"integer", "boolean", "any"}
        return ("text", "list") if repeats else ("text",)
    printf = isinstance(node, nodes.Mod) and left.kind in ("text", "any")
    return ("text", "list", "map") if printf else ()


def _word(node: nodes.Node | None) -> str | None:
    """Word of an expression to underline in its text."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return node.attr
    inner = next(node.iter_child_nodes(), None) if node is not None else None
    return _word(inner) if inner is not None else None

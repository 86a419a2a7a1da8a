"""Types followed through expressions and templates, and what is wrong by them.

Only what is sure is complained of: a type that is not known never gives a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from flancompile.dsl.expression import parsed_expression, parsed_template
from flancompile.dsl.paths import Path, path_of, paths_of
from flancompile.dsl.texts import Fault
from flancompile.dsl.types import ANY, Type, list_of, merged, type_of
from flancompile.errors import nearest

__all__ = ["GUARD", "bare_names", "expression_faults", "template_faults"]

_TEXT, _INTEGER, _NUMBER = Type("text"), Type("integer"), Type("number")
_BOOLEAN = Type("boolean")
_TO_TEXT = frozenset(
    [
        "lower",
        "upper",
        "title",
        "capitalize",
        "trim",
        "lstrip",
        "rstrip",
        "replace",
        "join",
        "string",
        "truncate",
        "indent",
        "wordwrap",
        "center",
        "format",
        "striptags",
        "squeeze",
        "upper_first",
        "lower_first",
        "regex_replace",
        "regex_search",
        "tojson",
        "number",
        "ordinal",
        "unescape_html",
        "urlencode",
    ]
)
_TO_INTEGER = {"length", "count", "wordcount", "int", "index", "option_index"}
_SAME_LIST = {"sort", "unique", "reverse", "select", "reject", "selectattr", "rejectattr", "list",
              "most_frequent"}  # fmt: skip
_WANT_TEXT = {"split", "words", "regex_search", "regex_replace", "regex_findall", "matches",
              "fromjson"}  # fmt: skip
_WANT_LIST = {"join", "map", "select", "reject", "selectattr", "rejectattr", "flatten", "batch",
              "slice", "groupby", "enumerate", "most_frequent"}  # fmt: skip
GUARD = "guard it with `| default(…)` or `is defined`; a row that lacks it is dropped"
_TURN = Type("map", None, {"role": _TEXT, "content": _TEXT})
_GIVES = {
    "chat": list_of(_TURN),
    "exchanges": list_of(
        Type("map", None, {"turns": list_of(_TURN), "history": list_of(_TURN), "query": _TEXT,
                           "reply": _TEXT, "n": _INTEGER, "last": _BOOLEAN})
    ),
}  # fmt: skip
_METHODS = {"text": dir(str), "list": dir(list), "map": dir(dict), "integer": dir(int),
            "number": dir(float), "boolean": dir(bool), "null": ()}  # fmt: skip


@dataclass
class _Walk:
    """One text: the types of its names, and the faults met.

    guarded: what conditions around the place in hand look at; bare: names that none looks at.
    """

    types: dict[str, Type]
    faults: list[Fault]
    guarded: frozenset[Path] = frozenset()
    lenient: int = 0
    bare: set[str] = field(default_factory=set)

    def fault(self, code: str, node: nodes.Node, message: str, word: str | None,
              hint: str | None = None, warning: bool = False) -> None:  # fmt: skip
        severity = "warning" if warning else "error"
        self.faults.append(Fault(code, message, hint, node.lineno, word, severity))  # type: ignore[arg-type]

    def of(self, node: nodes.Node | None) -> Type:
        """The type of an expression; its parts are looked at on the way."""
        if node is None:
            return ANY
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is not None:
            return handler(node)  # type: ignore[no-any-return]
        for child in node.iter_child_nodes():
            self.of(child)
        return ANY

    @contextmanager
    def under(self, condition: nodes.Node) -> Iterator[None]:
        """What stands under a condition may ask for what the condition looks at."""
        before = self.guarded
        self.guarded = before | frozenset(paths_of(condition))
        yield
        self.guarded = before

    def _name(self, node: nodes.Name) -> Type:
        if not self.lenient and (node.name,) not in self.guarded:
            self.bare.add(node.name)
        return self.types.get(node.name, ANY)

    def _const(self, node: nodes.Const) -> Type:
        return type_of(node.value)

    def _list(self, node: nodes.List) -> Type:
        return list_of(merged([self.of(item) for item in node.items]))

    def _concat(self, node: nodes.Concat) -> Type:
        for part in node.nodes:
            self.printed(part)
        return _TEXT

    def _condexpr(self, node: nodes.CondExpr) -> Type:
        self.of(node.test)
        with self.under(node.test):
            sides = [self.of(node.expr1), self.of(node.expr2) if node.expr2 else ANY]
        return merged(sides) or ANY

    def _logic(self, node: Any) -> Type:
        self.of(node.left)
        with self.under(node.left):
            self.of(node.right)
        return ANY

    _and = _or = _logic

    def _not(self, node: nodes.Not) -> Type:
        self.of(node.node)
        return _BOOLEAN

    def _test(self, node: nodes.Test) -> Type:
        self.lenient += node.name in ("defined", "undefined", "mapping", "string", "none")
        self.of(node.node)
        self.lenient -= node.name in ("defined", "undefined", "mapping", "string", "none")
        for argument in node.args:
            self.of(argument)
        return _BOOLEAN

    def _compare(self, node: nodes.Compare) -> Type:
        left = self.of(node.expr)
        for operand in node.ops:
            right = self.of(operand.expr)
            if operand.op in ("eq", "ne") and _never_equal(left, right):
                message = f"{_told(left)} is never equal to {_told(right)}"
                word = _word(node.expr)
                self.fault("FC224", node, message, word, "compare like with like", warning=True)
            elif operand.op in ("lt", "gt", "lteq", "gteq") and _never_equal(left, right):
                message = f"{_told(left)} cannot be compared with {_told(right)}"
                self.fault("FC223", node, message, _word(node.expr))
            left = right
        return _BOOLEAN

    def _add(self, node: nodes.Add) -> Type:
        left, right = self.of(node.left), self.of(node.right)
        kinds = {left.kind, right.kind}
        if "text" in kinds and kinds & {"integer", "number", "list", "map", "boolean"}:
            message = f"{_told(left)} and {_told(right)} cannot be added"
            self.fault("FC223", node, message, _word(node.left), "join them as text with ~")
        if left.is_number and right.is_number:
            return merged([left, right]) or ANY
        return left if left.kind == right.kind else ANY

    def _arithmetic(self, node: Any) -> Type:
        left, right = self.of(node.left), self.of(node.right)
        for side, type_ in ((node.left, left), (node.right, right)):
            repeats = isinstance(node, nodes.Mul | nodes.Mod)
            if type_.kind in ("list", "map") or (type_.kind == "text" and not repeats):
                hint = "turn it into a number with | int or | float"
                message = f"{_told(type_)} where a number is wanted"
                self.fault("FC223", node, message, _word(side), hint)
        return _NUMBER if left.is_number and right.is_number else ANY

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
            message = f"{_told(base)} is indexed by a number, and this is {_told(key)}"
            hint = "for a label: label | lookup({...}), or ['a', 'b'] | index(label) for its place"
            self.fault("FC223", node, message, _word(node.arg), hint)
        if base.kind == "list":
            return base.item or ANY
        return _TEXT if base.kind == "text" else ANY

    def _key(self, node: nodes.Node, base: Type, key: str, *, method: bool) -> Type:
        if base.kind == "any" or (method and key in _METHODS.get(base.kind, ())):
            return base.keys.get(key, ANY)
        lenient = self.lenient or path_of(node) in self.guarded
        if base.kind == "map":
            if key in base.absent and not lenient:
                message = f"some rows that were read have no key {key!r} here"
                self.fault("FC222", node, message, key, GUARD, warning=True)
            if key not in base.keys and not lenient:
                near = nearest(key, base.keys)
                hint = near or f"its keys: {', '.join(base.keys)}"
                message = f"no row that was read has a key {key!r} here"
                self.fault("FC222", node, message, key, hint, warning=near is None)
            return base.keys.get(key, ANY)
        if not lenient:
            advice = "take an item first, or `map(attribute=…)`" if base.kind == "list" else None
            self.fault("FC222", node, f"{_told(base)} has no key {key!r}", key, advice)
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
        if node.name in _WANT_TEXT and base.kind not in ("text", "any"):
            message = f"{_told(base)} where {node.name} wants text"
            self.fault("FC223", node, message, _word(node.node), "make it text with | string first")
        elif node.name in _WANT_LIST and (base.is_number or base.kind == "boolean"):
            message = f"{_told(base)} where {node.name} wants a list"
            self.fault("FC223", node, message, _word(node.node))
        return self._filtered(node, base)

    def _filtered(self, node: nodes.Filter, base: Type) -> Type:
        name = node.name
        if name in _GIVES:
            return _GIVES[name]
        if name in _TO_TEXT:
            return _TEXT
        if name in _TO_INTEGER:
            return _INTEGER
        if name in ("float", "round", "sum"):
            return _NUMBER
        if name in ("split", "words", "regex_findall"):
            return list_of(_TEXT if name != "regex_findall" else ANY)
        if name in _SAME_LIST and base.kind == "list":
            return base
        if name in ("first", "last", "min", "max") and base.kind == "list":
            return base.item or ANY
        if name == "map" and base.kind == "list":
            return list_of(self._mapped(node, base.item or ANY))
        return base if name in ("abs",) else ANY

    def _mapped(self, node: nodes.Filter, item: Type) -> Type:
        attribute = next((k.value for k in node.kwargs if k.key == "attribute"), None)
        if isinstance(attribute, nodes.Const) and isinstance(attribute.value, str):
            for key in attribute.value.split("."):
                item = self._key(node, item, key, method=False)
            return item
        first = node.args[0] if node.args else None
        return _TEXT if isinstance(first, nodes.Const) and first.value in _TO_TEXT else ANY

    def printed(self, node: nodes.Expr) -> None:
        """An expression whose value becomes text as it stands."""
        type_ = self.of(node)
        if type_.kind in ("list", "map") and not isinstance(node, nodes.List | nodes.Dict):
            hint = (
                "join its items: | join(', ')" if type_.kind == "list" else "show one of its keys"
            )
            message = f"{_told(type_)} is printed as Python writes it"
            self.fault("FC221", node, message, _word(node), hint, warning=True)

    def body(self, items: list[nodes.Node]) -> None:
        """The statements of a template, in order."""
        for item in items:
            if isinstance(item, nodes.Output):
                for part in item.nodes:
                    if not isinstance(part, nodes.TemplateData):
                        self.printed(part)
            elif isinstance(item, nodes.For):
                self._loop(item)
            elif isinstance(item, nodes.If):
                self._branches(item)
            elif isinstance(item, nodes.Assign) and isinstance(item.target, nodes.Name):
                self.types[item.target.name] = self.of(item.node)
            else:
                self.of(item)

    def _loop(self, node: nodes.For) -> None:
        over = self.of(node.iter)
        before = dict(self.types)
        for name in [n.name for n in node.target.find_all(nodes.Name)] or [""]:
            self.types[name] = ANY
        if isinstance(node.target, nodes.Name):
            self.types[node.target.name] = (over.item or ANY) if over.kind == "list" else ANY
        self.body(node.body)
        self.types = before
        self.body(node.else_)

    def _branches(self, node: nodes.If) -> None:
        self.of(node.test)
        unsure = any(
            isinstance(t, nodes.Test) for t in node.test.find_all(nodes.Test)
        ) or isinstance(
            node.test, nodes.Test
        )  # a test of the value itself may guard what stands in the branch
        self.lenient += unsure
        with self.under(node.test):
            self.body(node.body)
        self.lenient -= unsure
        with self.under(node.test):
            for branch in node.elif_:
                self._branches(branch)
            self.body(node.else_)


def _never_equal(a: Type, b: Type) -> bool:
    kinds = {"text": "text", "integer": "number", "number": "number", "boolean": "number",
             "list": "list", "map": "map"}  # fmt: skip
    known = a.kind in kinds and b.kind in kinds
    return known and kinds[a.kind] != kinds[b.kind]


def _told(type_: Type) -> str:
    if type_.kind == "integer":
        return "a whole number"
    return {"text": "text", "null": "null"}.get(type_.kind, f"a {type_.kind}")


def _word(node: nodes.Node | None) -> str | None:
    """The word by which an expression is found in its text."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return node.attr
    inner = next(node.iter_child_nodes(), None) if node is not None else None
    return _word(inner) if inner is not None else None


def expression_faults(
    text: str, types: Mapping[str, Type], guarded: frozenset[Path] = frozenset()
) -> tuple[Type, list[Fault]]:
    """The type of an expression, and what is wrong with it by the types of its names.

    guarded: what conditions elsewhere (`when`, `where`) look at, so that it may be asked for.
    """
    walk = _Walk(dict(types), [], guarded)
    return walk.of(_value(text)), walk.faults


def bare_names(text: str) -> frozenset[str]:
    """Names that an expression needs: those that neither `default` nor a condition guards."""
    walk = _Walk({}, [])
    walk.of(_value(text))
    return frozenset(walk.bare)


def _value(text: str) -> nodes.Node:
    output = parsed_expression(text).body[0]
    assert isinstance(output, nodes.Output)
    return output.nodes[0]


def template_faults(
    text: str, types: Mapping[str, Type], guarded: frozenset[Path] = frozenset()
) -> Iterator[Fault]:
    """What is wrong with a template's text by the types of its names; `guarded` as above."""
    walk = _Walk(dict(types), [], guarded)
    walk.body(parsed_template(text).body)
    yield from walk.faults

"""Rows for a template, made from how it uses its columns; drawn again until it renders."""

import random
from collections.abc import Iterator
from typing import Any

from jinja2 import meta, nodes

LISTED = {"join", "choice", "first", "last", "most_frequent", "unique", "sort", "sum", "map"}
ONE_OF = {"first", "last", "choice", "random", "min", "max"}
SELECTED = {"selectattr", "rejectattr"}
SAME = {"list", "sort", "unique", "reverse", "select", "reject", "default"}
NUMERIC = {"round", "abs", "float", "int"}
OF_LISTS = {"index", "append", "count"}
MAPPED = {"items", "keys", "values", "get", "update"}


class Shape:
    """What a template needs a column to be."""

    def __init__(self) -> None:
        self.keys: dict[str, Shape] = {}
        self.item: Shape | None = None
        self.kind = ""

    def of_item(self) -> "Shape":
        self.item = self.item or Shape()
        return self.item

    def value(self, draw: random.Random, constants: list[Any], kind: str = "") -> Any:
        """A value of this shape. kind: of the leaf, where nothing else says it."""
        if self.keys:
            if self.item is not None and draw.random() < 0.5:
                return [self._mapping(draw, constants) for _ in range(4)]
            return self._mapping(draw, constants)
        if self.item is not None or self.kind == "list":
            item = self.item or Shape()
            if self.item and self.item.kind == "text" and draw.random() < 0.4:
                return _text(draw, constants)  # the place in a list may be one in a text
            count = draw.choice((1, 2, 4, 6))
            kind = draw.choice(("text", "text", "number"))
            return [item.value(draw, constants, kind) for _ in range(count)]
        kind = self.kind or kind or draw.choice(("text", "number", "constant", "texts", "flag"))
        if kind == "key":
            kind = draw.choice(("number", "constant"))
        if kind == "number":
            numbers = [c for c in constants if isinstance(c, int)]
            return draw.randint(0, 3) + (
                draw.choice(numbers) if draw.random() < 0.3 and numbers else 0
            )
        if kind == "constant" and constants:
            return draw.choice(constants)
        if kind == "texts":
            return [_text(draw, constants) for _ in range(4)]
        if kind == "mapping":
            return {_text(draw, constants): draw.randint(0, 3) for _ in range(2)}
        return draw.random() < 0.5 if kind == "flag" else _text(draw, constants)

    def _mapping(self, draw: random.Random, constants: list[Any]) -> dict[str, Any]:
        return {k: v.value(draw, constants) for k, v in self.keys.items()}


def _text(draw: random.Random, constants: list[Any]) -> str:
    words = ["river", "seven", "Under", "glass, kept", "why not?", "0.4", "A", "b - c"]
    if draw.random() < 0.5:
        words += [c for c in constants if isinstance(c, str) and c.strip()]
    return " ".join(draw.choice(words) for _ in range(draw.choice((2, 3, 9)))).strip()


class _Reader:
    """Gathers the shapes of the free names of one template."""

    def __init__(self, tree: nodes.Template) -> None:
        self.found: dict[str, Shape] = {}
        self.bound: dict[str, Shape | None] = {"loop": None, "zip": None, "range": None}
        self.methods = {id(c.node) for c in tree.find_all(nodes.Call)}
        for loop in tree.find_all(nodes.For):
            self._loop(loop)
        free = meta.find_undeclared_variables(tree)
        for assign in tree.find_all(nodes.Assign):
            if isinstance(assign.target, nodes.Name) and assign.target.name not in free:
                self.bound[assign.target.name] = self.of(assign.node)
        for piped in tree.find_all(nodes.Filter):
            shape = self.of(piped.node) if piped.node is not None else None
            if shape is not None and piped.name in LISTED:
                shape.of_item()
            elif shape is not None and piped.name in NUMERIC and not shape.kind:
                shape.kind = "number"
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Getattr) and (shape := self.of(call.node.node)):
                kinds = {**dict.fromkeys(MAPPED, "mapping"), **dict.fromkeys(OF_LISTS, "list")}
                shape.kind = kinds.get(call.node.attr, "text")
            if isinstance(call.node, nodes.Getattr) and call.node.attr == "index" and call.args:
                index = self.of(call.args[0])
                if index is not None:
                    index.kind = "constant"
        for node in tree.find_all((nodes.Getitem, nodes.Getattr, nodes.Name)):
            self.of(node)

    def _loop(self, loop: nodes.For) -> None:
        names = [n.name for n in loop.target.find_all(nodes.Name)]
        if isinstance(loop.target, nodes.Name):
            names = [loop.target.name]
        call = loop.iter if isinstance(loop.iter, nodes.Call) else None
        if call is not None and isinstance(call.node, nodes.Name) and call.node.name == "zip":
            shapes = [self.of(arg) for arg in call.args]
            for name, shape in zip(names, shapes, strict=False):
                self.bound[name] = shape and shape.of_item()
            return
        if call is not None:
            self.bound |= dict.fromkeys(names)
            return
        shape = self.of(loop.iter)
        for name in names:
            self.bound[name] = shape and shape.of_item()

    def of(self, node: Any) -> Shape | None:
        if isinstance(node, nodes.Name):
            if node.name in self.bound:
                return self.bound[node.name]
            return self.found.setdefault(node.name, Shape())
        if isinstance(node, nodes.Getattr) and id(node) not in self.methods:
            base = self.of(node.node)
            return base and base.keys.setdefault(node.attr, Shape())
        if isinstance(node, nodes.Getitem):
            return self._item(node)
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self._filtered(node)
        return None

    def _filtered(self, node: nodes.Filter) -> Shape | None:
        base = self.of(node.node)
        if base is None:
            return None
        if node.name in ONE_OF:
            return base.of_item()
        if node.name in SELECTED and node.args and isinstance(node.args[0], nodes.Const):
            base.of_item().keys.setdefault(node.args[0].value, Shape())
        attribute = next((k.value for k in node.kwargs if k.key == "attribute"), None)
        if node.name == "map" and isinstance(attribute, nodes.Const):
            mapped = Shape()
            mapped.item = base.of_item().keys.setdefault(attribute.value, Shape())
            return mapped
        return base if node.name in SAME or node.name in SELECTED else None

    def _item(self, node: nodes.Getitem) -> Shape | None:
        base = self.of(node.node)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return base and base.keys.setdefault(node.arg.value, Shape())
        if isinstance(node.arg, nodes.Slice):
            return base
        for inner in node.arg.find_all(nodes.Name) if not isinstance(node.arg, nodes.Name) else ():
            if (shape := self.of(inner)) and not shape.keys and not shape.item:
                shape.kind = shape.kind or "key"
        index = self.of(node.arg)
        if index is not None and not index.keys and not index.item:
            index.kind = "key"
        return base and base.of_item()


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every text and number in a row, as its container and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from _leaves(inner)
        else:
            yield value, key


def _parts(constant: Any) -> Iterator[str | int]:
    if isinstance(constant, dict):
        constant = [*constant.keys(), *constant.values()]
    if isinstance(constant, list | tuple):
        for part in constant:
            yield from _parts(part)
    elif isinstance(constant, str | int):
        yield constant


def made_rows(tree: nodes.Template, tries: int) -> Iterator[dict[str, Any]]:
    """Rows that the template may be given; the caller keeps those that it renders.

    tree: the parsed template, with what else is rendered beside it.
    """
    shapes = _Reader(tree).found
    written = [d.data.split("|||") for d in tree.find_all(nodes.TemplateData) if "|||" in d.data]
    constants = [c for node in tree.find_all(nodes.Const) for c in _parts(node.value)]
    constants += [part.strip() for parts in written for part in parts if len(part) < 40]
    constants = list(
        dict.fromkeys(c for c in constants if str(c).strip() == str(c) and "|" not in str(c))
    )
    for seed in range(tries):
        draw = random.Random(seed)
        row = {n: s.value(draw, constants) for n, s in shapes.items()}
        leaves = list(_leaves(row))
        listed = [(c, k) for c, k in leaves if isinstance(c, list)]
        if seed % 2 and listed:  # a value that names an item of a list
            named = draw.choice(listed)
            container, key = draw.choice([x for x in leaves if isinstance(x[0], dict)] or leaves)
            container[key] = named[0][named[1]]
        if seed % 3 == 0:  # columns whose lists go together
            count = draw.choice((2, 4, 5))
            for column in row.values():
                _same_length(column, count)
        yield row


def _same_length(value: Any, count: int) -> None:
    if isinstance(value, list) and value:
        value[:] = [value[i % len(value)] for i in range(count)]
    elif isinstance(value, dict):
        for inner in value.values():
            _same_length(inner, count)

"""Compile styles and templates to programs: literals and slots for the texts of a row.

The column engine renders a text once with a mark in place of each open name and splits the result
at the marks. This is valid if the text only prints open names, directly or through filters with
constant arguments, or tests in an `if` whether they are empty; other texts have no program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jinja2 import nodes

from flancompile.compiler.columns.ropes.ropes import Program
from flancompile.compiler.render.layout import Part
from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_template, parsed_template
from flancompile.lowering.column import Column, Scope
from flancompile.lowering.lower import render

__all__ = [
    "Constant",
    "Form",
    "Grammar",
    "apply_filters",
    "filtered_column",
    "program_of",
    "template_form",
]

Grammar = Callable[..., tuple[Part, ...]]  # of hashable arguments
_MARK = "\ue000"
_MARKS = re.compile("\ue000(\\d+)\ue000")
_STATEFUL = (
    nodes.For, nodes.FilterBlock, nodes.AssignBlock, nodes.Assign, nodes.With, nodes.Macro,
    nodes.CallBlock, nodes.Call,
)  # fmt: skip
_WHOLE = "text"  # name of the value that filters are applied to


class _NoProgramError(Exception):
    """A text uses an open name in a way that no program expresses."""


@dataclass(frozen=True)
class _Filtered:
    """Filters over one text, compared by the source of the chain."""

    words: str
    tree: nodes.Template = field(compare=False)


_Open = tuple[str, _Filtered | None]  # a name, and the filters over it
_Parts = tuple["str | tuple[int, _Filtered | None]", ...]
_Pieces = tuple[_Parts, frozenset[int]]


@dataclass(frozen=True)
class _Form:
    """A text with open names. text: source, or a tree if it does more than print names;
    open: the open text of each mark; tested: names that it tests for emptiness."""

    text: str | nodes.Template
    open: tuple[_Open, ...]
    tested: frozenset[str]


@lru_cache(maxsize=32_768)
def program_of(grammar: Grammar, *arguments: Hashable) -> Program | None:
    """Compile a grammar's parts to one program; None if a part has no program."""
    try:
        return _joined(grammar(*arguments))
    except (_NoProgramError, RowError):
        return None


@dataclass(frozen=True)
class Constant:
    """A value that is the same in every row, compared by type and `repr`."""

    words: str
    value: object = field(compare=False)

    @classmethod
    def of(cls, value: object) -> Constant:
        """Wrap a value, hashable or not."""
        return cls(f"{type(value).__name__} {value!r}", value)


@dataclass(frozen=True)
class Form:
    """A template's text as a program over names. slots: (name, filters or None) of each slot;
    tested: names whose text must not be empty."""

    program: Program
    slots: tuple[tuple[str, Hashable], ...]
    tested: frozenset[str]


@lru_cache(maxsize=16_384)
def template_form(
    text: str, names: tuple[str, ...], constants: tuple[tuple[str, Constant], ...]
) -> Form | None:
    """Compile a template's text with `names` as slots; None if it has no program."""
    try:
        whole = _joined([Part(text, constants, tuple((n, i) for i, n in enumerate(names)))])
    except _NoProgramError:
        return None
    slots: list[tuple[str, Hashable]] = [(name, None) for name in names]
    slots += [(names[slot], filters) for slot, filters in whole.filtered]
    # A name that only filters read has no slot of its own: it may have no text, as a list.
    used = sorted({p for p in whole.parts if isinstance(p, int)} | whole.tested)
    parts = tuple(p if isinstance(p, str) else used.index(p) for p in whole.parts)
    tested = frozenset(names[slot] for slot in whole.tested)
    return Form(Program(parts, width=len(used)), tuple(slots[i] for i in used), tested)


def filtered_column(filters: Hashable, column: Column, rows: int) -> Column:
    """Apply the filters of a program's or form's slot to a column of any values."""
    assert isinstance(filters, _Filtered)
    return render(filters.tree, Scope(rows, {_WHOLE: column})).printed(rows)


def apply_filters(filters: Hashable, texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Apply filters to texts. -> (texts, rows that fall back)"""
    found = filtered_column(filters, Column.of_text(texts), len(texts))
    return found.text(len(texts)), found.fallback(len(texts))


def _joined(whole: Sequence[Part]) -> Program:
    """Program of parts in sequence, adjacent literals merged. Raises _NoProgramError."""
    width = max((slot for part in whole for _, slot in part.slots), default=-1) + 1
    parts: list[str | int] = []
    filtered: dict[tuple[int, Hashable], int] = {}
    tested: set[int] = set()
    for pieces, tests in map(_pieces, whole):
        tested |= tests
        for piece in pieces:
            if not isinstance(piece, str):
                slot, filters = piece
                number = width + len(filtered)
                parts.append(
                    slot if filters is None else filtered.setdefault((slot, filters), number)
                )
            elif parts and isinstance(parts[-1], str):
                parts[-1] += piece
            elif piece:
                parts.append(piece)
    return Program(tuple(parts), frozenset(tested), width, tuple(filtered))


def _pieces(part: Part) -> _Pieces:
    """Compile a part. -> (literals and slots, tested slots). Raises _NoProgramError."""
    if part.is_literal:
        return (part.text,), frozenset()
    used = compile_template(part.text).names
    constants = tuple(one for one in part.constants if one[0] in used)
    slots = dict(part.slots)
    found, tested = _cut(part.text, constants, frozenset(slots))
    pieces = tuple(p if isinstance(p, str) else (slots[p[0]], p[1]) for p in found)
    return pieces, frozenset(slots[name] for name in tested)


@lru_cache(maxsize=65_536)
def _cut(
    text: str, constants: tuple[tuple[str, object], ...], names: frozenset[str]
) -> tuple[tuple[str | _Open, ...], frozenset[str]]:
    """Split a text at its open names. -> (pieces, tested names). Raises _NoProgramError."""
    form = _form(text, names)
    values_by_name = {k: v.value if isinstance(v, Constant) else v for k, v in constants}
    opened = [_named(*one) for one in form.open]

    def rendered(values: Mapping[str, str]) -> str:
        columns = {k: Column.constant(v) for k, v in (*values_by_name.items(), *values.items())}
        found = render(form.text, Scope(1, columns)).printed(1)
        if found.fallback(1)[0]:
            raise _NoProgramError
        return str(found.text(1)[0])

    if _MARK in rendered(dict.fromkeys(opened, "text")):  # in the text itself, or in a constant
        raise _NoProgramError
    pieces = _MARKS.split(rendered({name: f"{_MARK}{i}{_MARK}" for i, name in enumerate(opened)}))
    return tuple(p if i % 2 == 0 else form.open[int(p)] for i, p in enumerate(pieces)), form.tested


def _named(name: str, filters: _Filtered | None) -> str:
    """Name of an open text in a tree; the space keeps it apart from an author's names."""
    return name if filters is None else f"{name} {filters.words}"


@lru_cache(maxsize=65_536)
def _form(text: str, names: frozenset[str]) -> _Form:
    """Form of a text with `names` open. Raises _NoProgramError."""
    plain: tuple[_Open, ...] = tuple((name, None) for name in sorted(names))
    if compile_template(text).parts is not None:
        return _Form(text, plain, frozenset())
    tree = parsed_template(text)
    if next(tree.find_all(_STATEFUL), None) is not None:
        raise _NoProgramError
    filtered, printed_nodes = _opened(tree, names)
    tests = [n.test for n in tree.find_all(nodes.If) if isinstance(n.test, nodes.Name)]
    printed_nodes |= {id(test) for test in tests}
    if any(n.name in names and id(n) not in printed_nodes for n in tree.find_all(nodes.Name)):
        raise _NoProgramError
    return _Form(tree, (*plain, *filtered), frozenset(t.name for t in tests) & names)


def _opened(tree: nodes.Template, names: frozenset[str]) -> tuple[list[_Open], set[int]]:
    """Replace filter chains over open names in the tree by names.

    -> (the chains, ids of the nodes that only print a name)
    """
    found: dict[_Open, None] = {}
    printed_nodes: set[int] = set()
    for output in tree.find_all(nodes.Output):
        for place, node in enumerate(output.nodes):
            inner = _innermost(node)
            if inner is None or inner.name not in names:
                continue
            if inner is not node:
                name, inner.name = inner.name, _WHOLE
                alone = nodes.Template([nodes.Output([node])])
                alone.set_environment(environment())
                filters = _Filtered(repr(node), alone)
                found[name, filters] = None
                inner = nodes.Name(_named(name, filters), "load")
                output.nodes[place] = inner
            printed_nodes.add(id(inner))
    return list(found), printed_nodes


def _innermost(node: nodes.Node) -> nodes.Name | None:
    """Name under a chain of filters with constant arguments; None for any other node."""
    while isinstance(node, nodes.Filter) and node.node is not None:
        if not all(isinstance(n, nodes.Const) for n in _arguments(node)):
            return None
        node = node.node
    return node if isinstance(node, nodes.Name) else None


def _arguments(node: nodes.Filter) -> Iterator[nodes.Node]:
    yield from node.args
    yield from (n.value for n in node.kwargs)
    yield from (n for n in (node.dyn_args, node.dyn_kwargs) if n is not None)

"""Programs of styles and templates: what their text is where only texts of the row are left open.

A text is rendered once with marks in place of what a row gives, by the very functions that render
columns, and cut at the marks. That holds where it only prints what is open, as it is or through
filters with constant arguments, or asks whether it is there at all; other texts have no program.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jinja2 import nodes

from flancompile.compiler.columns.jinja.column import Column, Frame
from flancompile.compiler.columns.jinja.lower import render
from flancompile.compiler.columns.ropes.ropes import Program
from flancompile.compiler.render.layout import Numbered, slotted
from flancompile.compiler.render.row_set import MAX_OPTIONS
from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import compile_template, parsed_template
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

__all__ = [
    "EACH", "INSTRUCTION", "QUERY", "SHOTS", "Constant", "Form", "block_program",
    "gold_program", "made_of", "making", "prompt_program", "template_form",
]  # fmt: skip

QUERY, INSTRUCTION, SHOTS = 0, 1, 2  # slots of a layout; of each exemplar come three
EACH = ("input", "target", "explanation")
_MARK = "\ue000"
_MARKS = re.compile("\ue000(\\d+)\ue000")
_KEEPING = (
    nodes.For, nodes.FilterBlock, nodes.AssignBlock, nodes.Assign, nodes.With, nodes.Macro,
    nodes.CallBlock, nodes.Call,
)  # fmt: skip
_WHOLE = "text"  # what filters call what they are over


class _NoProgramError(Exception):
    """The text does more with what is open than a program can say."""


@dataclass(frozen=True)
class _Filtered:
    """Filters over one text, equal where they read the same."""

    words: str
    tree: nodes.Template = field(compare=False)


_Open = tuple[str, _Filtered | None]  # a name, and what is done to its text before it is printed
_Parts = tuple["str | tuple[int, _Filtered | None]", ...]
_Pieces = tuple[_Parts, frozenset[int]]


@dataclass(frozen=True)
class _Form:
    """A text with open names. text: as source, or as a tree where it does more than print names;
    open: what each mark stands for; tested: names that it asks for."""

    text: str | nodes.Template
    open: tuple[_Open, ...]
    tested: frozenset[str]


@lru_cache(maxsize=16_384)
def block_program(style: OptionStyle, count: int) -> Program | None:
    """The options that a prompt lists, over their texts; None where there is no such program."""
    number: Mapping[str, object] = {"count": count}
    try:
        pieces: list[_Pieces] = [_pieces(style.opening, number, {})]
        for n in range(count):
            pieces += [((style.separator,), frozenset())] if n else []
            pieces.append(_labelled(style, style.item, n, n))
        pieces.append(_pieces(style.ending, number, {}))
    except _NoProgramError:
        return None
    return _joined(pieces, MAX_OPTIONS)


@lru_cache(maxsize=16_384)
def gold_program(style: OptionStyle, gold: int) -> Program | None:
    """What `gold` becomes where option `gold` is right, over its text."""
    try:
        return _joined([_labelled(style, style.gold, gold, 0)], 1)
    except _NoProgramError:
        return None


@lru_cache(maxsize=16_384)
def prompt_program(style: ShotsStyle, shots: int, shown: bool, told: int) -> Program | None:
    """A prompt under a layout. shown: whether there is an instruction; told: a bit for each
    exemplar that has an explanation."""
    given: dict[str, object] = {"count": shots}
    own = {"instruction": INSTRUCTION} if shown else {}
    given |= {} if shown else {"instruction": ""}
    query, width = own | {"input": QUERY}, SHOTS + len(EACH) * shots
    try:
        if not shots:
            return _joined([_pieces(slotted(style.zero, shown), given, query)], width)
        pieces = [_pieces(slotted(style.opening, shown), given, own)]
        for n in range(shots):
            has = bool(told >> n & 1)
            slots = own | {
                name: SHOTS + len(EACH) * n + i for i, name in enumerate(EACH[: 2 + has])
            }
            names = {**given, "n": n + 1, **({} if has else {"explanation": ""})}
            pieces.append(_pieces(slotted(style.exemplar, shown, has), names, slots))
            pieces.append(((style.separator,), frozenset()))
        pieces.append(_pieces(slotted(style.query, shown), {**given, "n": shots + 1}, query))
    except _NoProgramError:
        return None
    return _joined(pieces, width)


@dataclass(frozen=True)
class Constant:
    """A value that is the same in every row, equal where it reads the same."""

    words: str
    value: object = field(compare=False)

    @classmethod
    def of(cls, value: object) -> Constant:
        """Any value, such as a mapping, which has no hash of its own."""
        return cls(f"{type(value).__name__} {value!r}", value)


@dataclass(frozen=True)
class Form:
    """A template's text as a program over names. slots: what stands in each, as (name, how it is
    filtered or None); tested: names whose text must not be empty."""

    program: Program
    slots: tuple[tuple[str, Hashable], ...]
    tested: frozenset[str]


@lru_cache(maxsize=16_384)
def template_form(
    text: str, names: tuple[str, ...], constants: tuple[tuple[str, Constant], ...]
) -> Form | None:
    """The form of a template's text over some names, the others constant; None for no form."""
    try:
        pieces = _pieces(text, dict(constants), {name: i for i, name in enumerate(names)})
    except _NoProgramError:
        return None
    whole = _joined([pieces], len(names))
    slots = [*((n, None) for n in names), *((names[slot], how) for slot, how in whole.made)]
    tested = frozenset(names[slot] for slot in whole.tested)
    return Form(Program(whole.parts, width=len(slots)), tuple(slots), tested)


def made_of(how: Hashable, column: Column, rows: int) -> Column:
    """What filters make of a column of any values."""
    assert isinstance(how, _Filtered)
    return render(how.tree, Frame(rows, {_WHOLE: column})).printed(rows)


def making(how: Hashable, texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """(what filters make of texts, where that is not sure)."""
    found = made_of(how, Column.of_text(texts), len(texts))
    return found.text(len(texts)), found.unsure(len(texts))


def _labelled(style: OptionStyle, text: str, n: int, slot: int) -> _Pieces:
    names = Numbered(n).names()
    label, _ = _pieces(style.label, names, {})
    return _pieces(text, {**names, "label": "".join(cast(tuple[str, ...], label))}, {"text": slot})


def _joined(pieces: list[_Pieces], width: int) -> Program:
    """Pieces one after another; literals that touch are one."""
    parts: list[str | int] = []
    made: dict[tuple[int, Hashable], int] = {}
    for part in (part for piece, _ in pieces for part in piece):
        if not isinstance(part, str):
            slot, how = part
            parts.append(slot if how is None else made.setdefault((slot, how), width + len(made)))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part:
            parts.append(part)
    tested = frozenset(slot for _, tested in pieces for slot in tested)
    return Program(tuple(parts), tested, width, tuple(made))


def _pieces(text: str, names: Mapping[str, object], slots: Mapping[str, int]) -> _Pieces:
    """(literals and slots of a style's text, slots that it asks for). Raises _NoProgramError."""
    used = compile_template(text).names
    constants = tuple((k, v) for k, v in names.items() if k in used)
    found, tested = _cut(text, constants, frozenset(slots))
    parts = [p if isinstance(p, str) else (slots[p[0]], p[1]) for p in found]
    return tuple(parts), frozenset(slots[name] for name in tested)


@lru_cache(maxsize=65_536)
def _cut(
    text: str, constants: tuple[tuple[str, object], ...], names: frozenset[str]
) -> tuple[tuple[str | _Open, ...], frozenset[str]]:
    """(literals and what is open, names that are asked for). Raises _NoProgramError."""
    form = _form(text, names)
    held = {k: v.value if isinstance(v, Constant) else v for k, v in constants}
    opened = [_named(*one) for one in form.open]

    def rendered(values: Mapping[str, str]) -> str:
        columns = {k: Column.constant(v) for k, v in (*held.items(), *values.items())}
        found = render(form.text, Frame(1, columns)).printed(1)
        if found.unsure(1)[0]:
            raise _NoProgramError
        return str(found.text(1)[0])

    if _MARK in rendered(dict.fromkeys(opened, "text")):  # of the text's own, or of a constant
        raise _NoProgramError
    pieces = _MARKS.split(rendered({name: f"{_MARK}{i}{_MARK}" for i, name in enumerate(opened)}))
    return tuple(p if i % 2 == 0 else form.open[int(p)] for i, p in enumerate(pieces)), form.tested


def _named(name: str, how: _Filtered | None) -> str:
    """What a tree calls what is open; no author can write a name with a space."""
    return name if how is None else f"{name} {how.words}"


@lru_cache(maxsize=65_536)
def _form(text: str, names: frozenset[str]) -> _Form:
    """The form of a text with some of its names open. Raises _NoProgramError."""
    plain: tuple[_Open, ...] = tuple((name, None) for name in sorted(names))
    if compile_template(text).parts is not None:
        return _Form(text, plain, frozenset())
    tree = parsed_template(text)
    if next(tree.find_all(_KEEPING), None) is not None:
        raise _NoProgramError
    filtered, fine = _opened(tree, names)
    tests = [n.test for n in tree.find_all(nodes.If) if isinstance(n.test, nodes.Name)]
    fine |= {id(test) for test in tests}
    if any(n.name in names and id(n) not in fine for n in tree.find_all(nodes.Name)):
        raise _NoProgramError
    return _Form(tree, (*plain, *filtered), frozenset(t.name for t in tests) & names)


def _opened(tree: nodes.Template, names: frozenset[str]) -> tuple[list[_Open], set[int]]:
    """(filters over open names, which get names of their own; ids of nodes that print a name)."""
    found: dict[_Open, None] = {}
    fine: set[int] = set()
    for output in tree.find_all(nodes.Output):
        for place, node in enumerate(output.nodes):
            inner = _innermost(node)
            if inner is None or inner.name not in names:
                continue
            if inner is not node:
                name, inner.name = inner.name, _WHOLE
                alone = nodes.Template([nodes.Output([node])])
                alone.set_environment(environment())
                how = _Filtered(repr(node), alone)
                found[name, how] = None
                inner = nodes.Name(_named(name, how), "load")
                output.nodes[place] = inner
            fine.add(id(inner))
    return list(found), fine


def _innermost(node: nodes.Node) -> nodes.Name | None:
    """The name that a node prints, through filters whose arguments are constants, if any."""
    while isinstance(node, nodes.Filter) and node.node is not None:
        if not all(isinstance(n, nodes.Const) for n in _arguments(node)):
            return None
        node = node.node
    return node if isinstance(node, nodes.Name) else None


def _arguments(node: nodes.Filter) -> Iterator[nodes.Node]:
    yield from node.args
    yield from (n.value for n in node.kwargs)
    yield from (n for n in (node.dyn_args, node.dyn_kwargs) if n is not None)

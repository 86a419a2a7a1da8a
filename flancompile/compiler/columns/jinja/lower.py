"""Evaluate Jinja templates and expressions over whole columns, by one walk of the syntax tree.

Arrow concatenates texts; every other operation applies the sandbox's own function to each row. A
row on which an operation raises, or that would print a null, falls back: the caller renders it in
the row engine, which returns the text or the drop reason. A resolved row therefore equals the row
engine's result. `why_not` rejects texts that are never lowered.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Undefined, nodes
from jinja2.utils import Namespace

from flancompile.compiler.columns.jinja.column import Column, Frame, Rows, rowwise, scattered
from flancompile.compiler.columns.jinja.lowerable import (
    STATEFUL,
    expression_tree,
    keeps_state,
    of_loop,
    template_tree,
)
from flancompile.compiler.columns.jinja.operations import (
    BINARY,
    COMPARED,
    UNARY,
    Operation,
    applied,
    attribute,
    called,
    item_of,
    item_of_row,
    part,
)
from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.jinja.row_arguments import guarded, has_fixed_sign
from flancompile.dsl.jinja.values import materialized

__all__ = ["evaluate", "render"]

_BLOCK = " block"  # name of a block's text; authors cannot write a space


def render(text: str | nodes.Template, frame: Frame) -> Column:
    """Render a template for every row; rows that fall back have no meaningful text."""
    if isinstance(text, nodes.Template):
        return _Walk().body(text.body, frame)
    simple = compile_template(text).parts
    columns = [frame.get(part) if named else Column.constant(part) for part, named in simple or ()]
    found = [c.printed(frame.rows) for c in columns if c is not None]
    if simple and len(found) == len(columns):
        return Column.joined(found, frame.rows)
    return _Walk().body(template_tree(text).body, frame)


def evaluate(text: str, frame: Frame) -> Column:
    """Evaluate an expression for every row."""
    output = cast(nodes.Output, expression_tree(text).body[0])
    found = _Walk().value(output.nodes[0], frame)
    return rowwise(materialized, found, rows=frame.rows)


class _Walk:
    """Tree walk; each method takes a node and the scope of the rows that reach it."""

    def value(self, node: nodes.Node, frame: Frame) -> Column:
        """Values of an expression."""
        kind = type(node).__name__
        if kind in BINARY:
            pair = cast(nodes.BinExpr, node)
            return self._apply(BINARY[kind], [pair.left, pair.right], frame)
        if kind in UNARY:
            return self._apply(UNARY[kind], [cast(nodes.UnaryExpr, node).node], frame)
        return cast(Column, getattr(self, f"_{kind.lower()}")(node, frame))

    def body(self, items: Sequence[nodes.Node], frame: Frame) -> Column:
        """Text of statements in order; assignments bind names in the scope."""
        parts: list[Column] = []
        doubts: list[Rows] = []
        for item in items:
            if isinstance(item, nodes.Output):
                parts += [self.value(part, frame).printed(frame.rows) for part in item.nodes]
            elif isinstance(item, nodes.Assign):
                doubts.append(self._bind(item.target, self.value(item.node, frame), frame))
            elif isinstance(item, nodes.AssignBlock):
                doubts.append(self._bind(item.target, self._block(item, frame), frame))
            else:
                name = type(item).__name__.lower()
                parts.append(cast(Column, getattr(self, f"_{name}")(item, frame)))
        found = Column.joined(parts, frame.rows)
        for rows in doubts:
            found = found.doubting(rows, frame.rows)
        return found

    def _apply(
        self,
        function: Operation,
        operands: Sequence[nodes.Node],
        frame: Frame,
        named: Sequence[nodes.Keyword] = (),
    ) -> Column:
        columns = [self.value(o, frame) for o in operands]
        keys = [k.key for k in named]
        columns += [self.value(k.value, frame) for k in named]
        if not keys:
            return rowwise(function, *columns, rows=frame.rows)
        n = len(operands)

        def call(*args: Any) -> Any:
            return function(*args[:n], **dict(zip(keys, args[n:], strict=True)))

        return rowwise(call, *columns, rows=frame.rows)

    def _templatedata(self, node: nodes.TemplateData, _: Frame) -> Column:
        return Column.constant(node.data)

    def _const(self, node: nodes.Const, _: Frame) -> Column:
        return Column.constant(node.value)

    def _name(self, node: nodes.Name, frame: Frame) -> Column:
        found = frame.get(node.name)
        if found is not None:
            return found
        env = environment()
        if node.name in env.globals:
            return Column.constant(env.globals[node.name])
        return Column.constant(env.undefined(name=node.name))

    def _list(self, node: nodes.List, frame: Frame) -> Column:
        return self._apply(lambda *items: list(items), node.items, frame)

    def _tuple(self, node: nodes.Tuple, frame: Frame) -> Column:
        return self._apply(lambda *items: items, node.items, frame)

    def _dict(self, node: nodes.Dict, frame: Frame) -> Column:
        keys, values = [p.key for p in node.items], [p.value for p in node.items]
        n = len(keys)
        return self._apply(
            lambda *all_: dict(zip(all_[:n], all_[n:], strict=True)), [*keys, *values], frame
        )

    def _concat(self, node: nodes.Concat, frame: Frame) -> Column:
        parts = [self.value(n, frame) for n in node.nodes]
        one_text = environment().one_text
        return rowwise(lambda *values: one_text(values), *parts, rows=frame.rows)

    def _filter(self, node: Any, frame: Frame) -> Column:
        function = applied(type(node).__name__, node.name)
        over = node.node if node.node is not None else nodes.Name(_BLOCK, "load")
        node = guarded(node)
        return self._apply(function, [over, *node.args], frame, node.kwargs)

    _test = _filter

    def _filterblock(self, node: nodes.FilterBlock, frame: Frame) -> Column:
        return rowwise(_text_alone, self._block(node, frame), rows=frame.rows).printed(frame.rows)

    def _block(self, node: nodes.FilterBlock | nodes.AssignBlock, frame: Frame) -> Column:
        """Text of a block, filtered if it has a filter."""
        inner = frame.nested()
        text = self.body(node.body, inner)
        if node.filter is None:
            return text
        inner.set(_BLOCK, text)
        return self.value(node.filter, inner)

    def _compare(self, node: nodes.Compare, frame: Frame) -> Column:
        operations = [COMPARED[o.op] for o in node.ops]
        operands = [node.expr, *(o.expr for o in node.ops)]
        if len(operations) == 1:
            return self._apply(operations[0], operands, frame)

        def chained(*values: Any) -> Any:
            found: Any = True
            for place, compare in enumerate(operations):
                found = compare(values[place], values[place + 1])
                if not found:
                    break
            return found

        return self._apply(chained, operands, frame)

    def _and(self, node: nodes.And, frame: Frame) -> Column:
        return self._short(node.left, node.right, frame, goes_on=True)

    def _or(self, node: nodes.Or, frame: Frame) -> Column:
        return self._short(node.left, node.right, frame, goes_on=False)

    def _short(self, left: nodes.Node, right: nodes.Node, frame: Frame, *, goes_on: bool) -> Column:
        first = self.value(left, frame)
        truth, sure = first.truth(frame.rows)
        more = np.flatnonzero((truth == goes_on) & sure)
        rest = np.flatnonzero((truth != goes_on) & sure)
        second = self.value(right, frame.sub(more))
        return scattered([(rest, first.take(rest)), (more, second)], frame.rows)

    def _condexpr(self, node: nodes.CondExpr, frame: Frame) -> Column:
        truth, sure = self.value(node.test, frame).truth(frame.rows)
        yes, no = np.flatnonzero(truth & sure), np.flatnonzero(~truth & sure)
        parts = [(yes, self.value(node.expr1, frame.sub(yes)))]
        if node.expr2 is not None:
            parts.append((no, self.value(node.expr2, frame.sub(no))))
        elif len(no):
            parts.append((no, Column.constant(Undefined())))
        return scattered(parts, frame.rows)

    def _getattr(self, node: nodes.Getattr, frame: Frame) -> Column:
        if (attr := of_loop(node)) is not None and (found := frame.get(f"loop.{attr}")) is not None:
            return found
        return rowwise(
            attribute, self.value(node.node, frame), Column.constant(node.attr), rows=frame.rows
        )

    def _getitem(self, node: nodes.Getitem, frame: Frame) -> Column:
        item: Operation = item_of if has_fixed_sign(node.arg) else item_of_row
        if isinstance(node.arg, nodes.Slice):
            item = operator.getitem
        return self._apply(item, [node.node, node.arg], frame)

    def _slice(self, node: nodes.Slice, frame: Frame) -> Column:
        none = nodes.Const(None)
        first, last, step = (b or none for b in (node.start, node.stop, node.step))
        fixed_signs = (has_fixed_sign(first), has_fixed_sign(last), has_fixed_sign(step))
        return self._apply(part(fixed_signs), [first, last, step], frame)

    def _call(self, node: nodes.Call, frame: Frame) -> Column:
        if of_loop(node.node) == "cycle" and (place := frame.get("loop.index0")) is not None:
            values = [self.value(a, frame) for a in node.args]
            return rowwise(lambda n, *of: of[n % len(of)], place, *values, rows=frame.rows)
        if isinstance(node.node, nodes.Name) and node.node.name in STATEFUL:
            each = Column.of([environment().globals[node.node.name]] * frame.rows)
            keys, inner = (
                [k.key for k in node.kwargs],
                [*node.args, *(k.value for k in node.kwargs)],
            )
            columns = [self.value(a, frame) for a in inner]
            n = len(node.args)
            return rowwise(
                lambda f, *a: f(*a[:n], **dict(zip(keys, a[n:], strict=True))),
                each, *columns, rows=frame.rows,
            )  # fmt: skip
        if isinstance(node.node, nodes.EnvironmentAttribute):
            return self._apply(getattr(environment(), node.node.name), node.args, frame)
        node = guarded(node)
        return self._apply(called, [node.node, *node.args], frame, node.kwargs)

    def _with(self, node: nodes.With, frame: Frame) -> Column:
        inner = frame.nested()
        pairs = zip(node.targets, node.values, strict=True)
        doubts = [self._bind(target, self.value(value, frame), inner) for target, value in pairs]
        found = self.body(node.body, inner)
        for rows in doubts:
            found = found.doubting(rows, frame.rows)
        return found

    def _if(self, node: nodes.If, frame: Frame) -> Column:
        left: Rows = np.arange(frame.rows)
        texts: list[tuple[Rows, Column]] = []
        inner: list[tuple[Rows, Frame]] = []
        for test, body in [(node.test, node.body), *((e.test, e.body) for e in node.elif_)]:
            truth, sure = self.value(test, frame.sub(left)).truth(len(left))
            yes = left[truth & sure]
            branch = frame.sub(yes)
            texts.append((yes, self.body(body, branch)))
            inner.append((yes, branch))
            left = left[~truth & sure]
        last = frame.sub(left)
        texts.append((left, self.body(node.else_, last)))
        inner.append((left, last))
        self._merge(inner, frame)
        return scattered(texts, frame.rows)

    def _merge(self, branches: Sequence[tuple[Rows, Frame]], frame: Frame) -> None:
        """Bind the names that the branches of an `if` assigned."""
        for name in dict.fromkeys(n for _, inner in branches for n in inner.own):
            absent = Column.constant(environment().undefined(name=name))
            before = frame.get(name) or absent
            parts = [(rows, b.own.get(name) or before.take(rows)) for rows, b in branches]
            frame.set(name, scattered(parts, frame.rows))

    def _for(self, node: nodes.For, frame: Frame) -> Column:
        lists = rowwise(list, self.value(node.iter, frame), rows=frame.rows)
        found = lists.values(frame.rows)
        counts = np.array([0 if v is None else len(v) for v in found], dtype=np.int64)
        parents = np.repeat(np.arange(frame.rows), counts)
        items = Column.of([item for v in found if v for item in v])
        if node.test is not None:
            inner = frame.sub(parents)
            lists = lists.doubting(parents[self._bind(node.target, items, inner)], frame.rows)
            truth, sure = self.value(node.test, inner).truth(len(parents))
            kept = np.flatnonzero(truth & sure)
            lists = lists.doubting(parents[~sure], frame.rows)
            parents, items = parents[kept], items.take(kept)
            counts = np.bincount(parents, minlength=frame.rows)
        turn_by_turn = keeps_state(node)
        run = self._turns if turn_by_turn else self._iterations
        text = run(node, frame, items, parents, counts)
        empty = np.flatnonzero(counts == 0)
        if node.else_ and len(empty):
            other = self.body(node.else_, frame.sub(empty))
            full = np.flatnonzero(counts > 0)
            text = scattered([(full, text.take(full)), (empty, other)], frame.rows)
        return text.doubting(lists.unsure_rows(), frame.rows)

    def _iterations(
        self, node: nodes.For, frame: Frame, items: Column, parents: Rows, counts: Rows
    ) -> Column:
        """Render the body for all items of all rows at once; join the texts of each row."""
        inner = frame.sub(parents)
        doubts = self._bind(node.target, items, inner)
        ends = np.cumsum(counts)
        place = np.arange(len(parents)) - np.repeat(ends - counts, counts)
        _number(inner, place, np.repeat(counts, counts))
        flat = self.body(node.body, inner)
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, flat.text(len(parents)))
        text = Column.of_text(pc.binary_join(lists, ""))
        return text.doubting(parents[np.concatenate([flat.unsure_rows(), doubts])], frame.rows)

    def _turns(
        self, node: nodes.For, frame: Frame, items: Column, parents: Rows, counts: Rows
    ) -> Column:
        """Render the n-th iteration of all rows at once, for bodies that keep state."""
        starts = np.cumsum(counts) - counts
        pieces: list[list[str]] = [[] for _ in range(frame.rows)]
        unsure = np.zeros(frame.rows, np.bool_)
        for turn in range(int(counts.max(initial=0))):
            rows = np.flatnonzero(counts > turn)
            inner = frame.sub(rows)
            unsure[rows[self._bind(node.target, items.take(starts[rows] + turn), inner)]] = True
            _number(inner, np.full(len(rows), turn), counts[rows])
            text = self.body(node.body, inner)
            unsure[rows[text.unsure_rows()]] = True
            for row, piece in zip(rows.tolist(), text.values(len(rows)), strict=True):
                pieces[row].append(piece)
        return Column.of_text(pa.array(map("".join, pieces), pa.string()), unsure)

    def _bind(self, target: nodes.Node, values: Column, frame: Frame) -> Rows:
        """Bind an assignment's target. -> rows where its value falls back, used or not"""
        if isinstance(target, nodes.Name):
            frame.set(target.name, values)
            return values.unsure_rows()
        if isinstance(target, nodes.NSRef):
            space = self._name(nodes.Name(target.name, "load"), frame)
            done = rowwise(_set_in, space, Column.constant(target.attr), values, rows=frame.rows)
            return done.unsure_rows()
        names = cast(nodes.Tuple, target).items
        unpacked = rowwise(_unpacked, values, Column.constant(len(names)), rows=frame.rows)
        for place, name in enumerate(names):
            part = rowwise(operator.itemgetter(place), unpacked, rows=frame.rows)
            self._bind(name, part, frame)
        return unpacked.unsure_rows()


def _number(frame: Frame, place: Rows, length: Rows) -> None:
    """Bind the attributes of `loop`. place: 0-based iteration; length: iterations of the loop."""
    about = {
        "index": place + 1, "index0": place, "first": place == 0, "last": place == length - 1,
        "length": length, "revindex": length - place, "revindex0": length - place - 1,
    }  # fmt: skip
    for name, values in about.items():
        frame.set(f"loop.{name}", Column.of(values.tolist()))


def _set_in(space: Any, name: str, value: Any) -> None:
    if not isinstance(space, Namespace):
        raise TypeError("no namespace")
    space[name] = value


def _text_alone(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a filtered block is text")
    return value


def _unpacked(value: Any, count: int) -> tuple[Any, ...]:
    found = tuple(value)
    if len(found) != count:
        raise ValueError("to unpack")
    return found

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

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.jinja.row_arguments import guarded, has_fixed_sign
from flancompile.dsl.jinja.values import are_plain, materialized
from flancompile.lowering.column import Column, Rows, Scope, rowwise, scattered
from flancompile.lowering.filters import filtered, literal_arguments, mapped
from flancompile.lowering.lowerable import (
    STATEFUL,
    expression_tree,
    keeps_state,
    of_loop,
    template_tree,
)
from flancompile.lowering.operations import (
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

__all__ = ["evaluate", "render"]

_BLOCK = " block"  # name of a block's text; authors cannot write a space


def render(text: str | nodes.Template, scope: Scope) -> Column:
    """Render a template for every row; rows that fall back have no meaningful text."""
    if isinstance(text, nodes.Template):
        return _Walk().body(text.body, scope)
    simple = compile_template(text).parts
    columns = [scope.get(part) if named else Column.constant(part) for part, named in simple or ()]
    found = [c.printed(scope.rows) for c in columns if c is not None]
    if simple and len(found) == len(columns):
        return Column.joined(found, scope.rows)
    return _Walk().body(template_tree(text).body, scope)


def evaluate(text: str, scope: Scope) -> Column:
    """Evaluate an expression for every row."""
    output = cast(nodes.Output, expression_tree(text).body[0])
    found = _Walk().value(output.nodes[0], scope)
    if not found.is_constant and are_plain(found.values(scope.rows)):
        return found
    return rowwise(materialized, found, rows=scope.rows)


class _Walk:
    """Tree walk; each method takes a node and the scope of the rows that reach it."""

    def value(self, node: nodes.Node, scope: Scope) -> Column:
        """Values of an expression."""
        kind = type(node).__name__
        if kind in BINARY:
            pair = cast(nodes.BinExpr, node)
            return self._apply(BINARY[kind], [pair.left, pair.right], scope)
        if kind in UNARY:
            return self._apply(UNARY[kind], [cast(nodes.UnaryExpr, node).node], scope)
        return cast(Column, getattr(self, f"_{kind.lower()}")(node, scope))

    def body(self, items: Sequence[nodes.Node], scope: Scope) -> Column:
        """Text of statements in order; assignments bind names in the scope."""
        parts: list[Column] = []
        fallbacks: list[Rows] = []
        for item in items:
            if isinstance(item, nodes.Output):
                parts += [self.value(part, scope).printed(scope.rows) for part in item.nodes]
            elif isinstance(item, nodes.Assign):
                fallbacks.append(self._bind(item.target, self.value(item.node, scope), scope))
            elif isinstance(item, nodes.AssignBlock):
                fallbacks.append(self._bind(item.target, self._block(item, scope), scope))
            else:
                name = type(item).__name__.lower()
                parts.append(cast(Column, getattr(self, f"_{name}")(item, scope)))
        found = Column.joined(parts, scope.rows)
        for rows in fallbacks:
            found = found.with_fallback(rows, scope.rows)
        return found

    def _apply(
        self,
        function: Operation,
        operands: Sequence[nodes.Node],
        scope: Scope,
        named: Sequence[nodes.Keyword] = (),
    ) -> Column:
        columns = [self.value(o, scope) for o in operands]
        keys = [k.key for k in named]
        columns += [self.value(k.value, scope) for k in named]
        if not keys:
            return rowwise(function, *columns, rows=scope.rows)
        n = len(operands)

        def call(*args: Any) -> Any:
            return function(*args[:n], **dict(zip(keys, args[n:], strict=True)))

        return rowwise(call, *columns, rows=scope.rows)

    def _templatedata(self, node: nodes.TemplateData, _: Scope) -> Column:
        return Column.constant(node.data)

    def _const(self, node: nodes.Const, _: Scope) -> Column:
        return Column.constant(node.value)

    def _name(self, node: nodes.Name, scope: Scope) -> Column:
        found = scope.get(node.name)
        if found is not None:
            return found
        env = environment()
        if node.name in env.globals:
            return Column.constant(env.globals[node.name])
        return Column.constant(env.undefined(name=node.name))

    def _list(self, node: nodes.List, scope: Scope) -> Column:
        return self._apply(lambda *items: list(items), node.items, scope)

    def _tuple(self, node: nodes.Tuple, scope: Scope) -> Column:
        return self._apply(lambda *items: items, node.items, scope)

    def _dict(self, node: nodes.Dict, scope: Scope) -> Column:
        keys, values = [p.key for p in node.items], [p.value for p in node.items]
        n = len(keys)
        return self._apply(
            lambda *all_: dict(zip(all_[:n], all_[n:], strict=True)), [*keys, *values], scope
        )

    def _concat(self, node: nodes.Concat, scope: Scope) -> Column:
        parts = [self.value(n, scope) for n in node.nodes]
        one_text = environment().one_text
        return rowwise(lambda *values: one_text(values), *parts, rows=scope.rows)

    def _filter(self, node: Any, scope: Scope) -> Column:
        function = applied(type(node).__name__, node.name)
        over = node.node if node.node is not None else nodes.Name(_BLOCK, "load")
        if isinstance(node, nodes.Filter) and (args := literal_arguments(node)) is not None:
            if node.name == "map" and args and type(args[0]) is str:
                return mapped(args[0], args[1:], self.value(over, scope), scope.rows)
            return filtered(node.name, args, self.value(over, scope), scope.rows)
        node = guarded(node)
        return self._apply(function, [over, *node.args], scope, node.kwargs)

    _test = _filter

    def _filterblock(self, node: nodes.FilterBlock, scope: Scope) -> Column:
        return rowwise(_text_alone, self._block(node, scope), rows=scope.rows).printed(scope.rows)

    def _block(self, node: nodes.FilterBlock | nodes.AssignBlock, scope: Scope) -> Column:
        """Text of a block, filtered if it has a filter."""
        inner = scope.nested()
        text = self.body(node.body, inner)
        if node.filter is None:
            return text
        inner.set(_BLOCK, text)
        return self.value(node.filter, inner)

    def _compare(self, node: nodes.Compare, scope: Scope) -> Column:
        operations = [COMPARED[o.op] for o in node.ops]
        operands = [node.expr, *(o.expr for o in node.ops)]
        if len(operations) == 1:
            return self._apply(operations[0], operands, scope)

        def chained(*values: Any) -> Any:
            found: Any = True
            for place, compare in enumerate(operations):
                found = compare(values[place], values[place + 1])
                if not found:
                    break
            return found

        return self._apply(chained, operands, scope)

    def _and(self, node: nodes.And, scope: Scope) -> Column:
        return self._short(node.left, node.right, scope, continues_on=True)

    def _or(self, node: nodes.Or, scope: Scope) -> Column:
        return self._short(node.left, node.right, scope, continues_on=False)

    def _short(
        self, left: nodes.Node, right: nodes.Node, scope: Scope, *, continues_on: bool
    ) -> Column:
        first = self.value(left, scope)
        truth, resolved = first.truth(scope.rows)
        more = np.flatnonzero((truth == continues_on) & resolved)
        rest = np.flatnonzero((truth != continues_on) & resolved)
        second = self.value(right, scope.sub(more))
        return scattered([(rest, first.take(rest)), (more, second)], scope.rows)

    def _condexpr(self, node: nodes.CondExpr, scope: Scope) -> Column:
        truth, resolved = self.value(node.test, scope).truth(scope.rows)
        yes, no = np.flatnonzero(truth & resolved), np.flatnonzero(~truth & resolved)
        parts = [(yes, self.value(node.expr1, scope.sub(yes)))]
        if node.expr2 is not None:
            parts.append((no, self.value(node.expr2, scope.sub(no))))
        elif len(no):
            parts.append((no, Column.constant(Undefined())))
        return scattered(parts, scope.rows)

    def _getattr(self, node: nodes.Getattr, scope: Scope) -> Column:
        if (attr := of_loop(node)) is not None and (found := scope.get(f"loop.{attr}")) is not None:
            return found
        return rowwise(
            attribute, self.value(node.node, scope), Column.constant(node.attr), rows=scope.rows
        )

    def _getitem(self, node: nodes.Getitem, scope: Scope) -> Column:
        item: Operation = item_of if has_fixed_sign(node.arg) else item_of_row
        if isinstance(node.arg, nodes.Slice):
            item = operator.getitem
        return self._apply(item, [node.node, node.arg], scope)

    def _slice(self, node: nodes.Slice, scope: Scope) -> Column:
        none = nodes.Const(None)
        first, last, step = (b or none for b in (node.start, node.stop, node.step))
        fixed_signs = (has_fixed_sign(first), has_fixed_sign(last), has_fixed_sign(step))
        return self._apply(part(fixed_signs), [first, last, step], scope)

    def _call(self, node: nodes.Call, scope: Scope) -> Column:
        if of_loop(node.node) == "cycle" and (place := scope.get("loop.index0")) is not None:
            values = [self.value(a, scope) for a in node.args]
            return rowwise(lambda n, *of: of[n % len(of)], place, *values, rows=scope.rows)
        if isinstance(node.node, nodes.Name) and node.node.name in STATEFUL:
            each = Column.of([environment().globals[node.node.name]] * scope.rows)
            keys, inner = (
                [k.key for k in node.kwargs],
                [*node.args, *(k.value for k in node.kwargs)],
            )
            columns = [self.value(a, scope) for a in inner]
            n = len(node.args)
            return rowwise(
                lambda f, *a: f(*a[:n], **dict(zip(keys, a[n:], strict=True))),
                each, *columns, rows=scope.rows,
            )  # fmt: skip
        if isinstance(node.node, nodes.EnvironmentAttribute):
            return self._apply(getattr(environment(), node.node.name), node.args, scope)
        node = guarded(node)
        return self._apply(called, [node.node, *node.args], scope, node.kwargs)

    def _with(self, node: nodes.With, scope: Scope) -> Column:
        inner = scope.nested()
        pairs = zip(node.targets, node.values, strict=True)
        fallbacks = [self._bind(target, self.value(value, scope), inner) for target, value in pairs]
        found = self.body(node.body, inner)
        for rows in fallbacks:
            found = found.with_fallback(rows, scope.rows)
        return found

    def _if(self, node: nodes.If, scope: Scope) -> Column:
        remaining: Rows = np.arange(scope.rows)
        texts: list[tuple[Rows, Column]] = []
        inner: list[tuple[Rows, Scope]] = []
        for test, body in [(node.test, node.body), *((e.test, e.body) for e in node.elif_)]:
            truth, resolved = self.value(test, scope.sub(remaining)).truth(len(remaining))
            yes = remaining[truth & resolved]
            branch = scope.sub(yes)
            texts.append((yes, self.body(body, branch)))
            inner.append((yes, branch))
            remaining = remaining[~truth & resolved]
        last = scope.sub(remaining)
        texts.append((remaining, self.body(node.else_, last)))
        inner.append((remaining, last))
        self._merge(inner, scope)
        return scattered(texts, scope.rows)

    def _merge(self, branches: Sequence[tuple[Rows, Scope]], scope: Scope) -> None:
        """Bind the names that the branches of an `if` assigned."""
        for name in dict.fromkeys(n for _, inner in branches for n in inner.own):
            absent = Column.constant(environment().undefined(name=name))
            before = scope.get(name) or absent
            parts = [(rows, b.own.get(name) or before.take(rows)) for rows, b in branches]
            scope.set(name, scattered(parts, scope.rows))

    def _for(self, node: nodes.For, scope: Scope) -> Column:
        lists = rowwise(list, self.value(node.iter, scope), rows=scope.rows)
        found = lists.values(scope.rows)
        counts = np.array([0 if v is None else len(v) for v in found], dtype=np.int64)
        parents = np.repeat(np.arange(scope.rows), counts)
        items = Column.of([item for v in found if v for item in v])
        if node.test is not None:
            inner = scope.sub(parents)
            lists = lists.with_fallback(parents[self._bind(node.target, items, inner)], scope.rows)
            truth, resolved = self.value(node.test, inner).truth(len(parents))
            passing = np.flatnonzero(truth & resolved)
            lists = lists.with_fallback(parents[~resolved], scope.rows)
            parents, items = parents[passing], items.take(passing)
            counts = np.bincount(parents, minlength=scope.rows)
        turn_by_turn = keeps_state(node)
        run = self._turns if turn_by_turn else self._iterations
        text = run(node, scope, items, parents, counts)
        empty = np.flatnonzero(counts == 0)
        if node.else_ and len(empty):
            other = self.body(node.else_, scope.sub(empty))
            full = np.flatnonzero(counts > 0)
            text = scattered([(full, text.take(full)), (empty, other)], scope.rows)
        return text.with_fallback(lists.fallback_rows(), scope.rows)

    def _iterations(
        self, node: nodes.For, scope: Scope, items: Column, parents: Rows, counts: Rows
    ) -> Column:
        """Render the body for all items of all rows at once; join the texts of each row."""
        inner = scope.sub(parents)
        fallbacks = self._bind(node.target, items, inner)
        ends = np.cumsum(counts)
        place = np.arange(len(parents)) - np.repeat(ends - counts, counts)
        _number(inner, place, np.repeat(counts, counts))
        flat = self.body(node.body, inner)
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, flat.text(len(parents)))
        text = Column.of_text(pc.binary_join(lists, ""))
        return text.with_fallback(
            parents[np.concatenate([flat.fallback_rows(), fallbacks])], scope.rows
        )

    def _turns(
        self, node: nodes.For, scope: Scope, items: Column, parents: Rows, counts: Rows
    ) -> Column:
        """Render the n-th iteration of all rows at once, for bodies that keep state."""
        starts = np.cumsum(counts) - counts
        pieces: list[list[str]] = [[] for _ in range(scope.rows)]
        fallback = np.zeros(scope.rows, np.bool_)
        for turn in range(int(counts.max(initial=0))):
            rows = np.flatnonzero(counts > turn)
            inner = scope.sub(rows)
            fallback[rows[self._bind(node.target, items.take(starts[rows] + turn), inner)]] = True
            _number(inner, np.full(len(rows), turn), counts[rows])
            text = self.body(node.body, inner)
            fallback[rows[text.fallback_rows()]] = True
            for row, piece in zip(rows.tolist(), text.values(len(rows)), strict=True):
                pieces[row].append(piece)
        return Column.of_text(pa.array(map("".join, pieces), pa.string()), fallback)

    def _bind(self, target: nodes.Node, values: Column, scope: Scope) -> Rows:
        """Bind an assignment's target. -> rows where its value falls back, used or not"""
        if isinstance(target, nodes.Name):
            scope.set(target.name, values)
            return values.fallback_rows()
        if isinstance(target, nodes.NSRef):
            space = self._name(nodes.Name(target.name, "load"), scope)
            done = rowwise(_set_in, space, Column.constant(target.attr), values, rows=scope.rows)
            return done.fallback_rows()
        names = cast(nodes.Tuple, target).items
        unpacked = rowwise(_unpacked, values, Column.constant(len(names)), rows=scope.rows)
        for place, name in enumerate(names):
            part = rowwise(operator.itemgetter(place), unpacked, rows=scope.rows)
            self._bind(name, part, scope)
        return unpacked.fallback_rows()


def _number(scope: Scope, place: Rows, length: Rows) -> None:
    """Bind the attributes of `loop`. place: 0-based iteration; length: iterations of the loop."""
    attributes = {
        "index": place + 1, "index0": place, "first": place == 0, "last": place == length - 1,
        "length": length, "revindex": length - place, "revindex0": length - place - 1,
    }  # fmt: skip
    for name, values in attributes.items():
        scope.set(f"loop.{name}", Column.of(values.tolist()))


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

"""Columns of a row set: fields, names of `let`, truth of conditions, answer options.

Each is evaluated once for all rows. Rows that the column engine cannot resolve fall back to the row
engine.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.option_table import (
    Listing,
    OptionTable,
    gold_texts,
    listing,
    option_table,
)
from flancompile.compiler.columns.jinja.column import Column, Frame, Rows
from flancompile.compiler.columns.jinja.lower import evaluate
from flancompile.compiler.columns.jinja.lowerable import why_not
from flancompile.compiler.columns.ropes.fragment_cache import FragmentCache, Printed
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import made_of
from flancompile.compiler.render.row_set import Pick, RowSet
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.models.task import Choices, Template

__all__ = ["Tabled"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class Tabled:
    """Columns over a row set, and the fragments of their texts.

    cache: fragments shared by the epochs of the row set's block.
    """

    def __init__(
        self,
        rows: RowSet,
        fragments: Fragments | None = None,
        cache: FragmentCache | None = None,
    ) -> None:
        self.rows, self.count = rows, len(rows)
        self.fragments = Fragments() if fragments is None else fragments
        self.cache = FragmentCache() if cache is None else cache
        self._printed: dict[tuple[str, Hashable], Printed] = {}  # for names of `let`
        self._gold_numbers: dict[int, Printed] = {}
        self.fields = Frame(self.count, load=self._field)
        self.shared = self.fields.nested()
        everyone: Rows = np.arange(self.count)
        self.doubt = self._shared_let(everyone)
        self._options: dict[int, OptionTable] = {}
        self._golds: dict[int, Column] = {}
        self._listings: dict[int, Listing] = {}

    def _field(self, name: str) -> Column | None:
        variable = self.rows.variable
        if variable is not None and variable[0] == name:
            return Column.constant(variable[1])
        if name in self.rows.arrays:
            return Column.of_array(self.rows.arrays[name])
        return Column.of(list(self.rows.columns[name])) if name in self.rows.columns else None

    def is_own(self, name: str) -> bool:
        """Whether a name is a field that neither `let` nor `for_each` hides."""
        variable, columns = self.rows.variable, self.rows.columns
        hidden = variable is not None and variable[0] == name
        return name in columns and name not in self.rows.task.let and not hidden

    def is_text(self, name: str) -> bool:
        """Whether a field or a name of the task's `let` is text in every row."""
        if self.is_own(name) and name in self.rows.arrays:
            array = self.rows.arrays[name]
            return bool(pa.types.is_string(array.type) and array.null_count == 0)
        column = self.shared.get(name)
        return column is not None and column.is_text

    def frame(self, template: Template, rows: Rows) -> tuple[Frame, Flags]:
        """Scope of a template's texts over some rows. -> (scope, rows that fall back)"""
        frame = self.shared.sub(rows)
        return frame, self.doubt[rows] | self._let(frame, template.name, template.let, rows)

    def _shared_let(self, everyone: Rows) -> Flags:
        """Bind the names of the task's `let`; without draws, epochs share their columns."""
        let = self.rows.task.let
        if not let or any("pick" in compile_expression(t).names for t in let.values()):
            return self._let(self.shared, None, let, everyone)

        def make() -> tuple[dict[str, Column], Flags]:
            frame = self.fields.nested()
            doubt = self._let(frame, None, let, everyone)
            return frame.own, doubt

        columns, doubt = self.rows.once(self.rows.shared.lets, tuple(let.items()), make)
        for name, column in columns.items():
            self.shared.set(name, column)
        return doubt

    def _let(self, frame: Frame, owner: str | None, let: Mapping[str, str], rows: Rows) -> Flags:
        doubt = np.zeros(len(rows), np.bool_)
        for name, text in let.items():
            if why_not(text, expression=True) is not None:
                return np.ones(len(rows), np.bool_)
            purpose = f"let:{owner or ''}:{name}"
            scope = frame.nested()
            if "pick" in compile_expression(text).names:
                picks = [Pick(self.rows, r, purpose) for r in rows.tolist()]
                scope.set("pick", Column.of(picks))
            found = evaluate(text, scope)
            doubt |= found.unsure(len(rows))
            frame.set(name, found)
        return doubt

    def holds(self, condition: str | None) -> tuple[Flags, Flags]:
        """Evaluate a condition over the fields. -> (truth, rows where it is resolved)"""
        if condition is None:
            return np.ones(self.count, np.bool_), np.ones(self.count, np.bool_)
        conditions = self.rows.shared.conditions
        return self.rows.once(conditions, condition, lambda: self._truth(condition))

    def _truth(self, condition: str) -> tuple[Flags, Flags]:
        if why_not(condition, expression=True) is None:
            return evaluate(condition, self.fields).truth(self.count)
        nowhere = np.zeros(self.count, np.bool_)
        return nowhere, nowhere

    def has_targets(self, template: Template) -> Flags:
        """Whether all fields in the template's target have text. -> bool[rows]"""
        found = np.ones(self.count, np.bool_)
        filled = self.rows.shared.filled
        for name in compile_template(template.target).names & self.rows.columns.keys():
            found &= self.rows.once(filled, name, partial(self._is_filled, name))
        return found

    def _is_filled(self, name: str) -> Flags:
        values = self.rows.columns[name]
        return np.array([v is not None and bool(str(v).strip()) for v in values], np.bool_)

    def numbers(self, name: str, how: Hashable = None) -> Printed:
        """Fragment of a name's text in each row. -> (fragments, rows that fall back, or None)

        name: a field or a name of the task's `let`; how: filters over its values.
        """
        known = self.cache.printed if self.is_own(name) else self._printed
        if (name, how) not in known:
            column = self.shared.get(name)
            assert column is not None
            known[name, how] = self.printed(column, self.count, how)
        return known[name, how]

    def gold_numbers(self, choices: Choices) -> Printed:
        """Fragments of the right options. -> (fragments, rows that fall back, or None)"""
        if id(choices) not in self._gold_numbers:
            self._gold_numbers[id(choices)] = self.printed(self.gold(choices), self.count)
        return self._gold_numbers[id(choices)]

    def printed(self, column: Column, count: int, how: Hashable = None) -> Printed:
        """Fragments of a column's texts. -> (fragments, rows that fall back, or None)"""
        shown = column.printed(count) if how is None else made_of(how, column, count)
        unsure = shown.unsure(count)
        return self.fragments.of(shown.text(count)), unsure if unsure.any() else None

    def option_numbers(self, table: OptionTable) -> Ints:
        """Fragments of a table's options. -> int64[table.flat]"""
        listed = table.listing
        known = self.cache.options.get(id(listed))
        if known is None or known[0] is not listed:
            known = self.cache.options[id(listed)] = listed, self.fragments.of(listed.flat)
        more = table.flat.slice(len(listed.flat))
        found: Ints = np.concatenate([known[1], self.fragments.of(more)]) if len(more) else known[1]
        return found

    def options(self, choices: Choices) -> OptionTable:
        """Options of every row."""
        if id(choices) not in self._options:
            found = option_table(self.rows, self._listing(choices), choices)
            self._options[id(choices)] = found
        return self._options[id(choices)]

    def gold(self, choices: Choices) -> Column:
        """Text of each row's right option."""
        if id(choices) not in self._golds:
            found = gold_texts(self.rows, self._listing(choices), choices)
            self._golds[id(choices)] = found
        return self._golds[id(choices)]

    def _listing(self, choices: Choices) -> Listing:
        def make() -> Listing:
            return listing(self.rows, self.shared, self.doubt, choices)

        if self.rows.task.let:  # which may draw anew in each epoch
            if id(choices) not in self._listings:
                self._listings[id(choices)] = make()
            return self._listings[id(choices)]
        return self.rows.once(self.rows.shared.listings, repr(choices), make)

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
    OptionTable,
    gold_texts,
    option_lists,
    option_table,
)
from flancompile.compiler.columns.ropes.fragment_cache import FragmentCache, Printed
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import filtered_column
from flancompile.compiler.render.option_lists import OptionLists
from flancompile.compiler.render.row_set import Pick, RowSet
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.models.task import Choices, Template
from flancompile.lowering.column import Column, Rows, Scope
from flancompile.lowering.lower import evaluate
from flancompile.lowering.lowerable import why_not

__all__ = ["RowSetColumns"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class RowSetColumns:
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
        self.fields = Scope(self.count, load=self._field)
        self.shared = self.fields.nested()
        everyone: Rows = np.arange(self.count)
        self.fallback = self._shared_let(everyone)
        self._options: dict[int, OptionTable] = {}
        self._gold_columns: dict[int, Column] = {}
        self._option_lists: dict[int, OptionLists] = {}

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

    def scope(self, template: Template, rows: Rows) -> tuple[Scope, Flags]:
        """Scope of a template's texts over some rows. -> (scope, rows that fall back)"""
        scope = self.shared.sub(rows)
        return scope, self.fallback[rows] | self._let(scope, template.name, template.let, rows)

    def _shared_let(self, everyone: Rows) -> Flags:
        """Bind the names of the task's `let`; without draws, epochs share their columns."""
        let = self.rows.task.let
        if not let or any("pick" in compile_expression(t).names for t in let.values()):
            return self._let(self.shared, None, let, everyone)

        def make() -> tuple[dict[str, Column], Flags]:
            scope = self.fields.nested()
            fallback = self._let(scope, None, let, everyone)
            return scope.own, fallback

        columns, fallback = self.rows.cached(self.rows.shared.lets, tuple(let.items()), make)
        for name, column in columns.items():
            self.shared.set(name, column)
        return fallback

    def _let(self, scope: Scope, owner: str | None, let: Mapping[str, str], rows: Rows) -> Flags:
        fallback = np.zeros(len(rows), np.bool_)
        for name, text in let.items():
            if why_not(text, expression=True) is not None:
                return np.ones(len(rows), np.bool_)
            purpose = f"let:{owner or ''}:{name}"
            inner = scope.nested()
            if "pick" in compile_expression(text).names:
                picks = [Pick(self.rows, r, purpose) for r in rows.tolist()]
                inner.set("pick", Column.of(picks))
            found = evaluate(text, inner)
            fallback |= found.fallback(len(rows))
            scope.set(name, found)
        return fallback

    def holds(self, condition: str | None) -> tuple[Flags, Flags]:
        """Evaluate a condition over the fields. -> (truth, rows where it is resolved)"""
        if condition is None:
            return np.ones(self.count, np.bool_), np.ones(self.count, np.bool_)
        conditions = self.rows.shared.conditions
        return self.rows.cached(conditions, condition, lambda: self._truth(condition))

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
            found &= self.rows.cached(filled, name, partial(self._is_filled, name))
        return found

    def _is_filled(self, name: str) -> Flags:
        values = self.rows.columns[name]
        return np.array([v is not None and bool(str(v).strip()) for v in values], np.bool_)

    def numbers(self, name: str, filters: Hashable = None) -> Printed:
        """Fragment of a name's text in each row. -> (fragments, rows that fall back, or None)

        name: a field or a name of the task's `let`; filters: those over its values.
        """
        cached = self.cache.printed if self.is_own(name) else self._printed
        if (name, filters) not in cached:
            column = self.shared.get(name)
            assert column is not None
            cached[name, filters] = self.printed(column, self.count, filters)
        return cached[name, filters]

    def gold_numbers(self, choices: Choices) -> Printed:
        """Fragments of the right options. -> (fragments, rows that fall back, or None)"""
        if id(choices) not in self._gold_numbers:
            self._gold_numbers[id(choices)] = self.printed(self.gold(choices), self.count)
        return self._gold_numbers[id(choices)]

    def printed(self, column: Column, count: int, filters: Hashable = None) -> Printed:
        """Fragments of a column's texts. -> (fragments, rows that fall back, or None)"""
        texts = (
            column.printed(count) if filters is None else filtered_column(filters, column, count)
        )
        fallback = texts.fallback(count)
        return self.fragments.intern(texts.text(count)), fallback if fallback.any() else None

    def option_numbers(self, table: OptionTable) -> Ints:
        """Fragments of a table's options. -> int64[table.flat]"""
        lists = table.lists
        cached = self.cache.options.get(id(lists))
        if cached is None or cached[0] is not lists:
            cached = self.cache.options[id(lists)] = lists, self.fragments.intern(lists.flat)
        more = table.flat.slice(len(lists.flat))
        found: Ints = (
            np.concatenate([cached[1], self.fragments.intern(more)]) if len(more) else cached[1]
        )
        return found

    def options(self, choices: Choices) -> OptionTable:
        """Options of every row."""
        if id(choices) not in self._options:
            found = option_table(self.rows, self._lists(choices), choices)
            self._options[id(choices)] = found
        return self._options[id(choices)]

    def gold(self, choices: Choices) -> Column:
        """Text of each row's right option."""
        if id(choices) not in self._gold_columns:
            found = gold_texts(self.rows, self._lists(choices), choices)
            self._gold_columns[id(choices)] = found
        return self._gold_columns[id(choices)]

    def _lists(self, choices: Choices) -> OptionLists:
        def make() -> OptionLists:
            return option_lists(self.rows, self.shared, self.fallback, choices)

        if self.rows.task.let:  # which may draw anew in each epoch
            if id(choices) not in self._option_lists:
                self._option_lists[id(choices)] = make()
            return self._option_lists[id(choices)]
        return self.rows.cached(self.rows.shared.option_lists, repr(choices), make)

"""A row set in columns: its fields, its `let` names, which rows a condition holds for, its options.

Each is worked out once for all rows. Where only the sandbox knows, a row is not `sure`, and is left
to the renderer that goes row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flancompile.compiler.column import Column, Frame, Rows
from flancompile.compiler.lower import evaluate
from flancompile.compiler.lowerable import why_not
from flancompile.compiler.rows import Options, Pick, RowSet
from flancompile.dsl.expression import RowError, compile_template
from flancompile.dsl.task import Choices, Template

__all__ = ["OptionTable", "Tabled"]

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class OptionTable:
    """Every row's options in their drawn order, None where it has none; gold: the right one's."""

    texts: Sequence[tuple[str, ...] | None]
    gold: npt.NDArray[np.int64]
    given: Flags


class Tabled:
    """Columns over a row set."""

    def __init__(self, rows: RowSet) -> None:
        self.rows, self.count = rows, len(rows)
        names = {n: rows.column(n) for n in rows.columns}
        if rows.variable is not None:
            names[rows.variable[0]] = Column.constant(rows.variable[1])
        self.fields = Frame(self.count, names)
        self.shared = self.fields.nested()
        everyone: Rows = np.arange(self.count)
        self.doubt = self._let(self.shared, None, rows.task.let, everyone)
        self._held: dict[str, tuple[Flags, Flags]] = {}
        self._options: dict[int, OptionTable] = {}
        self._golds: dict[int, Column] = {}
        self._filled: dict[str, Flags] = {}

    def frame(self, template: Template, rows: Rows) -> tuple[Frame, Flags]:
        """Some rows with the names that the template's texts see, and where they are not sure."""
        frame = self.shared.sub(rows)
        return frame, self.doubt[rows] | self._let(frame, template.name, template.let, rows)

    def _let(self, frame: Frame, owner: str | None, let: Mapping[str, str], rows: Rows) -> Flags:
        doubt = np.zeros(len(rows), np.bool_)
        for name, text in let.items():
            if why_not(text, expression=True) is not None:
                return np.ones(len(rows), np.bool_)
            purpose = f"let:{owner or ''}:{name}"
            scope = frame.nested()
            scope.set("pick", Column.of([Pick(self.rows, r, purpose) for r in rows.tolist()]))
            found = evaluate(text, scope)
            doubt |= found.unsure(len(rows))
            frame.set(name, found)
        return doubt

    def holds(self, condition: str | None) -> tuple[Flags, Flags]:
        """(where a condition over the fields holds, where that is sure)."""
        if condition is None:
            return np.ones(self.count, np.bool_), np.ones(self.count, np.bool_)
        if condition not in self._held:
            if why_not(condition, expression=True) is None:
                self._held[condition] = evaluate(condition, self.fields).truth(self.count)
            else:
                nowhere = np.zeros(self.count, np.bool_)
                self._held[condition] = nowhere, nowhere
        return self._held[condition]

    def has_targets(self, template: Template) -> Flags:
        """Where the fields that the template's target prints are there."""
        found = np.ones(self.count, np.bool_)
        for name in compile_template(template.target).names & self.rows.columns.keys():
            if name not in self._filled:
                values = self.rows.columns[name]
                filled = [v is not None and bool(str(v).strip()) for v in values]
                self._filled[name] = np.array(filled, np.bool_)
            found &= self._filled[name]
        return found

    def options(self, choices: Choices) -> OptionTable:
        """The options of every row."""
        if id(choices) not in self._options:
            self._options[id(choices)] = self._constant_options(choices) or self._each(choices)
        return self._options[id(choices)]

    def gold(self, choices: Choices) -> Column:
        """The right option's text."""
        if id(choices) not in self._golds:
            values: list[str | None] = []
            for row in range(self.count):
                try:
                    values.append(self.rows.gold(row, choices))
                except RowError:
                    values.append(None)
            self._golds[id(choices)] = Column.of(values, np.array([v is None for v in values]))
        return self._golds[id(choices)]

    def _each(self, choices: Choices) -> OptionTable:
        found: list[Options | None] = []
        for row in range(self.count):
            try:
                found.append(self.rows.options(row, choices))
            except RowError:
                found.append(None)
        gold = np.array([-1 if o is None else o.gold for o in found], dtype=np.int64)
        return OptionTable([None if o is None else o.texts for o in found], gold, gold >= 0)

    def _constant_options(self, choices: Choices) -> OptionTable | None:
        """The same for options that are the same in every row, by columns."""
        given = choices.options
        if not isinstance(given, dict | tuple) or not 2 <= len(given) <= 26:
            return None
        if isinstance(choices.labels, str) or why_not(choices.gold, expression=True) is not None:
            return None
        gold = evaluate(choices.gold, self.shared)
        if (gold.unsure(self.count) | self.doubt).any():
            return None
        texts = [str(t) for t in (given.values() if isinstance(given, dict) else given)]
        places = self._places(choices, texts, gold.values(self.count))
        order = np.tile(np.arange(len(texts)), (self.count, 1))
        if choices.shuffle:
            keys = [self.rows.bits("option order", n) for n in range(len(texts))]
            order = np.argsort(np.stack(keys, axis=1), axis=1, kind="stable")
        shown = np.argmax(order == places[:, None], axis=1)
        held = places >= 0
        mixed = np.array(texts, dtype=object)[order].tolist()
        listed = [tuple(t) if ok else None for t, ok in zip(mixed, held.tolist(), strict=True)]
        return OptionTable(listed, np.where(held, shown, -1), held)

    def _places(
        self, choices: Choices, texts: Sequence[str], golds: Sequence[object]
    ) -> npt.NDArray[np.int64]:
        """Where the right option stands as the author lists them; -1 where there is none."""
        known: dict[object, int] = {}

        def place(gold: object) -> int:
            if isinstance(gold, list | dict):
                return self.rows.gold_place(choices, texts, gold)
            key = (type(gold), gold)
            if key not in known:
                known[key] = self.rows.gold_place(choices, texts, gold)
            return known[key]

        return np.array([place(g) for g in golds], dtype=np.int64)

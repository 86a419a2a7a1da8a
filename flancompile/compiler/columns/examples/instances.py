"""Inputs and targets of many rows as ropes.

An instance is a row under a template and an option style: a query, or an exemplar. Texts with a
program are concatenated for all rows at once; the others are rendered by columns, one template at a
time.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile.compiler.columns.examples.option_blocks import option_blocks
from flancompile.compiler.columns.examples.row_set_columns import RowSetColumns
from flancompile.compiler.columns.grouping import groups
from flancompile.compiler.columns.ropes.fragments import COLUMN
from flancompile.compiler.columns.ropes.programs import Constant, Form, template_form
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.render.renderer import RenderSpec, hidden
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.models.task import Template
from flancompile.lowering.column import Column, Rows, Scope
from flancompile.lowering.lower import render
from flancompile.lowering.lowerable import why_not

__all__ = ["NO_STYLE", "Instances", "instances"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NO_STYLE = -1


@dataclass(frozen=True)
class Instances:
    """Texts of instances. resolved: bool[instances], False for those that fall back."""

    input: Ropes
    target: Ropes
    resolved: Flags

    def part(self, start: int, stop: int) -> Instances:
        """Instances from `start` to `stop`."""
        inputs, targets = self.input.part(start, stop), self.target.part(start, stop)
        return Instances(inputs, targets, self.resolved[start:stop])


def instances(
    spec: RenderSpec, columns: RowSetColumns, rows: Ints, templates: Ints, styles: Ints
) -> Instances:
    """Build the input and target of each instance.

    rows, templates, styles: int64[instances]; styles: indexes into the sorted option styles, or
    `NO_STYLE`.
    """
    builder = _Instances(spec, columns, rows, templates, styles)
    for key, at in groups(templates * 2 + (styles != NO_STYLE)):
        builder.add(spec.task.templates[key // 2], at, with_options=bool(key % 2))
    return builder.texts()


@dataclass
class _TextPrograms:
    """Programs of one text (input or target). of: int64[instances], indexes into `programs`;
    whole: slot of a text that was rendered by columns, which program 0 prints."""

    of: Ints
    whole: int
    programs: list[Ints] = field(default_factory=list)

    def put(self, at: Rows, codes: Ints) -> None:
        """Set the program of some instances."""
        self.of[at] = len(self.programs)
        self.programs.append(codes)


@dataclass
class _Names:
    """Names visible to the texts of one template, in some instances.

    codes: slots by name; own: names that only this template's scope binds.
    """

    scope: Scope
    codes: Mapping[str, int]
    own: frozenset[str]


_BLOCK, _GOLD, _INPUT, _TARGET = range(4)  # slots of an instance; names of templates follow


class _Instances:
    """Builder of instances, template by template.

    slots: int64[instances, slots], values that differ between instances of a row; column_slots:
    slots of columns of the row set, by name and filters; table: their fragments, int64[rows] each.
    """

    def __init__(
        self, spec: RenderSpec, columns: RowSetColumns, rows: Ints, templates: Ints, styles: Ints
    ) -> None:
        self.spec, self.columns, self.rows = spec, columns, rows
        self.fragments = columns.fragments
        nothing = int(self.fragments.intern(pa.array([""], pa.string()))[0])
        self.slots = np.full((len(rows), _TARGET + 1), nothing)
        self.width = self.slots.shape[1]  # slots in use
        self.column_slots: dict[tuple[str, Hashable], int] = {}
        self.table: list[Ints] = []
        self.input, self.target = (
            _TextPrograms(np.zeros(len(rows), np.int64), slot, [np.array([-1 - slot])])
            for slot in (_INPUT, _TARGET)
        )
        self.fallback = np.zeros(len(rows), np.bool_)
        self.pieces = self._options(templates, styles)

    def _options(self, templates: Ints, styles: Ints) -> Ropes:
        """Build option blocks and gold texts of instances with an option style; set their slots."""
        task = self.spec.task
        option_styles = [self.spec.option_styles[i] for i in sorted(self.spec.option_styles)]
        with_options = np.flatnonzero(styles != NO_STYLE)
        every = [t.choices or task.choices for t in task.templates]
        distinct = list({id(c): c for c in every if c is not None}.values())
        kinds = np.array(
            [next((i for i, k in enumerate(distinct) if k is c), len(distinct)) for c in every]
        )
        parts: list[Ropes] = []
        base = 0
        for kind, among in groups(kinds[templates[with_options]]):
            if kind == len(distinct):
                continue
            at, table = with_options[among], self.columns.options(distinct[kind])
            given = table.given[self.rows[at]]
            self.fallback[at[~given]] = True
            at, numbers = at[given], self.columns.option_numbers(table)
            blocks, gold, fallback = option_blocks(
                self.fragments, table, numbers, self.rows[at], styles[at], option_styles
            )
            parts += [blocks, gold]
            self.slots[at, _BLOCK] = -1 - base - np.arange(len(at))
            self.slots[at, _GOLD] = -1 - base - len(at) - np.arange(len(at))
            self.fallback[at] |= fallback
            base += 2 * len(at)
        return Ropes.joined(parts)

    def add(self, template: Template, at: Rows, *, with_options: bool) -> None:
        """Add instances of one template: all, or none, with an option style."""
        source = template.input if with_options else hidden(template.input)
        texts = (source, template.target)
        if template.turns is not None or any(why_not(text) is not None for text in texts):
            self.fallback[at] = True
            return
        choices = template.choices or self.spec.task.choices
        scope, fallback = self.columns.scope(template, self.rows[at])
        self.fallback[at] |= fallback
        codes: dict[str, int] = {}
        if with_options and choices is not None:
            codes = {"options": _BLOCK, "gold": _GOLD}
        else:
            scope.set("options", Column.constant(""))
            if choices is not None and "gold" in compile_template(template.target).names:
                printed = self.columns.gold_numbers(choices)
                codes = {"gold": self._column(("gold", id(choices)), *printed, at)}
        names = _Names(scope, codes, frozenset(template.let) | {"options"})
        forms = self._forms(template, texts, names)
        for text, form, programs in zip(texts, forms, (self.input, self.target), strict=True):
            if form is None:
                self._render(text, names, at, programs)
            else:
                self._add_program(text, form, names, at, programs)

    def _forms(
        self, template: Template, texts: tuple[str, str], names: _Names
    ) -> Sequence[Form | None]:
        """Forms of a template's texts; cached unless a `let` may draw anew in each epoch."""
        if template.let or self.spec.task.let:
            return [self._form(text, names) for text in texts]
        key = (*texts, *names.codes, repr(self.columns.rows.variable))
        forms = self.columns.cache.forms
        if key not in forms:
            forms[key] = [self._form(text, names) for text in texts]
        return forms[key]

    def _add_program(
        self, text: str, form: Form, names: _Names, at: Rows, programs: _TextPrograms
    ) -> None:
        slots = np.array([self._slot(*one, names, at) for one in form.slots], np.int64)
        codes = self.fragments.coded(form.program)
        if len(slots):
            codes = np.where(codes < 0, -1 - slots[-1 - np.minimum(codes, -1)], codes)
        programs.put(at, codes)
        for name, slot in zip(form.slots, slots.tolist(), strict=True):
            if name[1] is None and name[0] in form.tested:
                self._without(text, names, at, programs, slot)

    def _without(
        self, text: str, names: _Names, at: Rows, programs: _TextPrograms, slot: int
    ) -> None:
        """Render the instances in which a tested slot is empty."""
        empty = np.flatnonzero(self.fragments.is_empty(self._slot_values(slot, at)))
        if len(empty):
            part = _Names(names.scope.sub(empty), names.codes, names.own)
            self._render(text, part, at[empty], programs)

    def _slot_values(self, slot: int, at: Rows) -> Ints:
        """Values of a slot in some instances."""
        column = slot - COLUMN
        return self.table[column][self.rows[at]] if column >= 0 else self.slots[at, slot]

    def _column(
        self, key: tuple[str, Hashable], numbers: Ints, fallback: Flags | None, at: Rows
    ) -> int:
        """Slot of a column of the row set; marks the instances on which it falls back."""
        if fallback is not None:
            self.fallback[at] |= fallback[self.rows[at]]
        if key not in self.column_slots:
            self.column_slots[key] = COLUMN + len(self.table)
            self.table.append(numbers)
        return self.column_slots[key]

    def _slot(self, name: str, filters: Hashable, names: _Names, at: Rows) -> int:
        """Slot of a name's text after some filters."""
        if name in names.codes:
            return names.codes[name]
        if name in names.own:
            column = names.scope.get(name)
            assert column is not None
            numbers, fallback = self.columns.printed(column, len(at), filters)
            if fallback is not None:
                self.fallback[at] |= fallback
            if self.width == self.slots.shape[1]:
                self.slots = np.pad(self.slots, ((0, 0), (0, self.width)))
            self.slots[at, self.width] = numbers
            self.width += 1
            return self.width - 1
        return self._column((name, filters), *self.columns.numbers(name, filters), at)

    def _form(self, text: str, names: _Names) -> Form | None:
        """Form of a text over its names; None if it has no program."""
        open_: list[str] = []
        constants: list[tuple[str, Constant]] = []
        for name in sorted(compile_template(text).names):
            if name in names.codes or (name not in names.own and self.columns.is_own(name)):
                open_.append(name)
                continue
            column = names.scope.get(name)
            if column is not None and column.is_constant:
                constants.append((name, Constant.of(column.values(1)[0])))
            elif column is not None:
                open_.append(name)
        form = template_form(text, tuple(open_), tuple(constants))
        if form is None or any(
            n in names.codes and filters is not None for n, filters in form.slots
        ):
            return None
        return form if all(self._is_text(name, names) for name in form.tested) else None

    def _is_text(self, name: str, names: _Names) -> bool:
        if name in names.codes:
            return False
        if name not in names.own:
            return self.columns.is_text(name)
        column = names.scope.get(name)
        return column is not None and column.is_text

    def _render(self, text: str, names: _Names, at: Rows, programs: _TextPrograms) -> None:
        """Render a text by columns."""
        for name in names.codes.keys() & compile_template(text).names:
            texts = self.fragments.texts_of(self._slot_values(names.codes[name], at), self.pieces)
            names.scope.set(name, Column.of_text(texts))
        found = render(text, names.scope).printed(len(at))
        self.fallback[at] |= found.fallback(len(at))
        self.slots[at, programs.whole] = self.fragments.intern(found.text(len(at)))
        programs.of[at] = 0

    def texts(self) -> Instances:
        """Texts of all instances."""
        table = None
        if self.table:
            table = np.stack(self.table), self.rows
        found = [
            self.fragments.concatenate(s.programs, s.of, self.slots, self.pieces, table)
            for s in (self.input, self.target)
        ]
        marked = self.fragments.is_marked(found[0]) & self.fragments.is_marked(found[1])
        return Instances(found[0], found[1], ~self.fallback & marked)

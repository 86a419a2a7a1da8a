"""A set of rows as templates see them: contexts, drawn `let` values, choices, duplicates.

A row set is a block of a source, or a pool of exemplars from another split, a column or a file. All
values are functions of (seed, task, row digest, epoch), never of the set's size or order, except
distractors, which are drawn from the set's other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flancompile import draw
from flancompile.compiler.render.block_cache import BlockCache, Table
from flancompile.compiler.render.choices import (
    gold_index,
    label_texts,
    option_text,
    option_texts,
    written,
)
from flancompile.compiler.render.duplicates import fold, folded_digests, read_form
from flancompile.dsl.jinja.conclusion import rationale_fields
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.values import compared_key
from flancompile.dsl.models.task import Choices, Task
from flancompile.dsl.models.task import Template as TaskTemplate
from flancompile.sources.columns import is_json, restored

__all__ = ["MAX_OPTIONS", "Options", "Pick", "RowSet", "Stored", "without_doubles"]

MAX_OPTIONS = 26
T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """A row's answer options in the order shown, and the index of the right one.

    left_out: number of wrong ones over the limit; doubles: number of equal options removed.
    """

    texts: tuple[str, ...]
    gold: int
    left_out: int = 0
    doubles: int = 0


@dataclass
class RowSet:
    """Rows of one task in one epoch.

    digests: uint64[rows]; columns: each field's values, a list of `rows` items; arrays: the same in
    Arrow, for rows of a block; shared: values that the block's epochs share; origin: the read split
    of the rows, which identifies a row together with its digest.
    """

    task_id: str
    task: Task
    seed: int
    epoch: int
    digests: npt.NDArray[np.uint64]
    columns: Mapping[str, Sequence[Any]]
    variable: tuple[str, Any] | None = None
    arrays: Mapping[str, pa.Array] = field(default_factory=dict)
    shared: BlockCache = field(default_factory=BlockCache)
    origin: str = ""
    _options: dict[tuple[int, int], Options | str] = field(default_factory=dict)
    _bits: dict[tuple[str, int], npt.NDArray[np.uint64]] = field(default_factory=dict)
    _lets: dict[tuple[int, str | None], dict[str, object]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.digests)

    def bits(
        self, purpose: str, n: int = 0, rows: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.uint64]:
        """64 random bits for each row, or for some, for this task and epoch. -> uint64[rows]."""
        if rows is not None:
            digests = self.digests[rows]
            return draw.bits(self.seed, purpose, self.task_id, digests, self.epoch, n)
        key = (purpose, n)
        if key not in self._bits:
            self._bits[key] = draw.bits(
                self.seed, purpose, self.task_id, self.digests, self.epoch, n
            )
        return self._bits[key]

    def fields(self, row: int) -> dict[str, object]:
        """The row's fields and the `for_each` variable, by name."""
        context: dict[str, object] = {name: values[row] for name, values in self.columns.items()}
        if self.variable is not None:
            context[self.variable[0]] = self.variable[1]
        return context

    def context(self, row: int, template: TaskTemplate | None = None) -> dict[str, object]:
        """Fields with the `let` names of the task and of the template. Raises RowError."""
        context = self.fields(row)
        context.update(self._let(row, None, self.task.let, context))
        if template is not None and template.let:
            context.update(self._let(row, template.name, template.let, context))
        return context

    def _let(
        self, row: int, owner: str | None, let: Mapping[str, str], context: Mapping[str, object]
    ) -> dict[str, object]:
        key = (row, owner)
        if key in self._lets:
            return self._lets[key]
        scope, values = dict(context), dict[str, object]()
        for name, text in let.items():
            scope["pick"] = Pick(self, row, f"let:{owner or ''}:{name}")
            values[name] = scope[name] = compile_expression(text)(scope)
        self._lets[key] = values
        return values

    def shortened(
        self,
        row: int,
        template: TaskTemplate | None,
        fields: Mapping[str, object],
        unchanged: Set[str],
    ) -> dict[str, object]:
        """The context with some fields replaced, and with the `let` names computed from those.

        unchanged: names that keep their values, as do names that fail over the new fields.
        """
        whole, found = self.context(row, template), {**self.fields(row), **fields}
        lets = [
            (None, self.task.let),
            *([] if template is None else [(template.name, template.let)]),
        ]
        for owner, let in lets:
            for name, text in let.items():
                value = whole[name]
                if name not in unchanged:
                    pick = Pick(self, row, f"let:{owner or ''}:{name}")
                    with suppress(RowError):
                        value = compile_expression(text)({**found, "pick": pick})
                found[name] = value
        return found

    def applies(self, row: int, template: TaskTemplate) -> bool:
        """Whether the template's `when` is true for the row. Raises RowError."""
        return template.when is None or bool(compile_expression(template.when)(self.fields(row)))

    def options(self, row: int, choices: Choices) -> Options:
        """The row's options in their drawn order. Raises RowError if it has none."""
        key = (row, id(choices))
        if key not in self._options:
            try:
                self._options[key] = self._draw_options(row, choices)
            except RowError as error:
                self._options[key] = str(error)
        found = self._options[key]
        if isinstance(found, str):
            raise RowError(found)
        return found

    def gold(self, row: int, choices: Choices) -> str:
        """The right option's text, for any number of options. Raises RowError."""
        if choices.distractors is not None:
            text = self._gold_texts(choices)[row]
            if text is None:
                raise RowError("choices: no gold answer")
            return text
        texts, index = _given_options(self.context(row), choices)
        return texts[index]

    def _draw_options(self, row: int, choices: Choices) -> Options:
        if choices.distractors is not None:
            right = self.gold(row, choices)
            texts, gold = [right, *self._distractors(row, choices, right)], 0
            doubles = 0
        else:
            every, right_one = _given_options(self.context(row), choices)
            texts, gold = without_doubles(every, right_one)
            doubles = len(every) - len(texts)
        if len(texts) < 2:
            raise RowError("choices: fewer than two options")
        order = np.arange(len(texts))
        if choices.shuffle:
            keys = [int(self.bits("option order", n)[row]) for n in range(len(texts))]
            order = np.argsort(np.array(keys, dtype=np.uint64), kind="stable")
        left_out = max(0, len(texts) - MAX_OPTIONS)
        if left_out:
            others = [i for i in order if i != gold][: MAX_OPTIONS - 1]
            order = np.array([i for i in order if i == gold or i in others])
        place = int(np.flatnonzero(order == gold)[0])
        return Options(tuple(texts[i] for i in order), place, left_out, doubles)

    def _gold_texts(self, choices: Choices) -> list[str | None]:
        if choices.gold not in self._gold_columns:
            self._gold_columns[choices.gold] = self._evaluate(choices.gold)
        return self._gold_columns[choices.gold]

    @cached_property
    def _gold_columns(self) -> dict[str, list[str | None]]:
        return {}

    @cached_property
    def _groups(self) -> dict[str, dict[str, list[int]]]:
        return {}

    def group(self, field_name: str) -> dict[str, list[int]]:
        """Rows by the `compared_key` of their value of a field."""
        if field_name not in self._groups:
            groups: dict[str, list[int]] = {}
            for row, value in enumerate(self.columns[field_name]):
                groups.setdefault(compared_key(value), []).append(row)
            self._groups[field_name] = groups
        return self._groups[field_name]

    def peers(self, row: int, same: str | None) -> Sequence[int]:
        """The rows with an equal value in field `same`; all rows when it is None."""
        if same is None:
            return range(len(self))
        return self.group(same)[compared_key(self.columns[same][row])]

    def _evaluate(self, text: str) -> list[str | None]:
        expression, values = compile_expression(text), list[str | None]()
        for row in range(len(self)):
            try:
                values.append(option_text(expression(self.context(row))))
            except RowError:
                values.append(None)
        return values

    def _distractors(self, row: int, choices: Choices, gold: str) -> list[str]:
        peers, texts = self.peers(row, choices.same), self._gold_texts(choices)
        count = min(choices.distractors or 0, MAX_OPTIONS - 1)
        taken, found = {fold(gold)}, list[str]()
        for attempt in range(4 * count + 8):
            if len(found) == count:
                break
            bits = int(self.bits("distractor", attempt)[row])
            text = texts[peers[bits % len(peers)]]
            if text is not None and text.strip() and fold(text) not in taken:
                taken.add(fold(text))
                found.append(text)
        return found

    @cached_property
    def example_digest(self) -> npt.NDArray[np.uint64]:
        """A digest of each row's folded signature inputs and outputs; equal for duplicates.

        Rationales are left out, as one question with one answer may have several.
        """
        signature, unread = self.task.signature, rationale_fields(self.task)
        outputs = [n for n in signature.outputs if n not in unread]
        names = [n for n in (*signature.inputs, *outputs) if n in self.columns]
        if not names:
            return self.digests
        return self.cached(
            self.shared.digests,
            ("example", *names),
            lambda: folded_digests([self.arrays.get(n, self.columns[n]) for n in names]),
        )

    def folded(self, name: str) -> npt.NDArray[np.uint64]:
        """A digest of each row's normalised value of a field."""
        return self.cached(
            self.shared.digests,
            name,
            lambda: folded_digests([self.arrays.get(name, self.columns[name])]),
        )

    def cached(self, table: Table[T], key: Hashable, make: Callable[[], T]) -> T:
        """A value of `shared`, computed once.

        It may depend on the key, the fields and the `for_each` variable alone.
        """
        whole = key, repr(self.variable)
        if whole not in table:
            table[whole] = make()
        return table[whole]


class Stored(Mapping[str, Sequence[Any]]):
    """A block's columns as Python lists, each made on first use."""

    def __init__(self, arrays: Mapping[str, pa.Array], fields: Mapping[str, pa.Field]) -> None:
        self._arrays, self._fields, self._lists = arrays, fields, dict[str, list[Any]]()

    def arrays(self) -> Mapping[str, pa.Array]:
        """The columns as they are stored."""
        return self._arrays

    def exact(self) -> dict[str, pa.Array]:
        """The columns whose Arrow values equal the rows' own."""
        return {n: a for n, a in self._arrays.items() if not is_json(self._fields[n])}

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._lists:
            self._lists[name] = restored(self._arrays[name], self._fields[name])
        return self._lists[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays  # Mapping's own method would make the list

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


class Pick:
    """`pick(list)` in a `let`: a random item for the row; each call draws again."""

    __slots__ = ("_calls", "_purpose", "_row", "_rows")

    def __init__(self, rows: RowSet, row: int, purpose: str) -> None:
        self._rows, self._row, self._purpose, self._calls = rows, row, purpose, 0

    def __call__(self, items: Sequence[Any]) -> Any:
        values = list(items)
        if not values:
            raise RowError("pick: the list is empty")
        bits = int(self._rows.bits(self._purpose, self._calls)[self._row])
        self._calls += 1
        return values[bits % len(values)]


def _given_options(context: Mapping[str, object], choices: Choices) -> tuple[list[str], int]:
    options, labels = written(choices)
    texts = option_texts(_value(options, context))
    names = None if labels is None else label_texts(_value(labels, context))
    gold = compile_expression(choices.gold)(context)
    return texts, gold_index(gold, texts, names, choices.gold_by)


def _value(given: object, context: Mapping[str, object]) -> object:
    return compile_expression(given)(context) if isinstance(given, str) else given


def without_doubles(texts: Sequence[str], gold: int) -> tuple[list[str], int]:
    """Options without those that read like another, and the right one's new index.

    Of equal options the right one stays, else the first.
    """
    right = read_form(texts[gold])
    seen, distinct = {right}, list[int]()
    for index, form in enumerate(map(read_form, texts)):
        if index == gold or form not in seen:
            seen.add(form)
            distinct.append(index)
    return [texts[i] for i in distinct], distinct.index(gold)

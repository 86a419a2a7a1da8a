"""Exemplar pools: never the query, a duplicate of it, or two equal exemplars in a prompt.

A duplicate has equal inputs and outputs except for case, white space and Unicode form; equal inputs
with different outputs are different examples. Fixed exemplars are shown as they are, except the
query itself.

A pool is a row set with an order of preference; the renderer takes the first rows that render.
Draws are a function of (seed, task, row, epoch) alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from flancompile import draw
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.values import compared_key, one_text
from flancompile.dsl.models.task import Exemplars

RATIONALE = "exemplar explanation"  # no field's name has a space

__all__ = [
    "RATIONALE",
    "ColumnPools",
    "Pool",
    "Pools",
    "item_digest",
    "item_rows",
    "rationale_text",
]  # fmt: skip


@dataclass
class Pool:
    """Rows that may be shown as exemplars to one query."""

    rows: RowSet
    settings: Exemplars
    _barred: set[int] = field(default_factory=set)

    def candidates(self, queries: RowSet, row: int, shots: int) -> Iterator[int]:
        """Row numbers of the pool, in the order of preference."""
        own = self.rows is queries
        own_split = self.rows.origin == queries.origin
        self._barred = {int(queries.example_digest[row])}
        unlike = self.settings.unlike
        mine = queries.folded(unlike)[row] if unlike is not None else None
        for candidate in self._offered(queries, row, shots):
            if own and candidate == row:
                continue
            if own_split and self.rows.digests[candidate] == queries.digests[row]:
                continue
            if unlike is not None and self.rows.folded(unlike)[candidate] == mine:
                continue
            if int(self.rows.example_digest[candidate]) not in self._barred:
                yield candidate

    def take(self, candidate: int) -> None:
        """Mark a candidate as shown, which excludes its duplicates, unless exemplars are fixed."""
        if not self.settings.is_fixed:
            self._barred.add(int(self.rows.example_digest[candidate]))

    def rationale(self, candidate: int) -> str | None:
        """The candidate's rationale; None if that is empty.

        Raises RowError if it is a list or a mapping.
        """
        text = self.settings.explanation
        if text is None:
            return None
        if self.settings.source in ("column", "file"):
            found = self.rows.columns[RATIONALE][candidate]
        else:
            try:
                found = compile_expression(text)(self.rows.fields(candidate))
            except RowError:
                found = None
        return rationale_text(found)

    def _offered(self, queries: RowSet, row: int, shots: int) -> Iterator[int]:
        peers = self._peers(queries, row)
        if not peers:
            return
        if self.settings.source in ("drawn", "reserved") or self.settings.order == "drawn":
            yield from self._drawn(queries, row, peers, shots)
        else:
            yield from peers

    def _peers(self, queries: RowSet, row: int) -> Sequence[int]:
        same = self.settings.same
        if same is None:
            return range(len(self.rows))
        return self.rows.group(same).get(compared_key(queries.columns[same][row]), [])

    def _drawn(self, queries: RowSet, row: int, peers: Sequence[int], shots: int) -> Iterator[int]:
        tried: set[int] = set()
        place = 0
        for attempt in range(4 * shots + 8):
            place = int(queries.bits("exemplar", attempt)[row]) % len(peers)
            if peers[place] not in tried:
                tried.add(peers[place])
                yield peers[place]
        for step in range(1, len(peers)):
            candidate = peers[(place + step) % len(peers)]
            if candidate not in tried:
                yield candidate


@dataclass(frozen=True)
class ColumnPools:
    """Pools of several queries, concatenated in `pool`.

    starts, counts: int64[queries], the index of each one's first row and its size; -1 if it cannot
    be read.
    """

    pool: RowSet
    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


@dataclass
class Pools:
    """The pool for each row of a block: shared by all rows, or made of a column of the row."""

    settings: Exemplars
    shared: RowSet
    _by_items: dict[str, Pool] = field(default_factory=dict)

    def of(self, rows: RowSet, row: int) -> Pool:
        """The pool of a row. Raises RowError if its column cannot be read."""
        if self.settings.source != "column":
            return Pool(self.shared, self.settings)
        items, key = self._items(rows, row)
        if key not in self._by_items:
            self._by_items[key] = Pool(item_rows(rows, items, self.settings), self.settings)
        return self._by_items[key]

    def _items(self, rows: RowSet, row: int) -> tuple[Sequence[Any], str]:
        items = compile_expression(self.settings.rows or "")(rows.fields(row))
        if isinstance(items, str | Mapping) or not isinstance(items, Sequence):
            raise RowError("exemplars: not a list")
        try:
            return items, json.dumps(items, sort_keys=True, default=str)
        except TypeError:  # keys of several types, which have no order
            raise RowError("exemplars: an item's keys are not all texts") from None

    def column_pools(self, rows: RowSet, at: Iterable[int]) -> ColumnPools:
        """The pools of the rows `at`, each made from a column of its row, concatenated."""
        places: dict[str, tuple[int, int]] = {}
        flat: list[Any] = []
        ranges: list[tuple[int, int]] = []
        for row in at:
            try:
                items, key = self._items(rows, row)
            except RowError:
                ranges.append((0, -1))
                continue
            if key not in places:
                readable = [i for i in items if _item_values(rows, i, self.settings) is not None]
                places[key] = len(flat), len(readable)
                flat += readable
            ranges.append(places[key])
        starts, counts = np.array(ranges, np.int64).reshape(-1, 2).T
        pool = item_rows(rows, flat, self.settings)
        return ColumnPools(pool, np.where(counts > 0, starts, 0), counts)


def _item_values(rows: RowSet, item: object, settings: Exemplars) -> dict[str, object] | None:
    """An exemplar's fields; None if one cannot be read."""
    try:
        scope = _scope(rows, item)
        return {n: compile_expression(t)(scope) for n, t in settings.fields.items()}
    except RowError:
        return None


def _scope(rows: RowSet, item: object) -> dict[str, object]:
    return {"item": item, **({} if rows.variable is None else dict([rows.variable]))}


def item_rows(rows: RowSet, items: Sequence[Any], settings: Exemplars) -> RowSet:
    """Exemplars from a list or file as rows: `fields` are evaluated over each `item`."""
    columns: dict[str, list[Any]] = {name: [] for name in rows.columns}
    rationales: list[Any] = []
    digests = []
    for item in items:
        values = _item_values(rows, item, settings)
        if values is None:
            continue
        for name, column in columns.items():
            plain = item.get(name) if isinstance(item, Mapping) and not settings.fields else None
            column.append(values.get(name, plain))
        rationales.append(_over(settings.explanation, _scope(rows, item)))
        digests.append(item_digest(item))
    return RowSet(
        task_id=rows.task_id,
        task=rows.task,
        seed=rows.seed,
        epoch=rows.epoch,
        digests=np.array(digests, dtype=np.uint64),
        columns=columns if settings.explanation is None else {**columns, RATIONALE: rationales},
        variable=rows.variable,
        origin="items",
    )


def rationale_text(value: object) -> str | None:
    """The text of a rationale; None if it is empty. Raises RowError for lists and mappings."""
    text = one_text(value, "the explanation")
    return text if text is not None and text.strip() else None


def item_digest(item: object) -> int:
    """The digest that identifies an exemplar from a list or file in a build."""
    return draw.digest64("item", json.dumps(item, sort_keys=True, default=str))


def _over(text: str | None, scope: Mapping[str, object]) -> object:
    """The value of an expression over an item; None if the item lacks it."""
    try:
        return None if text is None else compile_expression(text)(scope)
    except RowError:
        return None

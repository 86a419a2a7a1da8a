"""Exemplar pools: never the query, never a duplicate of it, no two of a kind.

A pool is a row set and an order in which its rows are offered; the renderer takes the first that
render. Draws are a function of (seed, task, row, pass) alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flancompile import draw
from flancompile.compiler.rows import RowSet
from flancompile.dsl.expression import RowError, compile_expression
from flancompile.dsl.task import Exemplars

EXPLANATION = "exemplar explanation"  # no field's name has a space

__all__ = ["Pool", "Pools", "item_rows"]


@dataclass
class Pool:
    """Rows that may be shown as exemplars to one query."""

    rows: RowSet
    settings: Exemplars
    _barred: set[int] = field(default_factory=set)

    def candidates(self, queries: RowSet, row: int, shots: int) -> Iterator[int]:
        """Row numbers of the pool, in the order in which they are to be tried."""
        own = self.rows is queries
        self._barred = {int(queries.inputs_digest[row])}
        for candidate in self._offered(queries, row, shots):
            if own and candidate == row:
                continue
            if self.rows.digests[candidate] == queries.digests[row]:
                continue
            if int(self.rows.inputs_digest[candidate]) not in self._barred:
                yield candidate

    def take(self, candidate: int) -> None:
        """The candidate is shown: its duplicates are out from now on."""
        self._barred.add(int(self.rows.inputs_digest[candidate]))

    def explanation(self, candidate: int) -> str | None:
        """Why the candidate's answer is right; None where nothing is said."""
        text = self.settings.explanation
        if text is None:
            return None
        if self.settings.source in ("column", "file"):
            found = self.rows.columns[EXPLANATION][candidate]
        else:
            try:
                found = compile_expression(text)(self.rows.fields(candidate))
            except RowError:
                found = None
        return None if found is None or not str(found).strip() else str(found)

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
        return self.rows.group(same).get(repr(queries.columns[same][row]), [])

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


@dataclass
class Pools:
    """The pool for each row of a block: shared by all rows, or made of a column of the row."""

    settings: Exemplars
    shared: RowSet
    _by_items: dict[str, Pool] = field(default_factory=dict)

    def of(self, rows: RowSet, row: int) -> Pool:
        """The pool for a row. Raises RowError where its column cannot be read."""
        if self.settings.source != "column":
            return Pool(self.shared, self.settings)
        items = compile_expression(self.settings.rows or "")(rows.fields(row))
        if isinstance(items, str | Mapping) or not isinstance(items, Sequence):
            raise RowError("exemplars: not a list")
        key = json.dumps(items, sort_keys=True, default=str)
        if key not in self._by_items:
            self._by_items[key] = Pool(item_rows(rows, items, self.settings), self.settings)
        return self._by_items[key]


def item_rows(rows: RowSet, items: Sequence[Any], settings: Exemplars) -> RowSet:
    """Exemplars of their own kind as rows: `fields` are evaluated over each `item`."""
    columns: dict[str, list[Any]] = {name: [] for name in rows.columns}
    explanations: list[Any] = []
    digests = []
    for item in items:
        scope = {"item": item}
        if rows.variable is not None:
            scope[rows.variable[0]] = rows.variable[1]
        try:
            values = {n: compile_expression(t)(scope) for n, t in settings.fields.items()}
        except RowError:
            continue
        for name, column in columns.items():
            plain = item.get(name) if isinstance(item, Mapping) and not settings.fields else None
            column.append(values.get(name, plain))
        explanations.append(_over(settings.explanation, scope))
        digests.append(draw.digest64("item", json.dumps(item, sort_keys=True, default=str)))
    return RowSet(
        task_id=rows.task_id,
        task=rows.task,
        seed=rows.seed,
        pass_=rows.pass_,
        digests=np.array(digests, dtype=np.uint64),
        columns=columns if settings.explanation is None else {**columns, EXPLANATION: explanations},
        variable=rows.variable,
    )


def _over(text: str | None, scope: Mapping[str, object]) -> object:
    """What an expression gives over an item; None where the item lacks it."""
    try:
        return None if text is None else compile_expression(text)(scope)
    except RowError:
        return None

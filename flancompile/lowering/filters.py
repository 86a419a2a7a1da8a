"""Apply filters with literal arguments to columns: to each value, or to the items of lists."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from jinja2 import nodes

from flancompile.dsl.jinja.environment import environment
from flancompile.lowering.column import Column, rowwise
from flancompile.lowering.kernels import kernel
from flancompile.lowering.operations import applied

__all__ = ["filtered", "literal_arguments", "mapped"]


def literal_arguments(node: nodes.Filter) -> tuple[Any, ...] | None:
    """The arguments of a filter that are all literals, by place; None for others."""
    args = [a.value for a in node.args if isinstance(a, nodes.Const)]
    named = node.kwargs or node.dyn_args or node.dyn_kwargs
    return None if named or len(args) < len(node.args) else tuple(args)


def filtered(name: str, args: tuple[Any, ...], values: Column, rows: int) -> Column:
    """Apply a filter to each value, to the texts by its kernel. Rows that fail fall back."""
    function = applied("Filter", name)
    fast = None if values.is_constant else kernel(name, args)
    if fast is None:
        one = (lambda value: function(value, *args)) if args else function
        return rowwise(one, values, rows=rows)
    given = values.values(rows)
    texts = [v for v in given if type(v) is str]
    made = fast(texts)
    if len(texts) == rows:
        return Column.of(made, values.fallback(rows))
    left = iter(made)
    return rowwise(
        lambda v: next(left) if type(v) is str else function(v, *args), values, rows=rows
    )


def mapped(name: str, args: tuple[Any, ...], lists: Column, rows: int) -> Column:
    """Apply `map` of a filter: to the items of all rows' lists at once, to other values by row.

    A row with an item on which the filter fails falls back.
    """
    whole = applied("Filter", "map")
    if lists.is_constant or name not in environment().filters:
        return rowwise(lambda value: whole(value, name, *args), lists, rows=rows)
    values = lists.values(rows)
    counts = [len(v) if type(v) in (list, tuple) else 0 for v in values]
    flat = [item for v in values if type(v) in (list, tuple) for item in v]
    items = filtered(name, args, Column.of(flat), len(flat))
    made = iter(items.values(len(flat)))
    found = rowwise(
        lambda v: list(islice(made, len(v))) if type(v) in (list, tuple) else whole(v, name, *args),
        lists,
        rows=rows,
    )
    return found.with_fallback(np.repeat(np.arange(rows), counts)[items.fallback_rows()], rows)

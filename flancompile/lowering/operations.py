"""Operations of the template sandbox on single values, for use with `rowwise`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from jinja2.utils import _PassArg

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.values import multiply, power, remainder, slice_bound
from flancompile.lowering.lowerable import context

__all__ = [
    "BINARY", "COMPARED", "UNARY", "Operation", "applied", "attribute", "called", "item_of",
    "item_of_row", "part",
]  # fmt: skip

Operation = Callable[..., Any]
BINARY: dict[str, Operation] = {
    "Add": operator.add, "Sub": operator.sub, "Mul": multiply, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": remainder, "Pow": power,
}  # fmt: skip
UNARY: dict[str, Operation] = {"Not": operator.not_, "Neg": operator.neg, "Pos": operator.pos}
COMPARED: dict[str, Operation] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "lteq": operator.le,
    "gt": operator.gt, "gteq": operator.ge, "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}  # fmt: skip


@lru_cache(maxsize=1024)
def applied(kind: str, name: str) -> Operation:
    """Filter or test of that name, its context argument bound. kind: `Filter` or `Test`."""
    table = environment().filters if kind == "Filter" else environment().tests
    function = cast(Operation, table[name])
    wants = _PassArg.from_obj(function)
    if wants is None:
        return function
    first = {
        _PassArg.context: context(),
        _PassArg.eval_context: context().eval_ctx,
        _PassArg.environment: environment(),
    }[wants]
    return lambda *args, **named: function(first, *args, **named)


def attribute(value: Any, name: str) -> Any:
    """Attribute of a value, or its item of that name."""
    if type(value) is dict and name in value:
        return value[name]
    return environment().getattr(value, name)


def item_of(value: Any, key: Any) -> Any:
    """Item of a value, or its attribute of that name."""
    return environment().getitem(value, key)


def item_of_row(value: Any, key: Any) -> Any:
    """Item by an index from the row. Raises RowError if it is negative."""
    return environment().item(value, key)


def part(written_out: tuple[bool, bool, bool]) -> Operation:
    """Function of a slice's three bounds; a bound from the row may not be null or negative.

    written_out: whether the template writes each bound as a literal.
    """

    def cut(*bounds: Any) -> slice:
        pairs = zip(bounds, written_out, strict=True)
        return slice(*(b if written else slice_bound(b) for b, written in pairs))

    return cut


def called(function: Any, *args: Any, **named: Any) -> Any:
    """Call a function under the sandbox's rules."""
    return environment().call(context(), function, *args, **named)

"""Jinja environment of all expressions and templates: sandboxed, strict, deterministic.

It differs from Jinja's own where a row's data would silently give a wrong text: nulls and NaN have
no text, a negative index must be a literal, and the size of a result is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, update_wrapper
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter

from flancompile.dsl.jinja.filters import FILTERS, GLOBALS, LEFT_OUT_FILTERS, LEFT_OUT_TESTS
from flancompile.dsl.jinja.row_arguments import guarded, has_fixed_sign
from flancompile.dsl.jinja.strict_filters import strict_filters
from flancompile.dsl.jinja.values import (
    index_argument,
    multiply,
    power,
    printable,
    remainder,
    row_argument,
    row_index,
    slice_bound,
    slot_text,
    texts_in,
)

__all__ = ["Sandbox", "environment"]


class _Missing(jinja2.StrictUndefined):
    """Strict undefined value with a short message, which is a drop reason in the ledger."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        if isinstance(self._undefined_name, int):
            return f"no item {self._undefined_name}"
        return f"no {self._undefined_name!r}"


class _Generator(CodeGenerator):
    """Generate code that calls the environment where a value becomes text or an index."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible  # Jinja's own folding would print a null of `~`
        return super()._output_child_to_const(node, frame, finalize)

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802
        if node.value == math.inf:  # `repr` gives `inf`, which is no Python literal
            self.write("1e999")
        else:
            super().visit_Const(node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        if isinstance(node.arg, nodes.Slice) or has_fixed_sign(node.arg):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.item(")
        self.visit(node.node, frame)
        self.write(", ")
        self.visit(node.arg, frame)
        self.write(")")

    def visit_Slice(self, node: nodes.Slice, frame: Frame) -> None:  # noqa: N802
        for n, part in enumerate((node.start, node.stop, node.step)):
            if n == 1 or (n == 2 and part is not None):
                self.write(":")
            if part is not None:
                self.write("(" if has_fixed_sign(part) else "environment.slice_bound(")
                self.visit(part, frame)
                self.write(")")

    def signature(self, node: Any, frame: Frame, extra_kwargs: Any = None) -> None:
        super().signature(guarded(node), frame, extra_kwargs)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.one_text((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("environment.slot_text(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(f", {_written(node)!r})")


def _written(node: nodes.Node) -> str:
    """Source text of a name with keys and filters; empty for any other expression."""
    if isinstance(node, nodes.Name):
        return node.name
    if not isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter) or node.node is None:
        return ""
    if not (base := _written(node.node)):
        return ""
    if isinstance(node, nodes.Getattr):
        return f"{base}.{node.attr}"
    if isinstance(node, nodes.Filter):
        return f"{base} | {node.name}" + ("(…)" if node.args or node.kwargs else "")
    if isinstance(node.arg, nodes.Const):
        return f"{base}[{node.arg.value!r}]"
    return f"{base}[…]"


class _Formatter(SandboxedFormatter):
    """`str.format` that raises for values without a text."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return super().convert_field(printable(value), conversion)


class Sandbox(ImmutableSandboxedEnvironment):
    """Sandbox in which a mapping's keys take precedence over its methods, as in `item.count`."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def item(self, obj: Any, index: Any) -> Any:
        """Item at an index from a row's data. Raises RowError for a negative index."""
        return self.getitem(obj, index if isinstance(obj, Mapping) else row_index(index))

    slice_bound = staticmethod(slice_bound)

    row_argument = staticmethod(row_argument)

    index_argument = staticmethod(index_argument)

    slot_text = staticmethod(slot_text)

    @staticmethod
    def one_text(values: Any) -> str:
        """Concatenate values as text. Raises RowError, NullValueError."""
        return "".join(texts_in(values, "reaches '~'"))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Checked `str.format` or `str.format_map`; None for any other value."""
        if super().wrap_str_format(value) is None:
            return None
        text, fill = str(value.__self__), _Formatter(self).vformat

        def by_mapping(names: Mapping[str, Any]) -> str:
            return fill(text, (), names)

        def by_arguments(*args: Any, **names: Any) -> str:
            return fill(text, args, names)

        chosen = by_mapping if value.__name__ == "format_map" else by_arguments
        return update_wrapper(chosen, value)


@lru_cache(maxsize=1)
def environment() -> Sandbox:
    """The environment of all expressions and templates."""
    env = Sandbox(
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=printable,
        cache_size=0,
        optimized=False,
    )
    env.binop_table.update({"*": multiply, "**": power, "%": remainder})
    for name in LEFT_OUT_FILTERS:
        del env.filters[name]
    for name in LEFT_OUT_TESTS:
        del env.tests[name]
    del env.globals["lipsum"]
    env.filters = strict_filters({**env.filters, **FILTERS})
    env.globals.update(GLOBALS)
    return env

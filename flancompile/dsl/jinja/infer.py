"""Type checks of expressions and templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from jinja2 import nodes

from flancompile.dsl.jinja.expression import parsed_expression, parsed_template
from flancompile.dsl.jinja.expression_types import GUARD, ExpressionTypes
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.jinja.types import ANY, Type
from flancompile.errors import TextError

__all__ = ["GUARD", "expression_diagnostics", "template_diagnostics", "unguarded_names"]


class _TemplateTypes(ExpressionTypes):
    """Types and diagnostics of a template: the statements around its expressions."""

    def body(self, items: list[nodes.Node]) -> None:
        """Check the statements of a template, in order."""
        for item in items:
            if isinstance(item, nodes.Output):
                for part in item.nodes:
                    if not isinstance(part, nodes.TemplateData):
                        self.printed(part)
            elif isinstance(item, nodes.For):
                self._loop(item)
            elif isinstance(item, nodes.If):
                self._branches(item)
            elif isinstance(item, nodes.Assign) and isinstance(item.target, nodes.Name):
                self.types[item.target.name] = self.of(item.node)
                self.rebind([item.target.name])
                self.named[item.target.name] = item.node
            else:
                self.of(item)

    def _loop(self, node: nodes.For) -> None:
        over = self.of(node.iter)
        before = dict(self.types), self.guarded, self.narrow, self.named
        names = [n.name for n in (node.target, *node.target.find_all(nodes.Name))
                 if isinstance(n, nodes.Name)]  # fmt: skip
        self.types.update(dict.fromkeys(names, ANY))
        self.rebind(names)
        if isinstance(node.target, nodes.Name):
            self.types[node.target.name] = (over.item or ANY) if over.kind == "list" else ANY
        if node.test is not None:
            self.of(node.test)
            with self.under(node.test):
                self.body(node.body)
        else:
            self.body(node.body)
        self.types, self.guarded, self.narrow, self.named = before
        self.body(node.else_)

    def _branches(self, node: nodes.If) -> None:
        self.of(node.test)
        with self.under(node.test):
            self.body(node.body)
        with self.under(node.test, False):
            rest = [*node.elif_]
            if rest:
                self._branches(nodes.If(rest[0].test, rest[0].body, rest[1:], node.else_))
            else:
                self.body(node.else_)


def expression_diagnostics(
    text: str, types: Mapping[str, Type], given: Sequence[str] = ()
) -> tuple[Type, list[TextDiagnostic]]:
    """Infer an expression's type, and check it by the types of its names.

    given: conditions elsewhere (`when`, `where`) that hold for the rows.
    """
    walk = _walk(types, given)
    return walk.of(_value(text)), walk.diagnostics


def unguarded_names(text: str, given: Sequence[str] = ()) -> frozenset[str]:
    """Names that an expression reads without a guard by `default` or a condition."""
    walk = _walk({}, given)
    walk.of(_value(text))
    return frozenset(walk.unguarded)


def _walk(types: Mapping[str, Type], given: Sequence[str]) -> _TemplateTypes:
    walk = _TemplateTypes(dict(types), [])
    for condition in given:
        with suppress(TextError):  # it is reported at its place
            walk.assume(_value(condition))
    return walk


def _value(text: str) -> nodes.Node:
    output = parsed_expression(text).body[0]
    assert isinstance(output, nodes.Output)
    return output.nodes[0]


def template_diagnostics(
    text: str, types: Mapping[str, Type], given: Sequence[str] = ()
) -> Iterator[TextDiagnostic]:
    """Check a template by the types of its names. given: as for `expression_diagnostics`."""
    walk = _walk(types, given)
    walk.body(parsed_template(text).body)
    yield from walk.diagnostics

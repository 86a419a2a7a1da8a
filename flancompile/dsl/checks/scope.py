"""One dataset file under static checks: the names in scope, and the diagnostics found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flancompile.dsl.checks.calls import field_call_diagnostics, variable_diagnostics, variable_type
from flancompile.dsl.checks.style import located, located_errors, name_hint
from flancompile.dsl.jinja.expression import (
    Expression,
    Template,
    compile_expression,
    compile_template,
)
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.task import Choices, DatasetFile
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, Severity, TextError

__all__ = ["FileScope", "Names"]

Names = frozenset[str]


class FileScope:
    """A dataset file, its fields and the variable of `for_each`, and the diagnostics found."""

    def __init__(self, dataset: Loaded[DatasetFile]) -> None:
        self.file = dataset.model
        self.document = dataset.document
        self.found: list[Diagnostic] = []
        each = self.file.for_each
        self.variable: Names = frozenset([each.variable]) if each else frozenset()
        self.keys = variable_type(each)
        self.fields: Names = frozenset(self.file.fields)

    def report(
        self,
        code: str,
        message: str,
        key: Key,
        hint: str | None = None,
        needle: str = "",
        severity: Severity = "error",
    ) -> None:
        """Add a diagnostic at a key, or at each occurrence of a word in its text."""
        spans = self.document.every(key, needle) if needle else [self.document.span(key)]
        self.found += [Diagnostic(code, message, span, hint, severity) for span in spans]

    def report_text(self, key: Key, diagnostics: Iterable[TextDiagnostic]) -> None:
        """Add the diagnostics of the text at `key`."""
        self.found += located(self.document, key, diagnostics)

    def compiled(
        self,
        compile_: Callable[..., Expression | Template],
        key: Key,
        text: str,
        known: Names | None,
    ) -> Names:
        """Compile a text and return its names; FC202 for names that are not in `known`."""
        if compile_ is compile_expression or "{{" in text or "{%" in text:
            self.report_text(key, field_call_diagnostics(text, self.fields | self.variable))
        try:
            names = compile_(text).names
            if self.keys:
                self.report_text(key, variable_diagnostics(text, self.keys))
        except TextError as error:
            self.found += located_errors(self.document, key, error)
            names = error.names or frozenset()
        for name in sorted(names - known) if known is not None else ():
            hint = name_hint(name, known or ())
            self.report("FC202", f"there is no {name!r} here", key, hint, name)
        return names

    def expression(self, key: Key, text: str, known: Names | None) -> Names:
        """`compiled` of an expression."""
        return self.compiled(compile_expression, key, text, known)

    def lets(
        self, key: Key, let: Mapping[str, str], scope: Names, known: Mapping[str, bool]
    ) -> dict[str, bool]:
        """Names of `let`, each with whether an input may show it: it depends on inputs only."""
        found: dict[str, bool] = {}
        for name, text in let.items():
            used = self.expression((*key, name), text, scope | set(known) | set(found) | {"pick"})
            fields = used - {"pick"} - self.variable
            found[name] = all(found.get(n, known.get(n, False)) for n in fields)
        return found

    def choices(self, key: Key, choices: Choices, scope: Names) -> None:
        """Check the expressions of answer options, and the field that distractors share."""
        self.expression((*key, "gold"), choices.gold, scope)
        for name in ("options", "labels"):
            text = getattr(choices, name)
            if isinstance(text, str):
                self.expression((*key, name), text, scope)
        if choices.same is not None and choices.same not in self.fields:
            message = f"`same` names {choices.same!r}, which is not a field"
            self.report("FC203", message, (*key, "same"), name_hint(choices.same, self.fields))

    def template(self, key: Key, text: str, known: Names | None) -> Names:
        """`compiled` of a template."""
        return self.compiled(compile_template, key, text, known)

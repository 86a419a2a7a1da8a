"""Type checks of a dataset file's expressions and templates by its columns' types."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

from flancompile.dsl.checks.dialogues import unread_columns
from flancompile.dsl.checks.names import ROW_NAMES
from flancompile.dsl.checks.style import located, name_hint
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.jinja.filter_types import TEXTLESS_HINTS
from flancompile.dsl.jinja.infer import (
    GUARD,
    expression_diagnostics,
    template_diagnostics,
    unguarded_names,
)
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.jinja.types import ANY, Type, list_of
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.library.lock import Schema
from flancompile.dsl.library.memo import Memo
from flancompile.dsl.models.task import Choices, DatasetFile, Task, Turns
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, Severity, TextError, nearest

__all__ = ["cached_type_diagnostics", "check_types"]

Types = Mapping[str, Type]


def check_types(dataset: Loaded[DatasetFile], schema: Schema) -> list[Diagnostic]:
    """Check a dataset file by its columns' types; texts that do not compile are skipped."""
    found = [*_Typed(dataset, schema).run(), *unread_columns(dataset, schema)]
    return list(dict.fromkeys(found))


def cached_type_diagnostics(
    dataset: Loaded[DatasetFile], schema: Schema, memo: Memo
) -> list[Diagnostic]:
    """`check_types` with a cache; only warnings if the data has changed since the schema."""
    found = memo.diagnostics(dataset.document, schema.digest)
    if found is None:
        found = check_types(dataset, schema)
        memo.store(dataset.document, found, schema.digest)
    return [replace(d, severity="warning", hint=_renew(d)) if schema.stale else d for d in found]


def _renew(diagnostic: Diagnostic) -> str:
    """Hint of a diagnostic whose schema is older than the data."""
    own = f"{diagnostic.hint}; " if diagnostic.hint else ""
    return f"{own}the data has changed since schemas.lock was written; `check --data` updates it"


class _Typed:
    def __init__(self, dataset: Loaded[DatasetFile], schema: Schema) -> None:
        self.file, self.document, self.schema = dataset.model, dataset.document, schema
        each = self.file.for_each
        self.variable: dict[str, Type] = {each.variable: ANY} if each else {}
        self.given: tuple[str, ...] = _texts(
            self.file.source.where
        )  # conditions that hold for the rows

    def run(self) -> Iterator[Diagnostic]:
        yield from self.hidden()
        number = {"row_number": Type("integer")}
        columns = {**number, **self.schema.columns, "row": self.schema.row, **self.variable}
        for name, text in self.file.let.items():
            yield from self.columns(("let", name), text, columns)
            found, diagnostics = self.typed(text, columns)
            yield from located(self.document, ("let", name), diagnostics)
            columns = {**columns, name: found}
        fields: dict[str, Type] = {}
        for name, text in self.file.fields.items():
            yield from self.columns(("fields", name), text, columns)
            fields[name], diagnostics = self.typed(text, columns)
            yield from located(self.document, ("fields", name), diagnostics)
        scope = {**fields, **self.variable}
        lets = {name: columns[name] for name in self.file.let}
        self.given = ()
        yield from self.expression(("where",), self.file.where, {**number, **lets, **scope})
        for category, task in self.file.tasks.items():
            self.given = _texts(self.file.where)
            yield from self.task(("tasks", category), task, scope)

    def hidden(self) -> Iterator[Diagnostic]:
        """FC307 for a variable of `for_each` that hides a column."""
        for name in self.variable.keys() & self.schema.columns.keys():
            message = f"the variable {name!r} of `for_each` hides a column of the same name"
            span = self.document.span(("for_each",))
            yield Diagnostic("FC307", message, span, "give the variable another name")

    def columns(self, key: Key, text: str, columns: Types) -> Iterator[Diagnostic]:
        """FC222 for names of columns that some or all rows lack."""
        try:
            names = compile_expression(text).names & unguarded_names(text, self.given)
        except TextError:
            return
        for name in sorted(names & self.schema.absent - self.file.let.keys()):
            message = f"some rows that were read have no column {name!r}"
            span = self.document.find(key, name)
            yield Diagnostic("FC222", message, span, GUARD, "warning")
        for name in sorted(names - columns.keys()):
            known = columns.keys() - ROW_NAMES.keys()
            severity: Severity = "error" if nearest(name, known) else "warning"
            message = f"no row that was read has a column {name!r}"
            span = self.document.find(key, name)
            hint = name_hint(name, known)
            if name in self.file.fields:
                hint = "fields read columns, not fields; move shared parts to the file's `let`"
            yield Diagnostic("FC222", message, span, hint, severity)

    def task(self, key: Key, task: Task, scope: Types) -> Iterator[Diagnostic]:
        yield from self.expression((*key, "where"), task.where, scope)
        self.given += _texts(task.where)
        given = self.given
        shared = yield from self.lets((*key, "let"), task.let, scope)
        if task.choices is not None:
            yield from self.choices((*key, "choices"), task.choices, shared)
        if task.eval is not None and task.eval.answers is not None:
            yield from self.answers((*key, "eval", "answers"), task.eval.answers, scope)
        if task.instruction is not None:
            yield from self.template((*key, "instruction"), task.instruction, shared)
        for index, template in enumerate(task.templates):
            spot = (*key, "templates", index)
            self.given = given
            yield from self.expression((*spot, "when"), template.when, scope)
            self.given += _texts(template.when)
            names = yield from self.lets((*spot, "let"), template.let, shared)
            if template.choices is not None:
                yield from self.choices((*spot, "choices"), template.choices, names)
            if template.turns is not None:
                yield from self.turns((*spot, "turns"), template.turns, names)
                continue
            for side in ("input", "target"):
                yield from self.template((*spot, side), getattr(template, side), names)

    def lets(
        self, key: Key, let: Mapping[str, str], scope: Types
    ) -> Generator[Diagnostic, None, dict[str, Type]]:
        """Yield diagnostics of `let`; return the scope with its names."""
        names = dict(scope)
        for name, text in let.items():
            names[name], diagnostics = self.typed(text, names)
            yield from located(self.document, (*key, name), diagnostics)
        return names

    def choices(self, key: Key, choices: Choices, scope: Types) -> Iterator[Diagnostic]:
        options = list_of(Type("text"))
        if isinstance(choices.options, str):
            options, diagnostics = self.typed(choices.options, scope)
            yield from located(self.document, (*key, "options"), diagnostics)
        gold, diagnostics = self.typed(choices.gold, scope)
        yield from located(self.document, (*key, "gold"), diagnostics)
        item = options.item or ANY
        yield from located(
            self.document, (*key, "options"), textless_diagnostics(item, "an option")
        )
        yield from located(
            self.document, (*key, "gold"), textless_diagnostics(gold, "the gold answer")
        )
        if choices.gold_by == "text" and gold.is_number and item.kind == "text":
            message = "gold is a number, but options are matched by text"
            yield from located(
                self.document, (*key, "gold"), [TextDiagnostic("FC223", message, "set `by: index`")]
            )

    def answers(self, key: Key, text: str, scope: Types) -> Iterator[Diagnostic]:
        """Check the accepted answers of an evaluation: a list of values, or one value."""
        found, diagnostics = self.typed(text, scope)
        one = (found.item or ANY) if found.kind == "list" else found
        yield from located(
            self.document, key, [*diagnostics, *textless_diagnostics(one, "an accepted answer")]
        )

    def turns(self, key: Key, turns: Turns, scope: Types) -> Iterator[Diagnostic]:
        over, diagnostics = self.typed(turns.each, scope)
        yield from located(self.document, (*key, "each"), diagnostics)
        if over.kind not in ("list", "any"):
            message = f"a {over.kind} where a list of turns is expected"
            diagnostic = TextDiagnostic("FC223", message, "`| chat` converts it into turns")
            yield from located(self.document, (*key, "each"), [diagnostic])
            return
        number, flag = Type("integer"), Type("boolean")
        inner = {**scope, "turn": over.item or ANY, "n": number, "count": number, "last": flag}
        for name in ("role", "text", "loss"):
            more = {"role": Type("text")} if name == "loss" else {}
            text = getattr(turns, name)
            found, diagnostics = self.typed(text, {**inner, **more})
            yield from located(self.document, (*key, name), diagnostics)
            if name == "text" and found.kind in ("list", "map", "boolean"):
                message = f"a {found.kind} where a turn's text is expected"
                hint = "`| chat` converts content parts and tool calls into text"
                yield from located(
                    self.document, (*key, name), [TextDiagnostic("FC223", message, hint)]
                )

    def expression(self, key: Key, text: str | None, scope: Types) -> Iterator[Diagnostic]:
        if text is not None:
            yield from located(self.document, key, self.typed(text, scope)[1])

    def template(self, key: Key, text: str, scope: Types) -> Iterator[Diagnostic]:
        try:
            compile_template(text)
        except TextError:
            return
        yield from located(self.document, key, template_diagnostics(text, scope, self.given))

    def typed(self, text: str, scope: Types) -> tuple[Type, list[TextDiagnostic]]:
        """Type and diagnostics of an expression; ANY and none if it does not compile."""
        try:
            compile_expression(text)
        except TextError:
            return ANY, []
        return expression_diagnostics(text, scope, self.given)


def textless_diagnostics(type_: Type, role: str) -> list[TextDiagnostic]:
    """FC221 for a list or map where one text is expected."""
    hint = TEXTLESS_HINTS.get(type_.kind)
    message = f"{role} is a {type_.kind}, which has no text: the row is dropped"
    return [] if hint is None else [TextDiagnostic("FC221", message, hint)]


def _texts(condition: str | None) -> tuple[str, ...]:
    return () if condition is None else (condition,)

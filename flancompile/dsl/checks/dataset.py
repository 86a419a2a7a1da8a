"""Static checks of dataset files and styles, without reading rows.

Checks that need rows are in `lint`, those that need the whole mixture in `compiler.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from flancompile.dsl.checks.allowed import allow_diagnostics, mark_allowed
from flancompile.dsl.checks.calls import field_call_diagnostics, variable_diagnostics, variable_type
from flancompile.dsl.checks.names import name_diagnostics
from flancompile.dsl.checks.near_duplicates import near_duplicates
from flancompile.dsl.checks.ranking import ranking_diagnostics
from flancompile.dsl.checks.source import check_paths, check_sources, place_expressions
from flancompile.dsl.checks.style import (
    check_styles,
    located,
    located_errors,
    name_hint,
    unknown_styles,
)
from flancompile.dsl.checks.types import cached_type_diagnostics
from flancompile.dsl.jinja.expression import (
    Expression,
    Template,
    compile_expression,
    compile_template,
)
from flancompile.dsl.jinja.names import names_in_order, task_texts, used_names
from flancompile.dsl.jinja.texts import (
    TextDiagnostic,
    input_diagnostics,
    options_diagnostics,
    target_diagnostics,
)
from flancompile.dsl.library.library import Library, Loaded
from flancompile.dsl.library.lock import source_digest
from flancompile.dsl.library.memo import Memo
from flancompile.dsl.models.task import Choices, DatasetFile, Task
from flancompile.dsl.models.task import Template as TaskTemplate
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, Severity, TextError

__all__ = ["check_dataset", "check_library"]

Names = frozenset[str]
# Diagnostics of missing parts, which may be in the parts of the file that could not be read.
_OF_THE_WHOLE = frozenset(
    ["FC208", "FC212", "FC213", "FC214", "FC215", "FC218", "FC219", "FC220", "FC227"]
)


def check_library(library: Library, *, typed: bool = True) -> list[Diagnostic]:
    """Check all dataset files, overlays and styles of a library, in the order of its files.

    typed: whether to check types by the library's schemas.lock.
    """
    found: list[Diagnostic] = []
    for dataset in library.datasets.values():
        diagnostics = check_dataset(dataset, library.memo)
        schema = library.schemas.get(dataset.id) if typed else None
        whole = not dataset.document.partial
        if schema is not None and whole and schema.source == source_digest(dataset.model.source):
            diagnostics += cached_type_diagnostics(dataset, schema, library.memo)
        for category, task in dataset.model.tasks.items():
            place = ("tasks", category, "styles")
            unknown = unknown_styles(library, dataset.document, place, task.styles)
            diagnostics = [*diagnostics, *unknown]
        found += mark_allowed(dataset, diagnostics)
    for overlay in library.overlays.values():
        for id_, choice in overlay.model.sources.items():
            key = ("sources", id_)
            found += place_expressions(overlay.document, key, choice)
            if id_ in library.datasets:
                known = variable_type(library.datasets[id_].model.for_each)
                found += check_paths(overlay.document, key, choice, known)
    for document in library.documents:
        if isinstance(document.data, dict) and library.styles.keys() & set(document.data):
            found += check_styles(library, document)
    return found


def check_dataset(dataset: Loaded[DatasetFile], memo: Memo) -> list[Diagnostic]:
    """Check one dataset file. memo: cache of earlier diagnostics."""
    found = memo.diagnostics(dataset.document)
    if found is None:
        found = list(_Checker(dataset).run())
        if dataset.document.partial:
            found = [d for d in found if d.code not in _OF_THE_WHOLE]
        memo.store(dataset.document, found)
    return found


class _Checker:
    """One dataset file, the names in scope, and the diagnostics found."""

    def __init__(self, dataset: Loaded[DatasetFile]) -> None:
        self.file = dataset.model
        self.document = dataset.document
        self.found: list[Diagnostic] = []
        each = self.file.for_each
        self.variable: Names = frozenset([each.variable]) if each else frozenset()
        self.keys = variable_type(each)
        self.fields: Names = frozenset(self.file.fields)

    def run(self) -> Iterator[Diagnostic]:
        self.found += check_sources(self.file, self.document, self.keys)
        self.found += allow_diagnostics(self.document, ("allow",), self.file.allow)
        self.found += dict.fromkeys(name_diagnostics(self.file, self.document))
        for part, texts in (("let", self.file.let), ("fields", self.file.fields)):
            for name, text in texts.items():
                self.expression((part, name), text, None)
        if self.file.where is not None:
            seen = self.fields | self.variable | self.file.let.keys() | {"row_number"}
            self.expression(("where",), self.file.where, seen)
        for category, task in self.file.tasks.items():
            self.task(("tasks", category), task)
        yield from self.found

    def report(
        self,
        code: str,
        message: str,
        key: Key,
        hint: str | None = None,
        needle: str = "",
        severity: Severity = "error",
    ) -> None:
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
        return self.compiled(compile_expression, key, text, known)

    def task(self, key: Key, task: Task) -> None:
        signature = task.signature
        self.found += allow_diagnostics(self.document, (*key, "allow"), task.allow)
        for name in (*signature.inputs, *signature.outputs):
            if name not in self.fields:
                hint = name_hint(name, self.fields)
                message = f"the signature names {name!r}, which is no field"
                self.report("FC203", message, (*key, "signature"), hint, name)
        scope = self.fields | self.variable
        if task.where is not None:
            self.expression((*key, "where"), task.where, scope)
        self.exemplars((*key, "exemplars"), task, scope)
        for name in task.truncate:
            if name not in signature.inputs:
                message = f"truncate names {name!r}, which is no input of the signature"
                hint = name_hint(name, signature.inputs)
                self.report("FC204", message, (*key, "truncate"), hint, name)
        lets = self.lets((*key, "let"), task.let, scope, dict.fromkeys(signature.inputs, True))
        if task.choices is not None:
            self.choices((*key, "choices"), task.choices, scope | set(lets))
        if task.instruction is not None:
            self.compiled(
                compile_template, (*key, "instruction"), task.instruction, scope | set(lets)
            )
        if task.eval is not None and task.eval.answers is not None:
            self.expression((*key, "eval", "answers"), task.eval.answers, scope)
        for index, template in enumerate(task.templates):
            self.template((*key, "templates", index), task, template, lets)
        self.together(key, task)

    def together(self, key: Key, task: Task) -> None:
        """Check a task's templates together: equal names and texts, inputs that none shows."""
        names: dict[str, int] = {}
        texts: dict[tuple[str, str], str] = {}
        for index, template in enumerate(task.templates):
            spot = (*key, "templates", index)
            if template.name in names:
                message = f"two templates are named {template.name!r}"
                self.report("FC212", message, (*spot, "name"), "draws and reports go by names")
            names.setdefault(template.name, index)
            prompt = str(template.turns) if template.turns is not None else template.input
            same = texts.setdefault((prompt, template.target), template.name)
            if same != template.name:
                message = f"the texts of {same!r} and {template.name!r} are equal"
                hint = "word it differently, or take one out"
                self.report("FC213", message, (*spot, "input"), hint, severity="warning")
        for index, other, difference in near_duplicates(task.templates):
            name = task.templates[index].name
            message = f"the texts of {other!r} and {name!r} differ in {difference}"
            spot = (*key, "templates", index, "input")
            hint = "word it differently, or take one out"
            self.report("FC213", message, spot, hint, severity="warning")
        used = [used_names(*text) for text in task_texts(task)]
        used_by_templates = frozenset[str]().union(*(u for u in used if u is not None))
        for name in task.signature.inputs:
            if name in self.fields and name not in used_by_templates and None not in used:
                message = f"no template shows {name!r}, which the signature lists as an input"
                hint = "show it, or take it out of the signature"
                self.report("FC215", message, (*key, "signature"), hint, name, "warning")
        for message, hint in ranking_diagnostics(task):
            self.report("FC227", message, (*key, "eval", "metric"), hint)
        self.inversion(key, task)

    def inversion(self, key: Key, task: Task) -> None:
        """FC219 unless an inverted task swaps an input and an output of another task."""
        direct = [t.signature for t in self.file.tasks.values() if not t.inverted]
        inverted_inputs = {name for s in direct for name in s.inputs} & set(task.signature.outputs)
        reversed_outputs = {name for s in direct for name in s.outputs} & set(task.signature.inputs)
        if task.inverted and direct and not inverted_inputs and not reversed_outputs:
            message = "an inverted task that turns none of the file's other tasks round"
            hint = "it asks for an input of theirs or shows an output; or take `inverted` out"
            self.report("FC219", message, (*key, "signature"), hint, severity="warning")

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
        self.expression((*key, "gold"), choices.gold, scope)
        for name in ("options", "labels"):
            text = getattr(choices, name)
            if isinstance(text, str):
                self.expression((*key, name), text, scope)
        if choices.same is not None and choices.same not in self.fields:
            message = f"`same` names {choices.same!r}, which is no field"
            self.report("FC203", message, (*key, "same"), name_hint(choices.same, self.fields))

    def exemplars(self, key: Key, task: Task, scope: Names) -> None:
        exemplars = task.exemplars
        for by in ("same", "unlike"):
            named = getattr(exemplars, by)
            if named is not None and named not in self.fields:
                message = f"`{by}` names {named!r}, which is no field"
                self.report("FC203", message, (*key, by), name_hint(named, self.fields))
        if exemplars.explanation is not None:
            over_items = exemplars.source in ("column", "file")
            seen = {*self.variable, "item"} if over_items else scope
            self.expression((*key, "explanation"), exemplars.explanation, frozenset(seen))
        if exemplars.rows is not None:
            self.expression((*key, "rows"), exemplars.rows, scope)
        for name, text in exemplars.fields.items():
            if name not in self.fields:
                message = f"exemplars give {name!r}, which is no field"
                self.report("FC203", message, (*key, "fields", name), name_hint(name, self.fields))
            self.expression((*key, "fields", name), text, scope | {"item"})

    def template(
        self, key: Key, task: Task, template: TaskTemplate, lets: Mapping[str, bool]
    ) -> None:
        inputs, outputs = frozenset(task.signature.inputs), frozenset(task.signature.outputs)
        scope = self.fields | self.variable
        if template.when is not None:
            self.expression((*key, "when"), template.when, scope)
        known = {**dict.fromkeys(inputs, True), **lets}
        own = {**lets, **self.lets((*key, "let"), template.let, scope, known)}
        if template.choices is not None:
            self.choices((*key, "choices"), template.choices, scope | set(own))
        for name in own.keys() & self.fields:
            spot = (*key, "let", name) if name in template.let else (*key[:2], "let", name)
            span = self.document.span(spot, of_key=True)
            message = f"let {name!r} hides the field of that name"
            self.found.append(Diagnostic("FC205", message, span, "rename it"))
        if template.turns is not None:
            self.turns(key, task, template, scope | set(own))
            return
        names = self.compiled(compile_template, (*key, "input"), template.input, None)
        for name in sorted(names):
            self.input_name((*key, "input"), name, inputs, outputs, own)
        known_targets = inputs | outputs | set(own) | self.variable
        self.options((*key,), task, template, names)
        names_shown = self.compiled(
            compile_template, (*key, "target"), template.target, known_targets | {"gold"}
        )
        self.report_text(
            (*key, "input"), input_diagnostics(template.input, inputs | set(own), self.fields)
        )
        self.report_text(
            (*key, "target"), target_diagnostics(template.target, known_targets, self.fields)
        )
        if template.options == "optional":
            self.report_text((*key, "input"), options_diagnostics(template.input))
        self.target((*key, "target"), task, template, names_shown, own)

    def turns(self, key: Key, task: Task, template: TaskTemplate, scope: Names) -> None:
        """Check `turns`: they show an output and exclude settings of input and target."""
        settings = template.turns
        assert settings is not None
        names_shown = self.expression((*key, "turns", "each"), settings.each, scope)
        inner = scope | {"turn", "n", "count", "last"}
        for name in ("role", "text", "loss"):
            known = inner | {"role"} if name == "loss" else inner
            text = getattr(settings, name)
            names_shown |= self.expression((*key, "turns", name), text, known)
        outputs = frozenset(task.signature.outputs)
        lets = {*task.let, *template.let}
        if (
            outputs <= self.fields
            and names_shown <= inner | {"role"}
            and not names_shown & (outputs | lets)
        ):
            message = f"the turns show none of the outputs {', '.join(task.signature.outputs)}"
            hint = "the signature lists them on its right"
            self.report("FC214", message, (*key, "turns", "each"), hint)
        of_template = {
            ("options",): template.options != "none",
            ("cot",): template.cot,
            ("choices",): template.choices is not None,
        }
        of_task = {("eval",): task.eval is not None, ("instruction",): task.instruction is not None}
        advice = {
            "eval": "`explode` by `exchanges` gives a row for each answer, for input and target",
            "instruction": "put it into `each`, as a system's turn",
        }
        for part, is_there in (*of_template.items(), *of_task.items()):
            if is_there:
                name = str(part[0])
                spot = (*key, *part) if part in of_template else (*key[:2], *part)
                message = f"`turns` do not go with `{name}`"
                hint = advice.get(name, "that is for templates with input and target")
                self.report("FC225", message, spot, hint)

    def target(
        self,
        key: Key,
        task: Task,
        template: TaskTemplate,
        names_shown: Names,
        lets: Mapping[str, bool],
    ) -> None:
        """Check that a target shows an output, and in a chain of thought a rationale first."""
        outputs = frozenset(task.signature.outputs)
        condition_names = (used_names(template.when, True) if template.when else None) or frozenset[
            str
        ]()
        if outputs <= self.fields and not (names_shown | condition_names) & (
            outputs | set(lets) | {"gold"}
        ):
            message = f"the target shows none of the outputs {', '.join(task.signature.outputs)}"
            self.report("FC214", message, key, "the signature lists them on its right")
        choices = template.choices or task.choices
        answers = {"gold", choices.gold if choices else ""} & (outputs | {"gold"})
        if not template.cot or not names_shown & (outputs | {"gold"}):
            return
        order = [n for n in names_in_order(template.target) if n in outputs | {"gold"}]
        if len(set(order)) < 2:
            message = f"the target of a chain of thought shows {order[0]!r} alone"
            hint = "give the rationale, then the answer"
            self.report("FC218", message, key, hint, severity="warning")
        elif order[0] in answers and order[-1] not in answers:
            message = f"the answer {order[0]!r} comes before its rationale {order[-1]!r}"
            hint = "a rationale that follows its answer teaches none"
            self.report("FC218", message, key, hint, order[0], "warning")

    def input_name(
        self, key: Key, name: str, inputs: Names, outputs: Names, lets: Mapping[str, bool]
    ) -> None:
        if name in inputs or name in self.variable or name == "options" or lets.get(name):
            return
        if name in outputs or name == "gold":
            message = f"the input shows {name!r}, which is an output of the task"
            advice = "the signature has it on the right; take it out of the input"
            self.report("FC206", message, key, advice, name)
        elif name in lets:
            message = f"the input shows {name!r}, which comes of fields that are no inputs"
            self.report("FC206", message, key, "add those fields to the signature's left", name)
        elif name in self.fields:
            message = f"the input shows {name!r}, which the signature does not list as an input"
            self.report("FC207", message, key, f"add {name!r} to the signature's left", name)
        else:
            hint = name_hint(name, inputs | set(lets) | self.variable | {"options"})
            self.report("FC202", f"there is no {name!r} here", key, hint, name)

    def options(self, key: Key, task: Task, template: TaskTemplate, names: Names) -> None:
        choices = template.choices or task.choices
        shows = "options" in names
        if template.options != "none" and choices is None:
            message = "the template shows options, but the task has no choices"
            self.report("FC208", message, (*key, "options"), "give the task `choices:`")
        elif template.options != "none" and not shows:
            message = f"options are {template.options}, but the input has no {{{{ options }}}}"
            self.report("FC208", message, (*key, "input"), "put {{ options }} on a line of its own")
        elif template.options == "none" and shows:
            message = "the input has {{ options }}, but the template does not say `options:`"
            hint = "say `options: optional` or `options: required`"
            self.report("FC208", message, (*key, "input"), hint, "options")

"""Static checks of a task's templates: names of inputs and targets, options, turns, equal texts."""

from __future__ import annotations

from collections.abc import Mapping

from flancompile.dsl.checks.near_duplicates import near_duplicates
from flancompile.dsl.checks.scope import FileScope, Names
from flancompile.dsl.checks.style import name_hint
from flancompile.dsl.checks.template_texts import (
    input_diagnostics,
    options_diagnostics,
    target_diagnostics,
)
from flancompile.dsl.jinja.names import names_in_order, task_texts, used_names
from flancompile.dsl.models.task import Task, Template
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic

__all__ = ["check_template", "compare_templates"]


def check_template(
    scope: FileScope, key: Key, task: Task, template: Template, lets: Mapping[str, bool]
) -> None:
    """Check one template. lets: the task's names, each with whether an input may show it."""
    inputs, outputs = frozenset(task.signature.inputs), frozenset(task.signature.outputs)
    seen = scope.fields | scope.variable
    if template.when is not None:
        scope.expression((*key, "when"), template.when, seen)
    known = {**dict.fromkeys(inputs, True), **lets}
    own = {**lets, **scope.lets((*key, "let"), template.let, seen, known)}
    if template.choices is not None:
        scope.choices((*key, "choices"), template.choices, seen | set(own))
    for name in own.keys() & scope.fields:
        spot = (*key, "let", name) if name in template.let else (*key[:2], "let", name)
        span = scope.document.span(spot, of_key=True)
        message = f"let {name!r} hides the field of that name"
        scope.found.append(Diagnostic("FC205", message, span, "rename it"))
    if template.turns is not None:
        _turns(scope, key, task, template, seen | set(own))
        return
    names = scope.template((*key, "input"), template.input, None)
    for name in sorted(names):
        _input_name(scope, (*key, "input"), name, inputs, outputs, own)
    known_targets = inputs | outputs | set(own) | scope.variable
    _options(scope, (*key,), task, template, names)
    names_shown = scope.template((*key, "target"), template.target, known_targets | {"gold"})
    scope.report_text(
        (*key, "input"), input_diagnostics(template.input, inputs | set(own), scope.fields)
    )
    scope.report_text(
        (*key, "target"), target_diagnostics(template.target, known_targets, scope.fields)
    )
    if template.options == "optional":
        scope.report_text((*key, "input"), options_diagnostics(template.input))
    _target(scope, (*key, "target"), task, template, names_shown, own)


def _turns(scope: FileScope, key: Key, task: Task, template: Template, seen: Names) -> None:
    """Check `turns`: they show an output and exclude settings of input and target."""
    settings = template.turns
    assert settings is not None
    names_shown = scope.expression((*key, "turns", "each"), settings.each, seen)
    inner = seen | {"turn", "n", "count", "last"}
    for name in ("role", "text", "loss"):
        known = inner | {"role"} if name == "loss" else inner
        text = getattr(settings, name)
        names_shown |= scope.expression((*key, "turns", name), text, known)
    outputs = frozenset(task.signature.outputs)
    lets = {*task.let, *template.let}
    if (
        outputs <= scope.fields
        and names_shown <= inner | {"role"}
        and not names_shown & (outputs | lets)
    ):
        message = f"the turns show none of the outputs {', '.join(task.signature.outputs)}"
        hint = "the signature lists outputs after ->"
        scope.report("FC214", message, (*key, "turns", "each"), hint)
    of_template = {
        ("options",): template.options != "none",
        ("cot",): template.cot,
        ("choices",): template.choices is not None,
    }
    of_task = {("eval",): task.eval is not None, ("instruction",): task.instruction is not None}
    advice = {
        "eval": "`explode` with `exchanges` gives a row for each answer, for input and target",
        "instruction": "put it into `each` as a system turn",
    }
    for part, is_there in (*of_template.items(), *of_task.items()):
        if is_there:
            name = str(part[0])
            spot = (*key, *part) if part in of_template else (*key[:2], *part)
            message = f"`turns` and `{name}` exclude each other"
            hint = advice.get(name, "it is for templates with input and target")
            scope.report("FC225", message, spot, hint)


def _target(
    scope: FileScope,
    key: Key,
    task: Task,
    template: Template,
    names_shown: Names,
    lets: Mapping[str, bool],
) -> None:
    """Check that a target shows an output, and in a chain of thought a rationale first."""
    outputs = frozenset(task.signature.outputs)
    condition_names = used_names(template.when or "''", True) or Names()
    if outputs <= scope.fields and not (names_shown | condition_names) & (
        outputs | set(lets) | {"gold"}
    ):
        message = f"the target shows none of the outputs {', '.join(task.signature.outputs)}"
        scope.report("FC214", message, key, "the signature lists outputs after ->")
    choices = template.choices or task.choices
    answers = {"gold", choices.gold if choices else ""} & (outputs | {"gold"})
    if not template.cot or not names_shown & (outputs | {"gold"}):
        return
    order = [n for n in names_in_order(template.target) if n in outputs | {"gold"}]
    if len(set(order)) < 2:
        message = f"the target of a chain of thought shows only {order[0]!r}"
        hint = "show the rationale, then the answer"
        scope.report("FC218", message, key, hint, severity="warning")
    elif order[0] in answers and order[-1] not in answers:
        message = f"the answer {order[0]!r} comes before its rationale {order[-1]!r}"
        hint = "show the rationale first: reasoning is learnt only before the answer"
        scope.report("FC218", message, key, hint, order[0], "warning")


def _input_name(
    scope: FileScope, key: Key, name: str, inputs: Names, outputs: Names, lets: Mapping[str, bool]
) -> None:
    if name in inputs or name in scope.variable or name == "options" or lets.get(name):
        return
    if name in outputs or name == "gold":
        message = f"the input shows {name!r}, which is an output of the task"
        advice = "the signature lists it as an output; remove it from the input"
        scope.report("FC206", message, key, advice, name)
    elif name in lets:
        message = f"the input shows {name!r}, which is computed from fields that are not inputs"
        scope.report("FC206", message, key, "add those fields to the signature before ->", name)
    elif name in scope.fields:
        message = f"the input shows {name!r}, which the signature does not list as an input"
        scope.report("FC207", message, key, f"add {name!r} to the signature before ->", name)
    else:
        hint = name_hint(name, inputs | set(lets) | scope.variable | {"options"})
        scope.report("FC202", f"there is no {name!r} here", key, hint, name)


def _options(scope: FileScope, key: Key, task: Task, template: Template, names: Names) -> None:
    choices = template.choices or task.choices
    shows = "options" in names
    if template.options != "none" and choices is None:
        message = "the template shows options, but the task has no choices"
        scope.report("FC208", message, (*key, "options"), "give the task `choices:`")
    elif template.options != "none" and not shows:
        message = f"options are {template.options}, but the input has no {{{{ options }}}}"
        scope.report("FC208", message, (*key, "input"), "put {{ options }} on a line of its own")
    elif template.options == "none" and shows:
        message = "the input has {{ options }}, but the template has no `options:`"
        hint = "set `options: optional` or `options: required`"
        scope.report("FC208", message, (*key, "input"), hint, "options")


def compare_templates(scope: FileScope, key: Key, task: Task) -> None:
    """Check a task's templates together: equal names and texts, inputs that none shows."""
    names: dict[str, int] = {}
    texts: dict[tuple[str, str], str] = {}
    for index, template in enumerate(task.templates):
        spot = (*key, "templates", index)
        if template.name in names:
            message = f"two templates are named {template.name!r}"
            scope.report(
                "FC212", message, (*spot, "name"), "draws and reports identify templates by name"
            )
        names.setdefault(template.name, index)
        prompt = str(template.turns) if template.turns is not None else template.input
        same = texts.setdefault((prompt, template.target), template.name)
        if same != template.name:
            message = f"the texts of {same!r} and {template.name!r} are equal"
            hint = "change the wording, or remove one"
            scope.report("FC213", message, (*spot, "input"), hint, severity="warning")
    for index, other, difference in near_duplicates(task.templates):
        name = task.templates[index].name
        message = f"the texts of {other!r} and {name!r} differ in {difference}"
        spot = (*key, "templates", index, "input")
        hint = "change the wording, or remove one"
        scope.report("FC213", message, spot, hint, severity="warning")
    used = [used_names(*text) for text in task_texts(task)]
    used_by_templates = frozenset[str]().union(*(u for u in used if u is not None))
    for name in task.signature.inputs:
        if name in scope.fields and name not in used_by_templates and None not in used:
            message = f"no template shows {name!r}, which the signature lists as an input"
            hint = "show it, or remove it from the signature"
            scope.report("FC215", message, (*key, "signature"), hint, name, "warning")

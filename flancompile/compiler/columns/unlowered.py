"""Report the templates that need the row engine, with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.models.task import Choices, Template
from flancompile.lowering.lowerable import why_not

__all__ = ["Unlowered", "styles_why_not", "unlowered"]


@dataclass(frozen=True)
class Unlowered:
    """A template that the row engine renders."""

    task: str
    template: str
    reason: str


def unlowered(spec: RenderSpec) -> list[Unlowered]:
    """List the templates of a task that the row engine renders."""
    for_all = next(_of_task(spec), None)
    found = []
    for index in spec.templates:
        template = spec.task.templates[index]
        reason = for_all or next(_of_template(template), None)
        if reason is not None:
            found.append(Unlowered(spec.task_id, template.name, reason))
    return found


def styles_why_not(spec: RenderSpec) -> str | None:
    """Reason why a task's styles or instruction need the row engine; None if they are lowered."""
    texts: dict[str, tuple[str, ...]] = {
        f"the layout {id_}": (s.opening, s.exemplar, s.query, s.zero)
        for id_, s in spec.shots_styles.items()
    }
    texts |= {
        f"the option style {id_}": (s.label, s.item, s.opening, s.ending, s.gold)
        for id_, s in spec.option_styles.items()
    }
    texts["instruction"] = (spec.task.instruction or "",)
    return next(_reasons((w, t, False) for w, all_ in texts.items() for t in all_), None)


def _of_task(spec: RenderSpec) -> Iterator[str]:
    if spec.wrap:
        yield "it is wrapped in a chat layout"
    if (reason := styles_why_not(spec)) is not None:
        yield reason
    task = spec.task
    yield from _reasons((f"let: {n}", t, True) for n, t in task.let.items())
    yield from _reasons([("where", task.where, True)])
    yield from _of_choices(task.choices)


def _of_template(template: Template) -> Iterator[str]:
    if template.turns is not None:
        yield "a dialogue"
    yield from _reasons([("input", template.input, False), ("target", template.target, False)])
    yield from _reasons((f"let: {n}", t, True) for n, t in template.let.items())
    yield from _reasons([("when", template.when, True)])
    yield from _of_choices(template.choices)


def _of_choices(choices: Choices | None) -> Iterator[str]:
    if choices is not None:
        texts = (choices.gold, choices.options, choices.labels)
        yield from _reasons(("choices", t, True) for t in texts if isinstance(t, str))


def _reasons(texts: Iterable[tuple[str, str | None, bool]]) -> Iterator[str]:
    """texts: (label, text, whether it is an expression)."""
    for where, text, expression in texts:
        reason = None if text is None else why_not(text, expression=expression)
        if reason is not None:
            yield f"{where}: {reason}"

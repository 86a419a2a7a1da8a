"""Requests of a mixture that cannot be met, as far as they show before any row is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from flancompile.compiler.plan.members import Node
from flancompile.compiler.render.arms import cot_arms, option_arms
from flancompile.dsl.library.library import Library, Loaded
from flancompile.dsl.models.mixture import ArmWeights, Member, Mixture, Recipe
from flancompile.dsl.models.task import Task, Template
from flancompile.errors import Diagnostic, Span, fail, nearest

__all__ = [
    "check_size",
    "double_names",
    "impossible_arms",
    "missing_arm",
    "short_size",
    "unmet_rates",
]

Arm = Literal["options", "cot"]


def double_names(mixture: Loaded[Mixture]) -> Iterator[Diagnostic]:
    """Members with equal names, which reports and `size.over` cannot distinguish."""
    seen: dict[str, int] = {}
    for index, member in enumerate(mixture.model.members):
        name = member.name or member.mixture or str(member.select)
        if name in seen and (member.name or mixture.model.members[seen[name]].name):
            key = next(k for k in ("name", "mixture", "select") if getattr(member, k))
            span = mixture.document.span(("members", index, key))
            message = f"two members are named {name!r}"
            yield Diagnostic("FC109", message, span, "rename one: reports identify members by name")
        seen.setdefault(name, index)


def impossible_arms(
    member: Member, tasks: Sequence[Task], name: str, span: Span
) -> Iterator[Diagnostic]:
    """Arms that a member sets itself and that none of its tasks has."""
    templates = [t for task in tasks for t in task.templates]
    given: tuple[tuple[Arm, ArmWeights | None], ...]
    given = ("options", member.options), ("cot", member.cot)
    for arm, weights in given:
        if weights is not None:
            found = missing_arm(arm, weights.with_ > 0, templates, f"the member {name!r}", span)
            yield from [found] if found else []


def missing_arm(
    arm: Arm, requested: bool, templates: Collection[Template], who: str, span: Span
) -> Diagnostic | None:
    """FC419 if templates exist and all are of the other arm; who: the subject of the message.

    requested: whether prompts are to show options, or targets to have a rationale.
    """
    arms = option_arms(templates) if arm == "options" else cot_arms(templates)
    if not arms or requested in arms:
        return None
    feature, value = ("options", "optional") if arm == "options" else ("a rationale", "true")
    if requested:
        message = f"{who} requests {feature}, but no template of its tasks has any"
        hint = f"remove `{arm}`, or give a template `{arm}: {value}`"
    else:
        message = f"{who} requests examples without {feature}, but all its templates have it"
        hint = f"remove `{arm}`, or add a template without it"
    return Diagnostic("FC419", message, span, hint)


def unmet_rates(library: Library, id_: str, node: Node) -> Iterator[Diagnostic]:
    """Members with a rate and no task left: hold-outs or earlier members took them all."""
    if id_ not in library.mixtures:
        return
    loaded = library.mixtures[id_]
    for index, (member, child) in enumerate(zip(loaded.model.members, node.children, strict=True)):
        if member.rate is not None and not child.all_tasks():
            span = loaded.document.span(("members", index, "rate"))
            message = f"the rate of {child.name!r} cannot be met: it has no tasks left"
            hint = "hold-outs or earlier members took them all; its share goes to the other members"
            yield Diagnostic("FC420", message, span, hint, "warning")
        elif member.mixture is not None:
            yield from unmet_rates(library, member.mixture, child)


def check_size(recipe: Loaded[Recipe], mixture: Node) -> None:
    """Raise FC409 for a recipe that counts epochs over a member that its mixture lacks."""
    over, names = recipe.model.size.over, [c.name for c in mixture.children]
    if over is not None and over not in names:
        hint = nearest(over, names) or f"members here: {', '.join(names)}"
        span = recipe.document.span(("size", "over"))
        raise fail("FC409", f"the mixture has no member {over!r}", span=span, hint=hint)


def short_size(recipe: Loaded[Recipe], node: Node) -> Iterator[Diagnostic]:
    """A number of examples that exceeds the limits of caps and epochs, for any data."""
    examples = recipe.model.size.examples
    if examples is None:
        return
    rates = [c.rate for c in node.children]
    total = sum(r or 0.0 for r in rates)
    span = recipe.document.span(("size", "examples"))
    for child in node.children if total and None not in rates else [node]:
        share = examples * ((child.rate or 0.0) / total if child is not node else 1.0)
        tasks = child.all_tasks()
        most = [t.cap_rows * t.max_epochs for t in tasks if t.cap_rows and t.max_epochs]
        if tasks and len(most) == len(tasks) and sum(most) < share * 0.999:
            message = (
                f"{child.name!r} is to give {share:,.0f} examples, but its caps allow "
                f"{sum(most):,.0f} at most"
            )
            hint = "lower the size, or raise `cap_rows` or `max_passes`"
            yield Diagnostic("FC420", message, span, hint, "warning")

"""Render specs of tasks: styles selected by id or glob, and the arms that templates have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.models.style import OptionStyle, ShotsStyle, draws
from flancompile.errors import fail, nearest

__all__ = ["chosen_styles", "render_spec"]

S = TypeVar("S")


def render_spec(
    task: TaskDef,
    requested: ArmShares,
    templates: Sequence[int],
    option_styles: Mapping[str, OptionStyle],
    shots_styles: Mapping[str, ShotsStyle],
    *,
    seed: int,
    **more: Any,
) -> RenderSpec:
    """The render spec of a task under some of its templates.

    requested: shares of arms, reduced to those that the templates have; more: other fields of the
    spec.
    """
    return RenderSpec(
        task_id=task.id,
        task=task.task,
        option_styles=option_styles,
        shots_styles=_with_plain(shots_styles),
        shares=requested.within([task.task.templates[t] for t in templates]),
        seed=seed,
        templates=tuple(templates),
        variable=task.variable,
        **more,
    )


def chosen_styles(table: Mapping[str, S], patterns: Sequence[str], kind: str) -> dict[str, S]:
    """The styles that ids and globs select. Raises FC411 for a pattern that selects none."""
    for pattern in patterns:
        if not any(draws(pattern, i, s) for i, s in table.items()):
            hint = nearest(pattern, table)
            raise fail("FC411", f"no {kind} style matches {pattern!r}", hint=hint)
    return {i: s for i, s in table.items() if any(draws(p, i, s) for p in patterns)}


def _with_plain(styles: Mapping[str, ShotsStyle]) -> dict[str, ShotsStyle]:
    """The layouts, with a plain one added if none serves prompts without, or with, exemplars.

    A prompt may lose its exemplars to the token budget, so both are always needed.
    """
    found = dict(styles)
    if all(s.when == "few" for s in styles.values()):
        found["plain, without exemplars"] = ShotsStyle(when="zero")
    if all(s.when == "zero" for s in styles.values()):
        found["plain, with exemplars"] = ShotsStyle(when="few")
    return found

"""`flancompile plan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from flancompile.api import plan
from flancompile.cli.console import console, folders, print_json, progress, size
from flancompile.errors import fail

__all__ = ["run", "settings_of"]

NAMES = ("task", "member", "share", "examples", "passes", "rows", "usable", "prompt", "target")
SHOWN = 10


def settings_of(missing: str | None, hold_out: Sequence[str]) -> dict[str, Any]:
    """Recipe keys set by command-line options. Raises FC416."""
    if missing not in (None, "error", "leave_out"):
        raise fail("FC416", f"--missing is error or leave_out, not {missing!r}")
    found: dict[str, Any] = {} if missing is None else {"missing": missing}
    return {**found, "hold_out_clusters": tuple(hold_out)} if hold_out else found


def run(
    recipe: str,
    batch_packs: int,
    library: list[Path],
    overlay: str | None,
    cache: Path | None,
    settings: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Print a forecast."""
    arguments: dict[str, Any] = {"library": folders(library), "overlay": overlay, "cache": cache}
    with progress() as report:
        forecast = plan(recipe, **arguments, settings=settings, progress=report)
    if as_json:
        print_json({**forecast.as_dict(), "steps": forecast.steps(batch_packs)})
        return
    out = console()
    table = Table(box=None, pad_edge=False)
    for name in NAMES:
        table.add_column(name, justify="left" if name in ("task", "member") else "right")
    for task in forecast.tasks:
        table.add_row(
            task.task,
            task.member,
            f"{task.share:.2%}",
            f"{task.examples:,}",
            f"{task.passes:.2f}",
            f"{task.rows:,}",
            f"{task.usable_share:.1%}",
            f"{task.mean_prompt_tokens:.0f}",
            f"{task.mean_target_tokens:.0f}",
        )
    out.print(table)
    for task_id, why in sorted(forecast.held_out.items()):
        out.print(f"held out: {task_id} ({why})", style="dim")
    for task_id, why in sorted(forecast.left_out.items()):
        out.print(f"left out: {task_id} ({why})", style="yellow")
    by_column = forecast.templates - len(forecast.by_row)
    out.print(
        f"{by_column:,} of {forecast.templates:,} templates are rendered by columns", style="dim"
    )
    for one in forecast.by_row[:SHOWN]:
        out.print(f"row by row: {one.task} {one.template} ({one.reason})", style="dim")
    if len(forecast.by_row) > SHOWN:
        out.print(f"and {len(forecast.by_row) - SHOWN:,} more; --json lists all", style="dim")
    out.print(
        f"about {forecast.examples:,} examples, {forecast.tokens:,} tokens "
        f"({forecast.target_tokens:,} with loss), {forecast.packs:,} packs, "
        f"{forecast.steps(batch_packs):,} steps of {batch_packs}, "
        f"{size(forecast.bytes)}, {forecast.seconds:.0f} s on one core",
        style="bold",
    )

"""`flancompile eval`."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from flancompile.api import evaluate
from flancompile.cli.console import console, print_json, progress
from flancompile.evaluate.results import TaskResult
from flancompile.evaluate.task import Score

__all__ = ["run"]


def run(
    folder: Path, build: Path | None, step: int | None, max_rows: int | None, *, as_json: bool
) -> None:
    """Score a run, and print its table."""
    with progress() as tell:
        results = evaluate(folder, build=build, step=step, max_rows=max_rows, tell=tell)
    if as_json:
        print_json([r.as_dict() for r in results])
        return
    out = console()
    out.print(_table(results))
    good = sum(r.beats_baselines for r in results)
    out.print(
        f"{good} of {len(results)} tasks lie above chance and above the untrained model at 95%",
        style="bold",
    )
    out.print(f"{folder} · evaluation/, report.html", style="dim")


def _table(results: list[TaskResult]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("task", "metric", "rows", "trained", "untrained", "chance", ""):
        table.add_column(name, justify="left" if name in ("task", "metric") else "right")
    for r in results:
        table.add_row(
            r.task + (" (held out)" if r.held_out else ""),
            r.metric,
            f"{r.trained.rows:,}",
            _shown(r.trained),
            _shown(r.untrained) if r.untrained else "",
            f"{r.chance:.1%}",
            "above both" if r.beats_baselines else "",
        )
    return table


def _shown(score: Score) -> str:
    return f"{score.mean:.1%} [{score.low:.1%}, {score.high:.1%}]"

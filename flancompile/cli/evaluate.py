"""`flancompile eval`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.table import Table

from flancompile.api import evaluate_run
from flancompile.cli.console import console, print_json, progress
from flancompile.evaluate.results import TaskResult, group_means
from flancompile.evaluate.task import Score

__all__ = ["run"]


def run(
    folder: Path, build: Path | None, step: int | None, max_rows: int | None, *, as_json: bool
) -> None:
    """Evaluate a run and print its scores."""
    with progress() as report:
        results = evaluate_run(folder, build=build, step=step, max_rows=max_rows, progress=report)
    if as_json:
        print_json([r.as_dict() for r in results])
        return
    out = console()
    out.print(_table(results))
    if any(r.group for r in results):
        out.print(_groups(results))
    good = sum(r.beats_baselines for r in results)
    out.print(
        f"{good} of {len(results)} evaluation sets are above chance and the untrained model at 95%",
        style="bold",
    )
    out.print(f"{folder} · evaluation/, report.html", style="dim")


def _table(results: list[TaskResult]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("set", "metric", "rows", "trained", "untrained", "chance", ""):
        table.add_column(name, justify="left" if name in ("set", "metric") else "right")
    for r in results:
        table.add_row(
            r.name + (" (held out)" if r.held_out else ""),
            r.metric,
            f"{r.trained.rows:,}",
            _score_text(r.trained),
            _score_text(r.untrained) if r.untrained else "",
            f"{r.chance:.1%}",
            "above both" if r.beats_baselines else "",
        )
    return table


def _groups(results: list[TaskResult]) -> Table:
    """Mean score of each group, and the mean over the groups of each `evaluate` entry."""
    means = group_means(results)
    table = Table(box=None, pad_edge=False)
    for name in ("group", "sets", "mean"):
        table.add_column(name, justify="left" if name == "group" else "right")
    sizes = Counter(r.group_name for r in results)
    for name, mean in means.items():
        table.add_row(name, str(sizes[name]), f"{mean:.1%}")
    for entry in sorted({r.entry or "" for r in results}):
        own = {r.group_name for r in results if (r.entry or "") == entry}
        mean = sum(means[name] for name in own) / len(own)
        count = sum(sizes[name] for name in own)
        table.add_row(f"all groups@{entry}" if entry else "all groups", str(count), f"{mean:.1%}")
    return table


def _score_text(score: Score) -> str:
    return f"{score.mean:.1%} [{score.low:.1%}, {score.high:.1%}]"

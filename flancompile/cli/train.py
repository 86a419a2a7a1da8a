"""`flancompile train`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flancompile.api import train
from flancompile.cli.console import console, folders, print_json
from flancompile.trainer.log import read_metrics

__all__ = ["run"]

LINES = 20  # where there is no terminal


def run(
    name: str,
    out: Path | None,
    build: Path | None,
    library: list[Path],
    *,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Train and print the paths of the results. Return 130 if interrupted, with state saved."""
    with _stopping() as stop, _display() as report:
        try:
            folder = train(
                name, out, build=build, library=folders(library), overwrite=overwrite,
                progress=report, stop=stop,
            )  # fmt: skip
        except Exception as error:
            if type(error).__name__ != "Interrupted":
                raise
            print("stopped; the same command resumes from here", file=sys.stderr)
            return 130
    last = (read_metrics(folder) or [{}])[-1]
    if as_json:
        print_json({"run": str(folder), "metrics": last})
        return 0
    out_ = console()
    if last:
        out_.print(
            f"step {last['step']:,}: loss {last['loss']:.4f}, accuracy {last['accuracy']:.1%} on "
            "targets",
            style="bold",
        )
    out_.print(f"{folder} · metrics.jsonl, checkpoints/, report.html", style="dim")
    return 0


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Stop after the current step on the first Ctrl-C or SIGTERM, at once on the second."""
    requested = False

    def request_stop(number: int, _: Any) -> None:
        nonlocal requested
        requested = True
        signal.signal(number, signal.default_int_handler)
        print("stopping after this step; interrupt again to stop at once", file=sys.stderr)

    previous_handlers = {n: signal.signal(n, request_stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: requested
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


@contextmanager
def _display() -> Iterator[Callable[[Any], None]]:
    """A live line on a terminal: loss, targets a second, use of the device, wait, time left.

    Elsewhere a line of text every so often.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    err = Console(stderr=True)
    bars = Progress(
        TextColumn("train"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[metrics]}"), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), console=err, disable=not err.is_terminal,
    )  # fmt: skip
    state: dict[str, Any] = {}

    def report(event: Any) -> None:
        if not isinstance(event, dict):
            run_info = event.run_info
            resumed = f", resuming from step {event.step}" if event.step else ""
            err.print(
                f"{run_info['run']['run']}: {run_info['parameters']:,} parameters, "
                f"{event.steps:,} steps, mesh {run_info['mesh']} of {run_info['device']}, "
                f"attention by {run_info['attention']}{resumed}",
                highlight=False,
            )
            state.update(steps=event.steps, printed=event.step)
            state["bar"] = bars.add_task(
                "", total=event.steps, completed=event.step, metrics="compiling the step"
            )
            return
        metrics = _metrics_text(event)
        bars.update(state["bar"], completed=event["step"], metrics=metrics)
        due = event["step"] - state["printed"] >= state["steps"] / LINES
        if not err.is_terminal and (due or event["step"] == state["steps"]):
            state["printed"] = event["step"]
            err.print(f"step {event['step']}/{state['steps']}  {metrics}", highlight=False)

    with bars:
        yield report


def _metrics_text(line: dict[str, Any]) -> str:
    parts = [f"loss {line['loss']:.3f}", f"{line['targets_per_second']:,.0f} targets/s"]
    if line["mfu"] is not None:
        parts.append(f"MFU {line['mfu']:.1%}")
    return "  ".join([*parts, f"wait {line['wait_share']:.1%}"])

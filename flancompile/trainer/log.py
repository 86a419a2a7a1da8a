"""A run's folder: its metrics as JSON lines, what it is, and where things lie. Needs no JAX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flancompile.errors import fail, nearest

__all__ = ["METRICS", "RUN", "MetricsLog", "checkpoints_folder", "read_metrics", "read_run"]

METRICS = "metrics.jsonl"
RUN = "run.json"


def checkpoints_folder(folder: Path) -> Path:
    """Where a run's checkpoints lie."""
    return folder / "checkpoints"


def read_run(folder: Path) -> dict[str, Any]:
    """What a run's folder says of the run. Raises FC605 for a folder that is none."""
    file = folder / RUN
    if not file.is_file():
        near = [p.parent.name for p in folder.parent.glob(f"*/{RUN}")]
        hint = nearest(folder.name, near) or f"a run is a folder with {RUN}; `train` makes it"
        raise fail("FC605", f"{str(folder)!r} is no run", hint=hint)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The run's metrics in the order of steps; a line cut off by a kill is left out."""
    file = folder / METRICS
    if not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


class MetricsLog:
    """Appends metrics to a run's folder; lines past `start` are of steps to be made again."""

    def __init__(self, folder: Path, start: int) -> None:
        kept = [m for m in read_metrics(folder) if m["step"] <= start]
        partial = folder / f".{METRICS}"
        partial.write_text("".join(json.dumps(m) + "\n" for m in kept), encoding="utf-8")
        partial.replace(folder / METRICS)
        self._file = (folder / METRICS).open("a", encoding="utf-8")

    def write(self, metrics: dict[str, Any]) -> None:
        """One line, at once on disk."""
        self._file.write(json.dumps(metrics) + "\n")
        self._file.flush()

    def close(self) -> None:
        """End it."""
        self._file.close()

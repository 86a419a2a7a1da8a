"""A run's folder: its metrics as JSON lines, what it is, and where things lie. Needs no JAX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flancompile.errors import FlancompileError, fail, nearest

__all__ = [
    "METRICS", "RUN", "MetricsLog", "checkpoints_folder", "read_metrics", "read_run", "write_run",
]  # fmt: skip

METRICS = "metrics.jsonl"
RUN = "run.json"
_NEEDED = frozenset(("run", "build", "root_digest", "tokenizer", "tasks", "vocab", "mesh"))


def checkpoints_folder(folder: Path) -> Path:
    """Where a run's checkpoints lie."""
    return folder / "checkpoints"


def read_run(folder: Path) -> dict[str, Any]:
    """What a run's folder says of the run. Raises FC605 for a folder that is none, or damaged."""
    file = folder / RUN
    if not file.is_file():
        near = [p.parent.name for p in folder.parent.glob(f"*/{RUN}")]
        hint = nearest(folder.name, near) or f"a run is a folder with {RUN}; `train` makes it"
        raise fail("FC605", f"{str(folder)!r} is no run", hint=hint)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(file, str(error)) from None
    if not isinstance(found, dict) or not found.keys() >= _NEEDED:
        raise _damaged(file, "it does not say all that a run says")
    return found


def _damaged(file: Path, why: str) -> FlancompileError:
    hint = "say `train` again with the same run and folder: it writes the file anew, and goes on"
    return fail("FC605", f"{str(file)!r} is damaged: {why}", hint=hint)


def write_run(folder: Path, about: dict[str, Any]) -> None:
    """Write what `read_run` reads; the file is there whole or not at all."""
    partial = folder / f".{RUN}"
    partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / RUN)


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
        earlier = [m for m in read_metrics(folder) if m["step"] <= start]
        partial = folder / f".{METRICS}"
        partial.write_text("".join(json.dumps(m) + "\n" for m in earlier), encoding="utf-8")
        partial.replace(folder / METRICS)
        self._file = (folder / METRICS).open("a", encoding="utf-8")

    def write(self, metrics: dict[str, Any]) -> None:
        """One line, at once on disk."""
        self._file.write(json.dumps(metrics) + "\n")
        self._file.flush()

    def close(self) -> None:
        """End it."""
        self._file.close()

"""Files of a run's folder: run.json (facts) and metrics.jsonl. Does not import JAX."""

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
_REQUIRED = frozenset(("run", "build", "root_digest", "tokenizer", "tasks", "vocab", "mesh"))


def checkpoints_folder(folder: Path) -> Path:
    """Folder of a run's checkpoints."""
    return folder / "checkpoints"


def read_run(folder: Path) -> dict[str, Any]:
    """Read a run's run.json. Raises FC605 if the folder is not a run, or the file is damaged."""
    file = folder / RUN
    if not file.is_file():
        near = [p.parent.name for p in folder.parent.glob(f"*/{RUN}")]
        hint = nearest(folder.name, near) or f"a run is a folder with {RUN}; `train` makes it"
        raise fail("FC605", f"{str(folder)!r} is not a run", hint=hint)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(file, str(error)) from None
    if not isinstance(found, dict):
        raise _damaged(file, "it is not a JSON object")
    if missing := sorted(_REQUIRED - found.keys()):
        raise _damaged(file, f"it lacks {', '.join(missing)}")
    return found


def _damaged(file: Path, why: str) -> FlancompileError:
    hint = "run `train` again with the same run and folder: it rewrites the file and resumes"
    return fail("FC605", f"{str(file)!r} is damaged: {why}", hint=hint)


def write_run(folder: Path, run_info: dict[str, Any]) -> None:
    """Write a run's run.json. Atomic: an interrupted write leaves no file."""
    partial = folder / f".{RUN}"
    partial.write_text(json.dumps(run_info, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / RUN)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read a run's metrics, ascending by step. A last line cut off by a kill is ignored."""
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
    """Append metrics to a run's folder, after deleting the lines of steps after `start`."""

    def __init__(self, folder: Path, start: int) -> None:
        earlier = [m for m in read_metrics(folder) if m["step"] <= start]
        partial = folder / f".{METRICS}"
        partial.write_text("".join(json.dumps(m) + "\n" for m in earlier), encoding="utf-8")
        partial.replace(folder / METRICS)
        self._file = (folder / METRICS).open("a", encoding="utf-8")

    def write(self, metrics: dict[str, Any]) -> None:
        """Append a line and flush it."""
        self._file.write(json.dumps(metrics) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

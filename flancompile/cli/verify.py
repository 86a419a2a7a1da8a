"""`flancompile verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flancompile.cli.console import console, print_json, progress
from flancompile.store.build import Build
from flancompile.store.verify import verify

__all__ = ["run"]


def run(path: Path, *, as_json: bool) -> int:
    """Print every problem. Return 1 if there is one."""
    build = Build.open(path)
    with progress() as report:
        found = verify(build, lambda done, total: report("files", done, total))
    root = build.manifest.root_digest
    if as_json:
        print_json({"root_digest": root, "problems": [asdict(p) for p in found]})
        return int(bool(found))
    out = console()
    for problem in found:
        out.print(f"{problem.file}: {problem.message}", style="red")
    verdict = f"{len(found)} problems" if found else f"sound: {root}"
    out.print(verdict, style="bold red" if found else "bold green")
    return int(bool(found))

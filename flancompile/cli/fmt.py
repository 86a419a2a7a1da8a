"""`flancompile fmt`."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from flancompile.cli.console import LIBRARY_PARTS, console
from flancompile.dsl.yaml.formatting import format_file
from flancompile.errors import Diagnostic, FlancompileError, fail

__all__ = ["run"]


def run(paths: list[Path], *, check: bool, show: bool) -> int:
    """Write files in canonical form. Return 1 if `check` finds a file that is not.

    Files that are not YAML stay unchanged and are reported together at the end. Raises FC101.
    """
    out, changed = console(), 0
    files = [f for p in paths for f in _files(p)]
    faults: list[Diagnostic] = []
    for path in files:
        try:
            before, after = format_file(path)
        except FlancompileError as error:
            faults += error.diagnostics
            continue
        if before == after:
            continue
        changed += 1
        if show:
            lines = difflib.unified_diff(
                before.splitlines(True), after.splitlines(True), str(path), str(path)
            )
            out.print("".join(lines), end="")
        elif check:
            out.print(f"{path} would be reformatted")
        if not check and not show:
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            partial.write_text(after, encoding="utf-8")
            partial.replace(path)
    verb = "would change" if check or show else "changed"
    out.print(f"{changed} of {len(files)} files {verb}", style="bold")
    if faults:
        raise FlancompileError(faults)
    return int(check and changed > 0)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise fail("FC107", f"there is no {str(path)!r}")
    parts = [path / part for part in LIBRARY_PARTS if (path / part).is_dir()] or [path]
    # training writes into folders within `runs`
    found = (f for p in parts for f in (p.glob if p.name == "runs" else p.rglob)("*.y*ml"))
    return sorted(f for f in found if f.suffix in (".yaml", ".yml"))

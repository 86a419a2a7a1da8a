"""`flancompile ls`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flancompile.cli.console import console, folders, print_json
from flancompile.compiler.cache import memo_of
from flancompile.dsl.library.library import Library, load_library
from flancompile.dsl.library.select import parse_selector
from flancompile.errors import FlancompileError, fail, nearest

__all__ = ["run"]

KINDS = ("tasks", "mixtures", "recipes", "styles", "overlays")


def run(
    listing: str, select: str, library: list[Path], overlay: str | None, *, as_json: bool
) -> None:
    """Print a library's tasks, mixtures, recipes, styles or overlays."""
    if listing not in KINDS:
        raise fail("FC416", f"there is no list of {listing!r}", hint=nearest(listing, KINDS))
    loaded, found = load_library(folders(library), memo=memo_of(folders(library)))
    if found:
        raise FlancompileError(found)
    rows = _tasks(loaded, select, overlay) if listing == "tasks" else _others(loaded, listing)
    if as_json:
        print_json(rows)
        return
    out = console()
    print(_table(rows), end="")
    out.print(f"{len(rows)} {listing}", style="dim")


def _table(rows: list[dict[str, Any]]) -> str:
    """Print rows in aligned columns; rich's tables take longer than loading a library."""
    if not rows:
        return ""
    lines = [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "".join(f"{line}\n" for line in shown)


def _tasks(library: Library, select: str, overlay: str | None) -> list[dict[str, Any]]:
    tasks = library.tasks(library.overlay(overlay) if overlay else None)
    picked = [tasks[i] for i in sorted(parse_selector(select).pick(tasks.values()))]
    return [
        {
            "task": t.id,
            "cluster": t.task.cluster or "",
            "templates": len(t.task.templates),
            "flags": sorted(t.flags),
            "tags": list(t.task.tags),
            "signature": str(t.task.signature),
        }
        for t in picked
    ]


def _others(library: Library, listing: str) -> list[dict[str, Any]]:
    if listing == "styles":
        kinds = library.styles.items()
        return [{"style": i, "kind": kind} for kind, table in kinds for i in sorted(table)]
    table = getattr(library, listing)
    return [
        {
            listing.removesuffix("s"): id_,
            "file": table[id_].document.path,
            "description": getattr(table[id_].model, "description", None) or "",
        }
        for id_ in sorted(table)
    ]


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)

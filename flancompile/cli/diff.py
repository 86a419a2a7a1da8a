"""`flancompile diff`."""

from __future__ import annotations

from pathlib import Path

from flancompile.authoring.compare import Difference, compare_builds, compare_libraries
from flancompile.cli.console import console, print_json
from flancompile.dsl.library.library import Library, load_library
from flancompile.errors import FlancompileError
from flancompile.store.build import Build

__all__ = ["run"]


def run(first: Path, second: Path, *, as_json: bool) -> int:
    """Print the differences. Return 1 if there are any."""
    if (first / "manifest.json").is_file() or (second / "manifest.json").is_file():
        found = compare_builds(Build.open(first).manifest, Build.open(second).manifest)
    else:
        found = compare_libraries(_library(first), _library(second))
    if as_json:
        print_json([d.as_dict() for d in found])
    else:
        _print(found)
    return int(bool(found))


def _library(folder: Path) -> Library:
    library, diagnostics = load_library([folder], builtin=False)
    if diagnostics:
        raise FlancompileError(diagnostics)
    return library


def _print(found: list[Difference]) -> None:
    out = console()
    signs = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
    for one in found:
        sign, style = signs[one.kind]
        out.print(f"{sign} {one.task}", style=style)
        for detail in one.details:
            out.print(f"    {detail}", soft_wrap=True)
    if not found:
        out.print("no difference", style="bold green")

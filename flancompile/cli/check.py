"""`flancompile check`."""

from __future__ import annotations

from pathlib import Path

from flancompile.api import check
from flancompile.cli.console import console, print_json
from flancompile.cli.formats import github, sarif
from flancompile.errors import fail, nearest

__all__ = ["run"]


FORMATS = ("text", "json", "github", "sarif")


def run(paths: list[Path], form: str, *, strict: bool, builtin: bool) -> int:
    """Print every diagnostic. -> 1 when there is an error (or, if strict, a warning)."""
    if form not in FORMATS:
        hint = nearest(form, FORMATS) or f"known: {', '.join(FORMATS)}"
        raise fail("FC416", f"there is no format {form!r}", hint=hint)
    found = check(*paths, builtin=builtin)
    errors = sum(d.severity == "error" for d in found)
    warnings = len(found) - errors
    if form == "json":
        print_json([d.as_dict() for d in found])
    elif form == "github":
        print(github(found), end="")
    elif form == "sarif":
        print_json(sarif(found))
    else:
        for diagnostic in found:
            print(diagnostic.render(), end="\n\n")
        verdict = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        style = "bold red" if errors else "bold yellow" if warnings else "bold green"
        console().print(verdict if found else "no complaints", style=style)
    return int(errors > 0 or (strict and warnings > 0))


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"

"""`flancompile check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flancompile.api import check
from flancompile.cli.console import console, print_json, progress
from flancompile.cli.formats import github, sarif
from flancompile.errors import Diagnostic, FlancompileError, fail, nearest

if TYPE_CHECKING:
    from flancompile.lint.reading import Reading

__all__ = ["Look", "run"]


FORMATS = ("text", "json", "github", "sarif")


@dataclass(frozen=True)
class Look:
    """How rows are sampled and linted, if at all."""

    data: bool = False
    rows: int | None = None
    tokenizer: Path | None = None
    length: int | None = None
    overlay: str | None = None
    select: str = "all"
    on_hand: bool = False
    split: str | None = None

    def reading(self) -> Reading | None:
        """Settings of the data check; None where rows are not read."""
        if not self.data:
            return None
        from flancompile.lint.reading import Reading
        from flancompile.tokenizer.load import load_file

        tokenizer = load_file(self.tokenizer) if self.tokenizer is not None else None
        return Reading(
            self.rows,
            tokenizer,
            self.length,
            select=self.select,
            on_hand=self.on_hand,
            split=self.split,
        )


def run(paths: list[Path], look: Look, form: str, *, strict: bool, builtin: bool) -> int:
    """Print every diagnostic. -> 1 when there is an error (or, if strict, a warning)."""
    if form not in FORMATS:
        hint = nearest(form, FORMATS) or f"known: {', '.join(FORMATS)}"
        raise fail("FC416", f"there is no format {form!r}", hint=hint)
    try:
        with progress() as report:
            found = check(
                *paths,
                builtin=builtin,
                data=look.reading(),
                overlay=look.overlay,
                allowed=True,
                progress=report,
            )
    except FlancompileError as error:  # a missing path is reported in the same format
        found = list(error.diagnostics)
    every, found = found, [d for d in found if d.allowed is None]
    errors = sum(d.severity == "error" for d in found)
    if form == "json":
        print_json([d.as_dict() for d in every])
    elif form == "github":
        print(github(found), end="")
    elif form == "sarif":
        print_json(sarif(every))
    else:
        _print_summary(found, errors, len(every) - len(found))
    return int(errors > 0 or (strict and len(found) > errors))


def _print_summary(found: list[Diagnostic], errors: int, allowed: int) -> None:
    """Print diagnostics as text, with counts of errors, warnings and allowed ones."""
    for diagnostic in found:
        print(diagnostic.render(), end="\n\n")
    warnings = len(found) - errors
    verdict = "no errors or warnings"
    if found:
        verdict = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    if allowed:
        verdict += f" ({allowed:,} allowed)"
    style = "bold red" if errors else "bold yellow" if warnings else "bold green"
    console().print(verdict, style=style)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"

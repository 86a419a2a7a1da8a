"""Terminal output of commands: consoles, progress bars, sizes, highlighted text."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from flancompile.dsl.library.folders import holds_library
from flancompile.errors import fail

__all__ = ["bytes_of", "console", "folders", "print_json", "progress", "size", "tinted"]

LOSS = "black on green3"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
LIBRARY_PARTS = ("datasets", "mixtures", "recipes", "runs", "styles", "overlays")


def console() -> Console:
    """Console for results; lines are not cut when standard output is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def folders(given: list[Path]) -> tuple[Path, ...]:
    """The library folders: those given, else this folder where it holds a library's files.

    `runs/` and the like make no library: training and compiling write there.
    """
    if given:
        return tuple(given)
    here = Path()
    return (here,) if holds_library(here) else ()


def bytes_of(text: str) -> int:
    """Parse a size such as `256MiB` into bytes. Raises FC415."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in _UNITS:
        raise fail("FC415", f"{text!r} is not a size", hint="write 256MiB, 1GiB or bytes")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def size(count: float) -> str:
    """Format a number of bytes.

    >>> size(1536)
    '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


@contextmanager
def progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Progress bars on standard error, one a stage; silent when that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    err = Console(stderr=True)
    columns = (
        TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    bars = Progress(*columns, console=err, disable=not err.is_terminal)
    known: dict[str, Any] = {}

    def close() -> None:
        for bar in bars.tasks:
            if bar.total is None:
                bars.update(bar.id, total=1, completed=1)

    def report(stage: str, done: int, total: int | None) -> None:
        if stage not in known:
            close()
            known[stage] = bars.add_task(stage, total=total)
        bars.update(known[stage], completed=done, total=total)

    with bars:
        yield report
        close()


def tinted(parts: list[tuple[str, bool]], whitespace: bool = False) -> Text:
    """Text with loss spans highlighted, and white space made visible on request."""
    text = Text()
    for part, loss in parts:
        text.append(_visible(part) if whitespace else part, style=LOSS if loss else "")
    return text


def _visible(text: str) -> str:
    return text.translate(_SHOWN)


_SHOWN = str.maketrans({" ": "·", "\t": "→\t", "\r": "␍", "\n": "⏎\n", "\v": "␋", "\f": "␌"})

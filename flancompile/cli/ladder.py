"""`flancompile ladder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from flancompile.api import ladder
from flancompile.cli.console import console, folders, print_json, progress

__all__ = ["run"]

COLUMNS = (
    "rung", "names", "served", "on hand", "datasets", "categories", "templates", "examples",
    "tokens", "with loss",
)  # fmt: skip
SHOWN = 20


def run(
    mixture: str,
    tokenizer: Path | None,
    library: list[Path],
    overlay: str | None,
    cache: Path | None,
    every: bool,
    *,
    as_json: bool,
) -> None:
    """Print the available and the missing tasks of each rung."""
    arguments: dict[str, Any] = {"overlay": overlay, "cache": cache, "tokenizer": tokenizer}
    with progress() as report:
        found = ladder(mixture, library=folders(library), progress=report, **arguments)
    if as_json:
        print_json([r.as_dict() for r in found])
        return
    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for rung in found:
        numbers = (
            rung.tasks, rung.names, rung.served, rung.on_hand, rung.datasets, rung.categories,
            rung.templates, rung.examples, rung.tokens, rung.target_tokens,
        )  # fmt: skip
        table.add_row(*(f"{n:,}" for n in numbers))
    out = console()
    out.print(table)
    of = "bytes" if tokenizer is None else tokenizer.name
    out.print(f"examples are rows, each once; tokens are of {of}, by mean lengths", style="dim")
    missing = [n for n in found[-1].missing if n.tasks or every]
    for one in missing if every else missing[:SHOWN]:
        out.print(f"{one.name}: {one.why}", style="yellow")
    if not every and len(missing) > SHOWN:
        out.print(f"… and {len(missing) - SHOWN} more; --all lists them", style="yellow")
    unserved = sum(not n.tasks for n in found[-1].missing)
    if unserved and not every:
        out.print(f"{unserved:,} names are not covered by any task; --all lists them", style="dim")

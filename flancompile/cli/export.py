"""`flancompile export`."""

from __future__ import annotations

from pathlib import Path

from flancompile.cli.console import console, progress
from flancompile.store.build import Build
from flancompile.store.export import export, export_evaluation
from flancompile.tokenizer.load import load_folder

__all__ = ["run"]


def run(path: Path, to: str, out: Path, text: bool, evaluation: str | None) -> None:
    """Export the build, or one of its evaluation sets, to another format."""
    build = Build.open(path)
    decode = load_folder(build.tokenizer_folder).decode if text and to == "jsonl" else None
    if evaluation is not None:
        rows = export_evaluation(build, out, to, evaluation)
        console().print(f"{rows:,} rows in {out}")
        return
    with progress() as report:
        rows = export(
            build, out, to, decode=decode, progress=lambda done, total: report("rows", done, total)
        )
    console().print(f"{rows:,} rows in {out}")

"""`flancompile compile`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flancompile.api import compile
from flancompile.cli.console import bytes_of, console, folders, print_json, progress
from flancompile.cli.inspect import summary

__all__ = ["run"]


def run(  # noqa: PLR0913
    recipe: str,
    out: Path,
    library: list[Path],
    overlay: str | None,
    cache: Path | None,
    *,
    as_json: bool,
    workers: int,
    memory: str,
    overwrite: bool,
    relearn: bool,
    settings: Mapping[str, Any],
) -> None:
    """Compile a recipe and print a summary of the build."""
    with progress() as report:
        build = compile(
            recipe,
            out,
            library=folders(library),
            overlay=overlay,
            cache=cache,
            workers=workers,
            memory_bytes=bytes_of(memory),
            overwrite=overwrite,
            relearn=relearn,
            settings=settings,
            progress=report,
        )
    if as_json:
        m = build.manifest
        print_json({"build": str(out), "root_digest": m.root_digest, "counts": m.counts})
        return
    summary(build, console())

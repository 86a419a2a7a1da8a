"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = [
    "CacheDir",
    "Dir",
    "HoldOut",
    "Json",
    "Library",
    "Missing",
    "Overlay",
    "RecipeArg",
]

Library = Annotated[
    list[Path],
    typer.Option("--library", "-l", help="A library: a folder, or flan or demo; repeatable."),
]
Overlay = Annotated[Optional[str], typer.Option(help="The overlay that locates the data.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CacheDir = Annotated[
    Optional[Path], typer.Option("--cache", help="Cache folder. Default: $FLANCOMPILE_CACHE.")
]
Dir = Annotated[Path, typer.Argument(metavar="DIR", help="The build's folder.")]
RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's id, or its file.")]
Missing = Annotated[
    Optional[str],
    typer.Option(
        help="For tasks whose data is missing: error or leave_out. Default: the recipe's setting."
    ),
]
HoldOut = Annotated[
    list[str], typer.Option("--hold-out", help="A cluster to hold out of the mixture; repeatable.")
]

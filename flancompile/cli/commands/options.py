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
Overlay = Annotated[Optional[str], typer.Option(help="The overlay that says where rows lie.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
CacheDir = Annotated[
    Optional[Path], typer.Option("--cache", help="Cache folder. Default: $FLANCOMPILE_CACHE.")
]
Dir = Annotated[Path, typer.Argument(metavar="DIR", help="A build's folder.")]
RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's id, or its file.")]
Missing = Annotated[
    Optional[str],
    typer.Option(help="error or leave_out: tasks whose rows are not here. Default: the recipe's."),
]
HoldOut = Annotated[
    list[str], typer.Option("--hold-out", help="A cluster kept out of the mixture; repeatable.")
]

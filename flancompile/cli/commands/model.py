"""Commands that train and evaluate models on a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from flancompile.cli.commands.options import Json, Library

__all__ = ["app"]

app = typer.Typer()
PANEL = "Train"


@app.command(rich_help_panel=PANEL)
def train(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's file, or its id.")],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="The run's folder. Default: runs/ID.")
    ] = None,
    build: Annotated[
        Optional[Path], typer.Option(help="The build to use in place of the run file's.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Discard an existing run in the folder and start again.")
    ] = False,
    library: Library = [],
    json: Json = False,
) -> None:
    """Train a model on a build; an interrupted run resumes from its last checkpoint."""
    from flancompile.cli import train as command

    raise typer.Exit(command.run(run, out, build, library, overwrite=overwrite, as_json=json))


@app.command("eval", rich_help_panel=PANEL)
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")],
    build: Annotated[
        Optional[Path], typer.Option(help="The build's folder, if it has moved.")
    ] = None,
    step: Annotated[
        Optional[int], typer.Option(help="The checkpoint's step. Default: the last one.")
    ] = None,
    max_rows: Annotated[Optional[int], typer.Option(min=1, help="Maximum rows per task.")] = None,
    json: Json = False,
) -> None:
    """Evaluate a run on its build's evaluation sets, beside the untrained model and chance."""
    from flancompile.cli import evaluate as command

    command.run(folder, build, step, max_rows, as_json=json)


@app.command(rich_help_panel=PANEL)
def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the build and the run.")
    ] = Path("demo"),
) -> None:
    """Compile, train, evaluate and report on the bundled data (about five minutes)."""
    from flancompile.cli import demo as command

    raise typer.Exit(command.run(out))

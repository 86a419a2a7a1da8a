"""Commands that make a build, look into it, or convert it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from flancompile.cli.commands.options import (
    CacheDir,
    Dir,
    HoldOut,
    Json,
    Library,
    Missing,
    Overlay,
    RecipeArg,
)

__all__ = ["app"]

app = typer.Typer()
PANEL = "Compile"


@app.command(rich_help_panel=PANEL)
def plan(
    recipe: RecipeArg,
    batch_packs: Annotated[int, typer.Option(min=1, help="Packs per batch, to count steps.")] = 64,
    missing: Missing = None,
    hold_out: HoldOut = [],
    library: Library = [],
    overlay: Overlay = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """Forecast a compile from a sample: examples, tokens, packs, steps, bytes, time."""
    from flancompile.cli import plan as command

    settings = command.settings_of(missing, hold_out)
    command.run(recipe, batch_packs, library, overlay, cache, settings, as_json=json)


@app.command(rich_help_panel=PANEL)
def compile(
    recipe: RecipeArg,
    out: Annotated[Path, typer.Option("--out", "-o", help="The build's folder.")],
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes.")] = 1,
    memory: Annotated[str, typer.Option(help="Memory for sorting rows: 256MiB, 1GiB.")] = "256MiB",
    overwrite: Annotated[bool, typer.Option(help="Replace an existing build.")] = False,
    relearn: Annotated[bool, typer.Option(help="Train the recipe's tokenizer again.")] = False,
    missing: Missing = None,
    hold_out: HoldOut = [],
    library: Library = [],
    overlay: Overlay = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """Compile a recipe into a build. The bytes do not depend on the number of workers."""
    from flancompile.cli import compile as command
    from flancompile.cli.plan import settings_of

    command.run(
        recipe, out, library, overlay, cache, as_json=json,
        workers=workers, memory=memory, overwrite=overwrite, relearn=relearn,
        settings=settings_of(missing, hold_out),
    )  # fmt: skip


@app.command(rich_help_panel=PANEL)
def inspect(
    build: Dir,
    pack: Annotated[Optional[int], typer.Option(help="Show this pack's tokens.")] = None,
    evaluation: Annotated[
        Optional[str],
        typer.Option("--eval", metavar="SET", help="Show this evaluation set's first rows."),
    ] = None,
    json: Json = False,
) -> None:
    """Summarise a build, or show one of its packs or evaluation sets."""
    from flancompile.cli import inspect as command

    command.run(build, pack, evaluation, as_json=json)


@app.command(rich_help_panel=PANEL)
def explain(
    build: Dir,
    pack: Annotated[Optional[int], typer.Option(help="A pack, with --segment.")] = None,
    segment: Annotated[int, typer.Option(min=0, help="The example in the pack, from 0.")] = 0,
    step: Annotated[Optional[int], typer.Option(help="A step of the feed, with --row.")] = None,
    evaluation: Annotated[
        Optional[str], typer.Option("--eval", metavar="SET", help="An evaluation set, with --row.")
    ] = None,
    row: Annotated[
        int, typer.Option(min=0, help="The pack in the step's batch, or the set's row; from 0.")
    ] = 0,
    batch_packs: Annotated[int, typer.Option(min=1, help="Packs per batch of the feed.")] = 64,
    seed: Annotated[int, typer.Option(help="The feed's seed.")] = 0,
    json: Json = False,
) -> None:
    """Trace tokens to their source row, template, exemplars and draws."""
    from flancompile.cli import explain as command

    if evaluation is not None:
        command.explain_evaluation(build, evaluation, row, as_json=json)
    else:
        command.run(build, pack, segment, step, row, batch_packs, seed, as_json=json)


@app.command(rich_help_panel=PANEL)
def verify(build: Dir, json: Json = False) -> None:
    """Re-read a build and check digests, lengths, loss masks, provenance and ledger."""
    from flancompile.cli import verify as command

    raise typer.Exit(command.run(build, as_json=json))


@app.command(rich_help_panel=PANEL)
def export(
    build: Dir,
    to: Annotated[str, typer.Option(help="parquet, jsonl or hf-disk.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file or folder to write.")],
    text: Annotated[bool, typer.Option(help="jsonl: add the decoded texts.")] = True,
    evaluation: Annotated[
        Optional[str],
        typer.Option("--eval", metavar="SET", help="An evaluation set in place of the packs."),
    ] = None,
) -> None:
    """Export a build, or one of its evaluation sets, to another format."""
    from flancompile.cli import export as command

    command.run(build, to, out, text, evaluation)


@app.command(rich_help_panel=PANEL)
def cache(
    action: Annotated[str, typer.Argument(help="info, gc or path.")] = "info",
    limit: Annotated[
        Optional[str], typer.Option(help="gc: keep at most this much, such as 10GiB.")
    ] = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """Show, locate or shrink the cache of read splits, objects and tokenizers."""
    from flancompile.cli import cache as command

    command.run(action, limit, cache, as_json=json)

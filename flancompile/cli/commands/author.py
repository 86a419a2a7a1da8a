"""Commands for authors: check, preview, import and format a library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from flancompile.cli.commands.options import CacheDir, Json, Library, Overlay

__all__ = ["app"]

app = typer.Typer()
PANEL = "Author"


@app.command(rich_help_panel=PANEL)
def check(
    paths: Annotated[
        list[Path], typer.Argument(help="Library folders, flan, demo, or single files.")
    ],
    strict: Annotated[bool, typer.Option(help="Treat warnings as errors.")] = False,
    builtin: Annotated[bool, typer.Option(help="Also check the built-in library.")] = False,
    data: Annotated[
        bool, typer.Option("--data", help="Render a sample of rows and lint it.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="With --data: check all rows.")] = False,
    rows: Annotated[
        int, typer.Option(min=1, help="With --data: sample size, in rows per task.")
    ] = 200,
    tokenizer: Annotated[
        Optional[Path],
        typer.Option(
            help="With --data: report text that it cannot encode exactly, and over-long examples."
        ),
    ] = None,
    length: Annotated[
        Optional[int], typer.Option(help="With --tokenizer: maximum tokens per example.")
    ] = None,
    select: Annotated[
        str, typer.Option("--select", "-s", help="With --data: tasks to check, as a selector.")
    ] = "all",
    on_hand: Annotated[
        bool,
        typer.Option(
            "--on-hand", help="With --data: skip tasks whose data is not on this machine."
        ),
    ] = False,
    split: Annotated[
        Optional[str],
        typer.Option(
            help="With --data: the split to lint. Default: training and evaluation splits."
        ),
    ] = None,
    overlay: Overlay = None,
    form: Annotated[str, typer.Option("--format", help="text, json, github or sarif.")] = "text",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Check a library: report every mistake with its file, line and column. Rows are read only
    with --data."""
    from flancompile.cli import check as command

    look = command.Look(
        data or every, None if every else rows, tokenizer, length, overlay, select, on_hand, split
    )
    form = "json" if json else form
    raise typer.Exit(command.run(paths, look, form, strict=strict, builtin=builtin))


@app.command(rich_help_panel=PANEL)
def ls(
    kind: Annotated[
        str, typer.Argument(help="tasks, mixtures, recipes, styles or overlays.")
    ] = "tasks",
    select: Annotated[str, typer.Option("--select", "-s", help="A selector over tasks.")] = "all",
    library: Library = [],
    overlay: Overlay = None,
    json: Json = False,
) -> None:
    """List tasks with their labels, or mixtures, recipes, styles or overlays."""
    from flancompile.cli import ls as command

    command.run(kind, select, library, overlay, as_json=json)


@app.command(rich_help_panel=PANEL)
def show(
    task: Annotated[str, typer.Argument(help="A task's id.")],
    template: Annotated[Optional[str], typer.Option("--template", "-t", help="One only.")] = None,
    row: Annotated[
        Optional[str], typer.Option(metavar="ID", help="One row, by its id or its number, from 0.")
    ] = None,
    shots: Annotated[int, typer.Option(min=0, help="Exemplars.")] = 0,
    options: Annotated[Optional[bool], typer.Option(help="With or without answer options.")] = None,
    cot: Annotated[Optional[bool], typer.Option(help="With or without a chain of thought.")] = None,
    option_style: Annotated[
        Optional[str],
        typer.Option(help="Option style, by id or glob. Default: the task's, or all."),
    ] = None,
    shots_style: Annotated[
        Optional[str],
        typer.Option(help="Shots layout, by id or glob. Default: the task's, or all."),
    ] = None,
    chat_style: Annotated[
        str, typer.Option(help="Chat layout; `tokenizer` for the tokenizer's own.")
    ] = "*",
    tokenizer: Annotated[
        Optional[Path], typer.Option(help="Mark token boundaries of this tokenizer.")
    ] = None,
    split: Annotated[
        Optional[str], typer.Option(help="The split to show. Default: train, else the first.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of all draws.")] = 0,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of examples.")] = 3,
    whitespace: Annotated[
        bool, typer.Option("--whitespace", "-w", help="Show white space.")
    ] = False,
    library: Library = [],
    overlay: Overlay = None,
    json: Json = False,
) -> None:
    """Show a task's examples as the model sees them, with text under loss highlighted."""
    from flancompile.authoring.preview import PreviewSettings
    from flancompile.cli import show as command

    settings = PreviewSettings(template, row, shots, options, cot, option_style, shots_style,
        chat_style, count)  # fmt: skip
    command.run(task, settings, split, seed, tokenizer, library, overlay, whitespace, as_json=json)


@app.command(rich_help_panel=PANEL)
def new(
    source: Annotated[str, typer.Argument(help="A file of rows, or hub:OWNER/NAME.")],
    out: Annotated[
        Optional[Path],
        typer.Option("--out", "-o", help="The file to write. Default: standard output."),
    ] = None,
    explode: Annotated[Optional[str], typer.Option(help="A path to lists of rows.")] = None,
    config: Annotated[Optional[str], typer.Option(help="The Hub dataset's configuration.")] = None,
    name: Annotated[Optional[str], typer.Option("--id", help="The dataset's id.")] = None,
) -> None:
    """Write a first dataset file, with fields guessed from the source's rows."""
    from flancompile.cli import new as command

    command.run(source, out, explode, config, name)


@app.command("import", rich_help_panel=PANEL)
def import_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="promptsource or lm-eval.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files, or folders of them.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The library folder to write.")],
    split: Annotated[
        str, typer.Option(help="promptsource: the split that the sources name.")
    ] = "train",
    json: Json = False,
) -> None:
    """Convert promptsource or lm-eval files to dataset files, and report unsupported features."""
    from flancompile.cli import importing as command

    raise typer.Exit(command.run(kind, paths, out, split, as_json=json))


@app.command(rich_help_panel=PANEL)
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A library, or a build.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    json: Json = False,
) -> None:
    """Compare two libraries or two builds; exit code 1 if they differ."""
    from flancompile.cli import diff as command

    raise typer.Exit(command.run(first, second, as_json=json))


@app.command(rich_help_panel=PANEL)
def fmt(
    paths: Annotated[list[Path], typer.Argument(help="Library folders or files.")],
    check: Annotated[
        bool, typer.Option("--check", help="List files that would change; write nothing.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--diff", help="Print the changes as a diff; write nothing.")
    ] = False,
) -> None:
    """Format YAML files in a canonical form; comments are kept."""
    from flancompile.cli import fmt as command

    raise typer.Exit(command.run(paths, check=check, show=show))


@app.command(rich_help_panel=PANEL)
def ladder(
    mixture: Annotated[
        str, typer.Argument(help="The mixture to compare with the ladder.")
    ] = "ladder_89",
    tokenizer: Annotated[
        Optional[Path], typer.Option(help="Count tokens with this tokenizer. Default: count bytes.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every missing name.")] = False,
    library: Library = [],
    overlay: Overlay = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """Show which ladder tasks (0, 9, 89, 282, 1,836) are available, and why others are not."""
    from flancompile.cli import ladder as command

    command.run(mixture, tokenizer, library, overlay, cache, every, as_json=json)


@app.command(rich_help_panel=PANEL)
def catalogue(
    overlay: Annotated[
        list[str], typer.Option(help="An overlay whose datasets are described; repeatable.")
    ] = [],
    library: Library = [],
) -> None:
    """Print a page about every dataset: licence, categories, templates, ladder names, rows."""
    from flancompile.cli import catalogue as command

    command.run(library, overlay)


@app.command(rich_help_panel=PANEL)
def schema(
    name: Annotated[
        Optional[str], typer.Argument(help="dataset, mixture, recipe, styles, overlay or run.")
    ] = None,
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Write all schemas to this folder.")
    ] = None,
    expressions: Annotated[
        bool, typer.Option("--expressions", help="Print the reference of the expression language.")
    ] = False,
    keys: Annotated[
        bool, typer.Option("--keys", help="Print the reference of all keys, as Markdown.")
    ] = False,
    api: Annotated[
        bool, typer.Option("--api", help="Print the reference of the Python API, as Markdown.")
    ] = False,
) -> None:
    """Print or write JSON Schemas of the library's file types, for editors."""
    from flancompile.cli import schema as command

    command.run(out, name, expressions=expressions, keys=keys, api=api)

"""Commands and their options; each command's work is in a module of its own, imported late.

`--help` therefore imports typer and nothing else of ours.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = ["app", "run"]

app = typer.Typer(
    name="flancompile",
    help="The compiler for instruction-tuning data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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


def run() -> None:
    """Run the app; errors of ours are printed as diagnostics, Ctrl-C ends quietly."""
    from flancompile.disk import disk_errors
    from flancompile.errors import FlancompileError

    gc.set_threshold(200_000, 20, 20)  # a library is many small objects that live to the end
    try:
        with disk_errors():
            code = app(standalone_mode=False)
    except FlancompileError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage error of click's
            error.show()
            sys.exit(error.exit_code)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def _version(wanted: bool) -> None:
    if wanted:
        from flancompile._version import __version__

        typer.echo(f"flancompile {__version__}")
        raise typer.Exit


Missing = Annotated[
    Optional[str],
    typer.Option(help="error or leave_out: tasks whose rows are not here. Default: the recipe's."),
]
HoldOut = Annotated[
    list[str], typer.Option("--hold-out", help="A cluster kept out of the mixture; repeatable.")
]


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def check(
    paths: Annotated[
        list[Path], typer.Argument(help="Library folders, flan, demo, or single files.")
    ],
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,
    builtin: Annotated[bool, typer.Option(help="Check the built-in library too.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Render a sample of rows and lint.")] = False,
    every: Annotated[bool, typer.Option("--all", help="All rows, with --data.")] = False,
    rows: Annotated[int, typer.Option(min=1, help="Rows of a sample.")] = 200,
    tokenizer: Annotated[
        Optional[Path], typer.Option(help="With --data: what it loses, and over-long texts.")
    ] = None,
    length: Annotated[Optional[int], typer.Option(help="Tokens an example may have.")] = None,
    select: Annotated[
        str, typer.Option("--select", "-s", help="With --data: which tasks, by a selector.")
    ] = "all",
    on_hand: Annotated[
        bool, typer.Option("--on-hand", help="With --data: pass over tasks without rows here.")
    ] = False,
    split: Annotated[
        Optional[str],
        typer.Option(help="With --data: lint this one. Default: training and evaluation splits."),
    ] = None,
    overlay: Overlay = None,
    form: Annotated[str, typer.Option("--format", help="text, json, github or sarif.")] = "text",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Check files as a compiler checks source: every mistake, at its place. No row is read,
    unless --data asks for it."""
    from flancompile.cli import check as command

    look = command.Look(
        data or every, None if every else rows, tokenizer, length, overlay, select, on_hand, split
    )
    form = "json" if json else form
    raise typer.Exit(command.run(paths, look, form, strict=strict, builtin=builtin))


@app.command()
def ls(
    what: Annotated[
        str, typer.Argument(help="tasks, mixtures, recipes, styles or overlays.")
    ] = "tasks",
    select: Annotated[str, typer.Option("--select", "-s", help="A selector over tasks.")] = "all",
    library: Library = [],
    overlay: Overlay = None,
    json: Json = False,
) -> None:
    """List tasks with their labels, or what else the library holds."""
    from flancompile.cli import ls as command

    command.run(what, select, library, overlay, as_json=json)


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="A task's id.")],
    template: Annotated[Optional[str], typer.Option("--template", "-t", help="One only.")] = None,
    row: Annotated[
        Optional[str], typer.Option(metavar="ID", help="One row, by its id or its number, from 0.")
    ] = None,
    shots: Annotated[int, typer.Option(min=0, help="Exemplars.")] = 0,
    options: Annotated[Optional[bool], typer.Option(help="Show answer options, or not.")] = None,
    cot: Annotated[Optional[bool], typer.Option(help="Chain of thought, or direct.")] = None,
    option_style: Annotated[str, typer.Option(help="Option style, by id or glob.")] = "*",
    shots_style: Annotated[str, typer.Option(help="Shots layout, by id or glob.")] = "*",
    chat_style: Annotated[
        str, typer.Option(help="Chat layout; `tokenizer` for the tokenizer's own.")
    ] = "*",
    tokenizer: Annotated[
        Optional[Path], typer.Option(help="Show the ids' borders by this tokenizer.")
    ] = None,
    split: Annotated[
        Optional[str], typer.Option(help="The split to show. Default: train, else the first.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of all draws.")] = 0,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many examples.")] = 3,
    whitespace: Annotated[
        bool, typer.Option("--whitespace", "-w", help="Show white space.")
    ] = False,
    library: Library = [],
    overlay: Overlay = None,
    json: Json = False,
) -> None:
    """Show a task's prompts as the model sees them; what carries loss is tinted."""
    from flancompile.authoring.preview import Wanted
    from flancompile.cli import show as command

    wanted = Wanted(template, row, shots, options, cot, option_style, shots_style,
        chat_style, count)  # fmt: skip
    command.run(task, wanted, split, seed, tokenizer, library, overlay, whitespace, as_json=json)


@app.command()
def new(
    source: Annotated[str, typer.Argument(help="A file of rows, or hub:OWNER/NAME.")],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="The file to write. Default: print.")
    ] = None,
    explode: Annotated[Optional[str], typer.Option(help="A path to lists of rows.")] = None,
    config: Annotated[Optional[str], typer.Option(help="The Hub dataset's configuration.")] = None,
    name: Annotated[Optional[str], typer.Option("--id", help="The dataset's id.")] = None,
) -> None:
    """A dataset file to start from, guessed from the rows of a source."""
    from flancompile.cli import new as command

    command.run(source, out, explode, config, name)


@app.command("import")
def import_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="promptsource or lm-eval.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files, or folders of them.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The library to write.")],
    split: Annotated[
        str, typer.Option(help="promptsource: the split that the sources name.")
    ] = "train",
    json: Json = False,
) -> None:
    """Bring in what others have written, as dataset files; what cannot be is named."""
    from flancompile.cli import importing as command

    raise typer.Exit(command.run(kind, paths, out, split, as_json=json))


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A library, or a build.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    json: Json = False,
) -> None:
    """What differs between two libraries or two builds; exit code 1 if anything does."""
    from flancompile.cli import diff as command

    raise typer.Exit(command.run(first, second, as_json=json))


@app.command()
def fmt(
    paths: Annotated[list[Path], typer.Argument(help="Library folders or files.")],
    check: Annotated[bool, typer.Option("--check", help="Only say what would change.")] = False,
    show: Annotated[bool, typer.Option("--diff", help="Only show what would change.")] = False,
) -> None:
    """Write YAML files in one canonical form, comments kept."""
    from flancompile.cli import fmt as command

    raise typer.Exit(command.run(paths, check=check, show=show))


@app.command()
def plan(
    recipe: RecipeArg,
    batch_packs: Annotated[int, typer.Option(min=1, help="Packs a batch, for the steps.")] = 64,
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


@app.command()
def ladder(
    mixture: Annotated[
        str, typer.Argument(help="The mixture whose tasks are looked at.")
    ] = "ladder_89",
    tokenizer: Annotated[
        Optional[Path], typer.Option(help="What tokens are counted in. Default: bytes.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every missing name.")] = False,
    library: Library = [],
    overlay: Overlay = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """The ladder of 0, 9, 89, 282 and 1,836 tasks: what is on hand, what is not, and why."""
    from flancompile.cli import ladder as command

    command.run(mixture, tokenizer, library, overlay, cache, every, as_json=json)


@app.command()
def catalogue(
    overlay: Annotated[
        list[str], typer.Option(help="Overlays whose rows are told of; repeatable.")
    ] = [],
    library: Library = [],
) -> None:
    """A page of every dataset: licence, categories, templates, names of the ladder, rows."""
    from flancompile.cli import catalogue as command

    command.run(library, overlay)


@app.command()
def compile(
    recipe: RecipeArg,
    out: Annotated[Path, typer.Option("--out", "-o", help="The build's folder.")],
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes.")] = 1,
    memory: Annotated[str, typer.Option(help="Rows held while sorting: 256MiB, 1GiB.")] = "256MiB",
    overwrite: Annotated[bool, typer.Option(help="Replace the build that is there.")] = False,
    relearn: Annotated[bool, typer.Option(help="Learn the recipe's tokenizer anew.")] = False,
    missing: Missing = None,
    hold_out: HoldOut = [],
    library: Library = [],
    overlay: Overlay = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """Compile a recipe into a build. The same recipe gives the same bytes, by any workers."""
    from flancompile.cli import compile as command
    from flancompile.cli.plan import settings_of

    command.run(
        recipe, out, library, overlay, cache, as_json=json,
        workers=workers, memory=memory, overwrite=overwrite, relearn=relearn,
        settings=settings_of(missing, hold_out),
    )  # fmt: skip


@app.command()
def train(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's file, or its id.")],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="The run's folder. Default: runs/ID.")
    ] = None,
    build: Annotated[Optional[Path], typer.Option(help="The build, if not the file's.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Start anew, whatever is there.")] = False,
    library: Library = [],
    json: Json = False,
) -> None:
    """Train a model on a build; a run that was stopped goes on where it was."""
    from flancompile.cli import train as command

    raise typer.Exit(command.run(run, out, build, library, overwrite=overwrite, as_json=json))


@app.command("eval")
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")],
    build: Annotated[Optional[Path], typer.Option(help="Where the build lies now.")] = None,
    step: Annotated[Optional[int], typer.Option(help="Of which checkpoint. Default: last.")] = None,
    max_rows: Annotated[Optional[int], typer.Option(min=1, help="Rows of each task.")] = None,
    json: Json = False,
) -> None:
    """Score a run on its build's evaluation tasks, beside the untrained model and chance."""
    from flancompile.cli import evaluate as command

    command.run(folder, build, step, max_rows, as_json=json)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where build and run go.")] = Path(
        "demo"
    ),
) -> None:
    """Compile, train, evaluate and report on data that ships with the package: some minutes."""
    from flancompile.cli import demo as command

    raise typer.Exit(command.run(out))


@app.command()
def inspect(
    build: Dir,
    pack: Annotated[Optional[int], typer.Option(help="Show this pack's tokens.")] = None,
    evaluation: Annotated[
        Optional[str],
        typer.Option("--eval", metavar="SET", help="Show this evaluation set's first rows."),
    ] = None,
    json: Json = False,
) -> None:
    """What a build holds: counts, shares asked and realised, fill; a pack or evaluation set."""
    from flancompile.cli import inspect as command

    command.run(build, pack, evaluation, as_json=json)


@app.command()
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
    batch_packs: Annotated[int, typer.Option(min=1, help="Packs a batch of the feed.")] = 64,
    seed: Annotated[int, typer.Option(help="The feed's seed.")] = 0,
    json: Json = False,
) -> None:
    """Which source row, template, exemplars and draws made these tokens."""
    from flancompile.cli import explain as command

    if evaluation is not None:
        command.explain_evaluation(build, evaluation, row, as_json=json)
    else:
        command.run(build, pack, segment, step, row, batch_packs, seed, as_json=json)


@app.command()
def verify(build: Dir, json: Json = False) -> None:
    """Read a build again and prove it: digests, lengths, masks, provenance, ledger."""
    from flancompile.cli import verify as command

    raise typer.Exit(command.run(build, as_json=json))


@app.command()
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
    """Write a build, or one of its evaluation sets, in another form."""
    from flancompile.cli import export as command

    command.run(build, to, out, text, evaluation)


@app.command()
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
) -> None:
    """JSON Schemas of the files that an author writes, for editors."""
    from flancompile.cli import schema as command

    command.run(out, name, expressions=expressions, keys=keys)


@app.command()
def cache(
    action: Annotated[str, typer.Argument(help="info, gc or path.")] = "info",
    limit: Annotated[
        Optional[str], typer.Option(help="gc: keep at most this much, such as 10GiB.")
    ] = None,
    cache: CacheDir = None,
    json: Json = False,
) -> None:
    """The cache of read splits, objects and tokenizers."""
    from flancompile.cli import cache as command

    command.run(action, limit, cache, as_json=json)

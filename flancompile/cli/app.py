"""The command line application and its error handling.

Declarations of the commands are in `commands/`, by group; each imports the module that does its
work when it runs, so `--help` imports typer alone.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from flancompile.cli.commands import author, build, model

__all__ = ["app", "run"]

app = typer.Typer(
    name="flancompile",
    help="The compiler for instruction-tuning data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


def _version(requested: bool) -> None:
    if requested:
        from flancompile._version import __version__

        typer.echo(f"flancompile {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


for group in (author, build, model):
    app.add_typer(group.app)

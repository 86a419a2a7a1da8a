"""`flancompile schema`."""

from __future__ import annotations

from pathlib import Path

import typer

from flancompile.cli.api_reference import api_reference
from flancompile.cli.console import console, print_json
from flancompile.dsl.jinja.reference import reference_page
from flancompile.dsl.library.key_reference import key_reference
from flancompile.dsl.library.schema import schemas, write_schemas
from flancompile.errors import fail, nearest
from flancompile.runfile import MODELS

__all__ = ["run"]


def run(out: Path | None, name: str | None, *, expressions: bool, keys: bool, api: bool) -> None:
    """Write all schemas, print one, or print a reference page: of expressions, keys or the API."""
    if api:
        typer.echo(api_reference(), nl=False)
        return
    if expressions:
        typer.echo(reference_page(), nl=False)
        return
    if keys:
        typer.echo(key_reference(schemas(MODELS)), nl=False)
        return
    known = {k.removesuffix(".schema.json"): v for k, v in schemas(MODELS).items()}
    if out is not None:
        for path in write_schemas(out, MODELS):
            console().print(str(path))
    elif name is None:
        console().print(f"give --out FOLDER, or one of: {', '.join(known)}")
    elif name not in known:
        raise fail("FC416", f"there is no schema {name!r}", hint=nearest(name, known))
    else:
        print_json(known[name])

"""`flancompile new`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from flancompile.api import check
from flancompile.authoring.starter import columns_of, default_id, is_headerless, starter
from flancompile.cli.console import console
from flancompile.dsl.models.source import Source
from flancompile.errors import fail
from flancompile.sources.blocks import sample
from flancompile.sources.fields import FieldRow, SplitSpec
from flancompile.sources.files import format_of
from flancompile.sources.place import resolve_place

__all__ = ["run"]

ROWS = 300


def run(
    source: str, out: Path | None, explode: str | None, config: str | None, name: str | None
) -> None:
    """Sample a source's rows and write a first dataset file."""
    folder = (out.parent if out is not None else Path()).resolve()
    source_keys: dict[str, Any] = {"explode": explode} if explode else {}
    read, base = source_keys, Path()
    if source.startswith("hub:"):
        source_keys |= {
            "hub": source.removeprefix("hub:"),
            **({"config": config} if config else {}),
        }
    else:
        path = Path(source)
        if not path.is_file():
            hint = "for a dataset on the Hub, write hub:OWNER/NAME"
            raise fail("FC301", f"there is no file {source!r}", hint=hint)
        source_keys["files"] = {"train": os.path.relpath(path.resolve(), folder)}
        read, base = {**source_keys, "files": {"train": path.name}}, path.parent
    rows, dropped = _sampled(read, base)
    delimited = "files" in source_keys and format_of(Path(source), None) in ("csv", "tsv")
    if delimited and is_headerless([dict(r["row"]) for r in rows]):
        source_keys["read"] = {"header": "false"}
        rows, dropped = _sampled({**read, "read": {"header": False}}, base)
    if not rows and dropped:
        raise fail("FC303", f"no row of {source!r} can be read: {dropped[0].reason}")
    seen = [dict(r["row"]) for r in rows]
    columns = columns_of(seen)
    place = "\n  ".join(f"{key}: {_flow(value)}" for key, value in source_keys.items())
    text = starter(name or default_id(source), place, columns, _schema(folder), seen)
    if out is None:
        print(text, end="")
        return
    if out.exists():
        raise fail("FC501", f"{str(out)!r} already exists", hint="choose another name")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    _print_lints(out)


def _print_lints(out: Path) -> None:
    """Print the lints of the written file over the sampled rows."""
    from flancompile.lint.reading import Reading

    for complaint in check(out, data=Reading(ROWS, write_lock=False)):
        print(complaint.render(), end="\n\n")
    console().print(f"{out} written; edit it, then run `flancompile check --data {out}`")


def _sampled(place: dict[str, Any], base: Path) -> tuple[list[dict[str, Any]], list[FieldRow]]:
    """The first rows of a source, and the rows that could not be read."""
    spec = SplitSpec(
        source_id="new",
        place=resolve_place(Source(**place), None, "train", base, None),
        fields={"row": "row"},
        where=None,
        seed=0,
    )
    return sample(spec, ROWS)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    text = str(value)
    plain = re.fullmatch(r"[\w./-]+( [\w./-]+)*", text) is not None
    return text if plain else json.dumps(text, ensure_ascii=False)


def _schema(folder: Path) -> str:
    """Path of the dataset schema for editors: in a checkout beside it, else in the package."""
    import flancompile

    package = Path(flancompile.__file__).parent
    for place in (package / "schemas", package.parent / "schemas"):
        if (place / "dataset.schema.json").is_file():
            return os.path.relpath(place / "dataset.schema.json", folder)
    return "dataset.schema.json"

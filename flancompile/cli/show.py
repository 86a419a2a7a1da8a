"""`flancompile show`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from flancompile.cli.console import console, folders, print_json, tinted
from flancompile.compiler.preview import Preview, Wanted, preview
from flancompile.compiler.request import bare_request
from flancompile.errors import fail, nearest
from flancompile.tokenizer.load import load_file
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["run"]


def run(
    task: str,
    wanted: Wanted,
    split: str,
    seed: int,
    tokenizer: Path | None,
    library: list[Path],
    overlay: str | None,
    whitespace: bool,
    *,
    as_json: bool,
) -> None:
    """Print examples of a task from the head of its source."""
    request = bare_request(folders(library), overlay, seed)
    if task not in request.tasks:
        hint = nearest(task, request.tasks) or "`flancompile ls` lists them"
        raise fail("FC402", f"there is no task {task!r}", hint=hint)
    request.check({task})
    found, reasons = preview(request, request.tasks[task], split, wanted)
    loaded = load_file(tokenizer) if tokenizer is not None else None
    if as_json:
        print_json({"examples": [asdict(p) for p in found], "dropped": reasons})
        return
    out = console()
    for one in found:
        out.print(_title(task, one, loaded), style="dim", highlight=False, markup=False)
        drawn = " · ".join(f"{name}: {value}" for name, value in one.draws.items())
        out.print(f"drawn {drawn}", style="dim", highlight=False, markup=False)
        out.print(_text(one, loaded, whitespace), soft_wrap=True, end="\n\n")
    if not found:
        out.print("no row of the sample gives an example", style="bold red")
    for reason, rows in sorted(reasons.items(), key=lambda item: -item[1])[:8]:
        out.print(f"dropped {rows} rows of the sample: {reason}", style="dim")


def _title(task: str, one: Preview, tokenizer: Tokenizer | None) -> str:
    parts = [f"── {task}", f"row {one.row_id}"]
    if one.exemplars:
        parts.append(f"exemplars {' '.join(one.exemplars)}")
    if tokenizer is not None:
        prompt, target = tokenizer.encode([one.prompt, one.target]).lengths.tolist()
        parts.append(f"{prompt} + {target} tokens")
    else:
        parts.append(f"{len(one.prompt):,} + {len(one.target):,} characters")
    return " · ".join(parts)


def _text(one: Preview, tokenizer: Tokenizer | None, whitespace: bool) -> Text:
    if tokenizer is None:
        return tinted([(one.prompt + "\n", False), (one.target, True)], whitespace)
    text = Text()
    for ids, loss in zip(tokenizer.encode([one.prompt, one.target]), (False, True), strict=True):
        for place, token in enumerate(ids.tolist()):
            part = tinted([(tokenizer.token_text(token), loss)], whitespace)
            part.stylize("underline" if place % 2 else "")
            text.append_text(part)
        text.append("" if loss else "\n")
    return text

"""`flancompile show`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.text import Text

from flancompile.authoring.preview import Preview, PreviewSettings, preview
from flancompile.cli.console import console, folders, print_json, tinted
from flancompile.compiler.check.recipe import splits_of_task
from flancompile.compiler.request import bare_request
from flancompile.dsl.library.library import Loaded, TaskDef
from flancompile.dsl.models.source import Overlay
from flancompile.errors import fail, nearest
from flancompile.tokenizer.load import load_file
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["run"]


def run(  # noqa: PLR0913
    task: str,
    settings: PreviewSettings,
    split: str | None,
    seed: int,
    tokenizer: Path | None,
    library: list[Path],
    overlay: str | None,
    whitespace: bool,
    *,
    as_json: bool,
) -> None:
    """Print examples of a task from the first rows of its source."""
    request = bare_request(folders(library), overlay, seed)
    if task not in request.tasks:
        hint = nearest(task, request.tasks) or "`flancompile ls` lists them"
        raise fail("FC402", f"there is no task {task!r}", hint=hint)
    request.check({task})
    loaded = load_file(tokenizer) if tokenizer is not None else None
    settings = replace(settings, chat=loaded.chat if loaded is not None else None)
    chosen = split or _default_split(request.tasks[task], request.overlay)
    found, reasons = preview(request, request.tasks[task], chosen, settings)
    if as_json:
        print_json({"examples": [_as_json(p) for p in found], "dropped": reasons})
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


def _default_split(task: TaskDef, overlay: Loaded[Overlay] | None) -> str:
    """`train`, or the first split that the source names where it has no such split."""
    splits = splits_of_task(task, overlay)
    return "train" if not splits or "train" in splits else splits[0]


def _as_json(one: Preview) -> dict[str, Any]:
    """An example as JSON; a prompt and target pair also by name."""
    pair = dict(zip(("prompt", "target"), one.spans, strict=True)) if len(one.spans) == 2 else {}
    fields = asdict(one)
    return {**fields, "runs": fields.pop("spans"), **pair}


def _title(task: str, one: Preview, tokenizer: Tokenizer | None) -> str:
    parts = [f"── {task}", f"row {one.row_id}"]
    if one.exemplars:
        parts.append(f"exemplars {' '.join(one.exemplars)}")
    if tokenizer is not None:
        lengths = tokenizer.encode(one.spans).lengths.tolist()
        parts.append(f"{sum(lengths[::2])} + {sum(lengths[1::2])} tokens")
    else:
        lengths = [len(text) for text in one.spans]
        parts.append(f"{sum(lengths[::2]):,} + {sum(lengths[1::2]):,} characters")
    if len(one.spans) > 2:
        parts[-1] += f" in {len(one.spans) // 2} answers"
    return " · ".join(parts)


def _text(one: Preview, tokenizer: Tokenizer | None, whitespace: bool) -> Text:
    """Print an example as the model sees it, with loss spans highlighted."""
    parted = "" if "chat" in one.draws else "\n"
    text = Text()
    for place, span in enumerate(one.spans):
        learnt = place % 2 == 1
        if tokenizer is None:
            text.append_text(tinted([(span, learnt)], whitespace))
        else:
            for n, token in enumerate(tokenizer.encode([span])[0].tolist()):
                part = tinted([(tokenizer.token_text(token), learnt)], whitespace)
                part.stylize("underline" if n % 2 else "")
                text.append_text(part)
        text.append("" if learnt else parted)
    return text

"""`flancompile inspect`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flancompile.cli.console import LOSS, console, print_json
from flancompile.errors import fail
from flancompile.store.build import Build
from flancompile.store.manifest import EvalEntry, Manifest
from flancompile.tokenizer.load import load_folder
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["pack_text", "print_evaluation_row", "run", "summary"]

NAMES = (
    "task",
    "requested",
    "examples",
    "epochs",
    "share requested",
    "realised",
    "shots",
    "options",
    "cot",
)

EVAL_NAMES = (
    "evaluation set",
    "split",
    "metric",
    "shots requested",
    "realised",
    "rows",
    "dropped",
    "unused",
)
SHOWN_ROWS = 3  # of an evaluation set
DROPPED = 5  # reasons for dropped rows that a summary shows


def run(path: Path, pack: int | None, evaluation: str | None, *, as_json: bool) -> None:
    """Print a build's summary, one pack, or the first rows of an evaluation set."""
    build = Build.open(path)
    if evaluation is not None:
        show_evaluation(build, evaluation, as_json=as_json)
    elif as_json:
        print_json(build.manifest.model_dump(mode="json"))
    elif pack is None:
        summary(build, console())
    else:
        show_pack(build, pack, console())


def summary(build: Build, out: Console) -> None:
    """Print counts, requested and realised shares, fill, and everything left out."""
    m = build.manifest
    out.print(_task_table(m))
    fill = " / ".join(f"{f:.2%}" for f in m.packing["fill"])
    c = m.counts
    out.print(
        f"{c['examples']:,} examples in {c['packs']:,} packs (at least {m.packing['lower_bound']:,}"
        f" are needed), {fill} filled; {c['tokens']:,} tokens, {c['target_tokens']:,} with loss",
        style="bold",
    )
    _print_notices(build, out)
    _fewer_shots(m, out)
    if m.evaluation:
        _evaluation(m.evaluation, out)
    _print_omissions(build, out)
    for name in m.empty:
        out.print(f"{name} has no examples: see ledger.parquet", style="bold red")
    out.print(f"{build.path} · root digest {m.root_digest}", style="dim")


def _task_table(m: Manifest) -> Table:
    """One row per task: examples, epochs, shares, and means of shots, options and rationales."""
    table = Table(box=None, pad_edge=False)
    for name in NAMES:
        table.add_column(name, justify="left" if name == "task" else "right")
    for task in m.tasks:
        count = max(task.examples, 1)
        table.add_row(
            task.task,
            f"{task.examples_requested:,}",
            f"{task.examples:,}",
            f"{task.passes:.2f}",
            f"{task.share_requested:.3%}",
            f"{task.share_realised:.3%}",
            f"{sum(k * n for k, n in task.shots.items()) / count:.2f}",
            f"{task.with_options / count:.0%}",
            f"{task.cot / count:.0%}",
        )
    return table


def _print_notices(build: Build, out: Console) -> None:
    """Print counts of texts that the tokenizer or a chat changes, and of repeated rows."""
    m, c = build.manifest, build.manifest.counts
    if c["inexact_targets"]:
        out.print(f"{c['inexact_targets']:,} targets change when encoded and decoded")
    for name, parts in sorted(_left_out(build).items())[:DROPPED]:
        out.print(f"{name} of messages: {parts:,} left out, in no turn's text", style="yellow")
    if c.get("unknown_prompts"):
        out.print(f"{c['unknown_prompts']:,} prompts contain the tokenizer's unknown token")
    if c.get("special_in_data"):
        special_in_data = m.recipe.get("tokenizer", {}).get("special_in_data", "text")
        encoded = "ordinary text" if special_in_data == "text" else "special tokens"
        out.print(
            f"{c['special_in_data']:,} examples have data that contains special tokens, encoded as"
            f" {encoded}"
        )
    if repeating := _repeating(m):
        names = ", ".join(repeating[:DROPPED])
        message = "some rows are used again in place of dropped rows"
        out.print(f"{message}, in {len(repeating):,} of the tasks: {names}", style="yellow")


def _print_omissions(build: Build, out: Console) -> None:
    """Print dropped rows, tasks left out and styles left out, with reasons."""
    m, dropped = build.manifest, build.dropped()
    rows = [
        f"{d['rows']:,} row{'s' if d['rows'] > 1 else ''} of {d['task']} dropped: {d['reason']}"
        for d in dropped
    ]
    tasks = [f"{name} is left out: {why}" for name, why in sorted(m.left_out.items())]
    styles = [
        f"the style {name} is left out: {why}" for name, why in sorted(m.unwritten_styles.items())
    ]
    for lines, noun, file in (
        (rows, "reasons", "ledger.parquet"),
        (tasks, "tasks", "manifest.json"),
        (styles, "styles", "manifest.json"),
    ):
        for line in lines[:DROPPED]:
            out.print(line, style="yellow")
        if len(lines) > DROPPED:
            out.print(f"… and {len(lines) - DROPPED} more {noun}, in {file}", style="yellow")


def _fewer_shots(m: Manifest, out: Console) -> None:
    """Why examples have fewer exemplars than requested, the most frequent reasons first."""
    found = [(n, t.task, why) for t in m.tasks for why, n in t.fewer_shots.items()]
    found.sort(key=lambda item: (-item[0], *item[1:]))
    for examples, task, why in found[:DROPPED]:
        message = f"{examples:,} examples of {task} have fewer exemplars than requested: {why}"
        out.print(message, style="yellow")
    if len(found) > DROPPED:
        more = len(found) - DROPPED
        out.print(f"… and {more} reasons more, in manifest.json", style="yellow")


def _left_out(build: Build) -> dict[str, int]:
    """Counts of message parts left out of texts, by task and part."""
    path = build.path / "run.json"
    work = json.loads(path.read_text(encoding="utf-8")).get("work", {}) if path.is_file() else {}
    found: dict[str, int] = work.get("left_out", {})
    return found


def _repeating(m: Manifest) -> list[str]:
    """Tasks with more passes over their usable rows than the recipe's size requests."""
    requested = m.recipe["size"].get("passes")
    if requested is None:
        return []
    return [t.task for t in m.tasks if t.passes > requested + 1e-6]


def _evaluation(entries: Sequence[EvalEntry], out: Console) -> None:
    """Evaluation sets: rows, shots requested and realised, and why rows are missing."""
    table = Table(box=None, pad_edge=False)
    for name in EVAL_NAMES:
        table.add_column(name, justify="left" if name in EVAL_NAMES[:3] else "right")
    for entry in entries:
        realised = ", ".join(f"{n:,} with {k}" for k, n in entry.shots.items())
        counts = (f"{n:,}" for n in (entry.rows, entry.dropped, entry.unused))
        table.add_row(
            entry.name, entry.split, entry.metric, str(entry.shots_requested), realised, *counts
        )
    out.print(table)
    for entry in entries:
        for reason, rows in list(entry.reasons.items())[:DROPPED]:
            out.print(f"{entry.name}: {rows:,} dropped: {reason}", style="yellow")
        for why, rows in entry.fewer_shots.items():
            message = f"{rows:,} rows have fewer than {entry.shots_requested} exemplars: {why}"
            out.print(f"{entry.name}: {message}", style="yellow")


def show_evaluation(build: Build, name: str, *, as_json: bool) -> None:
    """The first rows of an evaluation set: prompt, target, options and accepted answers."""
    entry = build.evaluation_entry(name)
    rows, metadata = build.evaluation(name)
    if as_json:
        print_json({"entry": entry.model_dump(mode="json"), "about": metadata})
        return
    out = console()
    _evaluation([entry], out)
    for number, row in enumerate(rows.slice(0, SHOWN_ROWS).to_pylist()):
        print_evaluation_row(row, f"row {number} · id {row['row_id']} · {row['template']}", out)


def print_evaluation_row(row: Mapping[str, Any], title: str, out: Console) -> None:
    """One evaluation row as text, its target highlighted."""
    out.print(f"── {title} · {row['shots']} shots", style="dim", highlight=False, markup=False)
    text = Text(row["prompt"] + "\n")
    text.append(row["target"], style=LOSS)
    out.print(text, soft_wrap=True)
    if row["options"] is not None:
        for place, option in enumerate(row["options"]):
            mark = "→" if place == row["gold"] else " "
            out.print(f"{mark} {option}", style="dim", highlight=False, markup=False)
    accepted = " | ".join(row["accepted"])
    out.print(f"accepted: {accepted}", style="dim", highlight=False, markup=False)


def show_pack(build: Build, index: int, out: Console) -> None:
    """Print one pack's examples with loss spans highlighted."""
    if not 0 <= index < len(build.packs):
        raise fail("FC507", f"there is no pack {index}; the build has {len(build.packs)}, from 0")
    tokenizer = load_folder(build.tokenizer_folder)
    pack = build.packs[index]
    for segment in range(len(pack.examples)):
        example_id, tokens = build.example_ids(index, segment)
        info = build.example(example_id)
        title = f"── segment {segment} · example {example_id} · {info['task']} · {info['template']}"
        out.print(title, style="dim")
        out.print(pack_text(build, pack.loss_spans[segment], tokens, tokenizer), soft_wrap=True)


def pack_text(build: Build, loss_spans: Any, tokens: dict[str, Any], tokenizer: Tokenizer) -> Text:
    """An example's tokens as text: loss spans highlighted, special tokens bold."""
    if build.manifest.layout == "decoder":
        parts = np.split(tokens["tokens"], np.cumsum(loss_spans)[:-1])
        sides = [(part, place % 2 == 1) for place, part in enumerate(parts)]
    else:
        sides = [(tokens["inputs"], False), (tokens["targets"], True)]
    frame = {v for v in build.manifest.frame.values() if v is not None}
    text = Text()
    for ids, loss in sides:
        for part, special in _split(np.asarray(ids).tolist(), frame):
            printed = tokenizer.token_text(part[0]) if special else tokenizer.decode(part)
            style = LOSS if loss else ""
            text.append(printed, style=f"bold {style}".strip() if special else style)
        if not loss and len(sides) == 2:
            text.append("\n")
    return text


def _split(ids: list[int], frame: set[int]) -> list[tuple[list[int], bool]]:
    """Split ids into spans of ordinary tokens and single special tokens."""
    parts: list[tuple[list[int], bool]] = []
    for token in ids:
        if token in frame:
            parts.append(([token], True))
        elif parts and not parts[-1][1]:
            parts[-1][0].append(token)
        else:
            parts.append(([token], False))
    return parts

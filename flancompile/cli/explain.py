"""`flancompile explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from flancompile import feed
from flancompile.cli.console import console, print_json
from flancompile.cli.inspect import pack_text, print_evaluation_row
from flancompile.errors import fail
from flancompile.store.build import Build
from flancompile.tokenizer.load import load_folder

__all__ = ["explain_evaluation", "run"]


def run(
    path: Path,
    pack: int | None,
    segment: int,
    step: int | None,
    row: int,
    batch_packs: int,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Print the provenance of a segment's tokens."""
    build = Build.open(path)
    index = _pack(build, pack, step, row, batch_packs, seed)
    example_id, tokens = build.example_ids(index, segment)
    info = _example_info(build, example_id)
    loss_spans = build.packs[index].loss_spans[segment]
    if as_json:
        ids = {name: [int(i) for i in part] for name, part in tokens.items()}
        print_json({**info, "tokens": ids, "runs": loss_spans.tolist()})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in info.items():
        table.add_row(name, " ".join(map(str, value)) if isinstance(value, list) else str(value))
    out = console()
    out.print(table)
    out.print("── tokens", style="dim")
    text = pack_text(build, loss_spans, tokens, load_folder(build.tokenizer_folder))
    out.print(text, soft_wrap=True)


def explain_evaluation(path: Path, name: str, row: int, *, as_json: bool) -> None:
    """Print one row of an evaluation set with its provenance and its file."""
    build = Build.open(path)
    entry = build.evaluation_entry(name)
    rows, _ = build.evaluation(name)
    if row >= len(rows):
        raise fail("FC507", f"there is no row {row}; {name!r} has {len(rows)}, from 0")
    line = rows.slice(row, 1).to_pylist()[0]
    file = build.template_places(entry.task).get(line["template"])
    if as_json:
        print_json({**line, "task": entry.task, "set": name, "split": entry.split, "file": file})
        return
    out = console()
    table = Table(box=None, show_header=False, pad_edge=False)
    info = {"set": name, "task": entry.task, "split": entry.split, "template": line["template"]}
    info |= {"file": file, "row_id": line["row_id"], "shots": line["shots"]}
    if why := build.fewer_shots(name, line["row"], evaluated=True):
        info["fewer shots"] = f"{entry.shots_requested} requested: {why}"
    names = build.exemplar_names(entry.task) | build.evaluation_names(name)
    info["exemplars"] = " ".join(names.get(e) or f"{e:016x}" for e in line["exemplars"])
    for key, value in info.items():
        table.add_row(key, str(value))
    out.print(table)
    print_evaluation_row(line, f"row {row} of {name}", out)


def _pack(
    build: Build, pack: int | None, step: int | None, row: int, batch_packs: int, seed: int
) -> int:
    if (pack is None) == (step is None):
        hint = "give --pack P --segment S, or --step S --row R"
        raise fail("FC509", "explain needs one of --pack and --step", hint=hint)
    if pack is not None:
        if not 0 <= pack < len(build.packs):
            message = f"there is no pack {pack}; the build has {len(build.packs)}, from 0"
            raise fail("FC507", message)
        return pack
    indexes = feed.open(build, batch_packs, seed).indexes(int(step or 0))
    if row >= len(indexes):
        raise fail("FC507", f"there is no row {row}; a batch has {len(indexes)}, from 0")
    return int(indexes[row])


def _example_info(build: Build, example_id: int) -> dict[str, Any]:
    """Provenance of an example, with its exemplars' row ids.

    The split or file precedes the row id of an exemplar from elsewhere.
    """
    info = build.example(example_id)
    exemplars = info["exemplars"]
    names = build.exemplar_names(info["task"]) if exemplars else {}
    info["exemplars"] = [names.get(e) or f"{e:016x}" for e in exemplars]
    if info["shots"] < info["shots_asked"]:
        info["fewer_shots"] = build.fewer_shots(info["task"], info["row"], info["pass"])
    info["row"] = f"{info['row']:016x}"
    info["file"] = build.template_places(info["task"]).get(info["template"])
    info["seed"] = build.manifest.recipe["seed"]
    info["recipe"] = build.manifest.recipe["recipe"]
    return info

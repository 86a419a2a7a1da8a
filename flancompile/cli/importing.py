"""`flancompile import`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flancompile.authoring.importers import lm_eval, promptsource
from flancompile.authoring.importers.imported import Imported
from flancompile.authoring.importers.trying import RENDERS, try_out
from flancompile.cli.console import console, print_json, progress
from flancompile.errors import fail, nearest

__all__ = ["run"]


@dataclass(frozen=True)
class _Kind:
    """A file format to import.

    pattern: its file names in a folder; one: imports a file, or gives None.
    """

    pattern: str
    one: Callable[[Path], Imported | None]
    extra_files: Mapping[str, str]


def _kinds(split: str) -> dict[str, _Kind]:
    seen: dict[Path, Any] = {}
    return {
        "promptsource": _Kind("templates.yaml", lambda p: promptsource.import_file(p, split), {}),
        "lm-eval": _Kind(
            "*.yaml", lambda p: lm_eval.import_task(p, seen), {"lm_eval": lm_eval.layouts()}
        ),
    }


def run(kind: str, given: list[Path], out: Path, split: str, *, as_json: bool) -> int:
    """Import files and folders. Return 1 if anything was left out."""
    kinds = _kinds(split)
    if kind not in kinds:
        hint = nearest(kind, kinds) or f"known: {', '.join(kinds)}"
        raise fail("FC416", f"there is no importer {kind!r}", hint=hint)
    paths = [p for path in given for p in _files(path, kinds[kind].pattern)]
    found: list[Imported] = []
    with progress() as report:
        for done, path in enumerate(paths, 1):
            if (one := kinds[kind].one(path)) is not None:
                found.append(one)
            report("import", done, len(paths))
    if not found:
        names = ", ".join(str(path) for path in given)
        raise fail("FC302", f"nothing to import in {names}", hint=f"{kind} reads task files")
    files = {f"styles/{name}.yaml": text for name, text in kinds[kind].extra_files.items()}
    for imported in found:
        if imported.text:
            first, number = imported.id, 2
            while f"datasets/{imported.id}.yaml" in files:  # another file of the same dataset
                imported.id, number = f"{first}_{number}", number + 1
            text = imported.text
            if imported.id != first:
                text = text.replace(f"id: {first}\n", f"id: {imported.id}\n", 1)
                text = text.replace(f" {first}.shots.jsonl\n", f" {imported.id}.shots.jsonl\n", 1)
                imported.files = {
                    name.replace(f"datasets/{first}.", f"datasets/{imported.id}.", 1): extra_files
                    for name, extra_files in imported.files.items()
                }
            files[f"datasets/{imported.id}.yaml"] = text
        files |= imported.files
    _write(files, out)
    left_out = [(one.id, x.name, x.reason) for one in found for x in one.left_out]
    notes = [(one.id, x.name, x.reason) for one in found for x in one.notes]
    tried = try_out([one for one in found if one.text], out)
    count = sum(len(one.templates) for one in found)
    if as_json:
        summary = {"files": len(found), "templates": count, "left_out": left_out}
        print_json({**summary, "notes": notes, "tried": tried})
    else:
        _print_report(left_out, notes, tried, count, out)
    return int(bool(left_out))


def _print_report(
    left_out: list[tuple[str, str, str]],
    notes: list[tuple[str, str, str]],
    tried: dict[str, str],
    count: int,
    out: Path,
) -> None:
    printer = console()
    for id_, name, reason in notes:
        printer.print(f"{id_}: {name}: {reason}", style="dim", highlight=False, markup=False)
    for task, verdict in tried.items():
        style = "green" if verdict == RENDERS else "yellow"
        printer.print(f"{task}: {verdict}", style=style, highlight=False, markup=False)
    for id_, name, reason in left_out:
        label = id_ if id_ == name else f"{id_} · {name}"
        printer.print(f"left out: {label}: {reason}", style="yellow", highlight=False, markup=False)
    total = count + len(left_out)
    printer.print(f"{count:,} of {total:,} templates ({count / max(1, total):.1%})", style="bold")
    printer.print(f"{out} · flancompile check {out}", style="dim")


def _files(path: Path, pattern: str) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise fail("FC301", f"there is no {str(path)!r}")
    return sorted(path.rglob(pattern))


def _write(files: Mapping[str, str], out: Path) -> None:
    """Write all files, or none if one already exists."""
    for name in files:
        if (out / name).exists():
            message = f"{str(out / name)!r} already exists"
            raise fail("FC501", message, hint="choose an empty folder")
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")

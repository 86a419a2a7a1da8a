"""`flancompile import`."""

from __future__ import annotations

from pathlib import Path

from flancompile.cli.console import console, print_json, progress
from flancompile.errors import fail, nearest
from flancompile.importers.promptsource import Imported, import_file

__all__ = ["run"]

KINDS = ("promptsource",)


def run(kind: str, folder: Path, out: Path, split: str, *, as_json: bool) -> int:
    """Bring in every file of a folder. -> 1 when something was left out."""
    if kind not in KINDS:
        hint = nearest(kind, KINDS) or f"known: {', '.join(KINDS)}"
        raise fail("FC416", f"there is no importer {kind!r}", hint=hint)
    paths = [folder] if folder.is_file() else sorted(folder.rglob("templates.yaml"))
    if not paths:
        hint = "promptsource keeps templates in files named templates.yaml"
        raise fail("FC301", f"there is no templates.yaml in {str(folder)!r}", hint=hint)
    found: list[Imported] = []
    with progress() as tell:
        for done, path in enumerate(paths, 1):
            found.append(import_file(path, split))
            tell("import", done, len(paths))
    _write(found, out / "datasets")
    left = [(one.id, x.name, x.reason) for one in found for x in one.left_out]
    count = sum(len(one.templates) for one in found)
    if as_json:
        print_json({"files": len(found), "templates": count, "left_out": left})
        return int(bool(left))
    say = console()
    for id_, name, reason in left:
        say.print(f"left out: {id_} · {name}: {reason}", style="yellow")
    share = count / max(1, count + len(left))
    say.print(f"{count:,} of {count + len(left):,} templates ({share:.1%}) in {len(found):,} files",
              style="bold")  # fmt: skip
    say.print(f"{out} · flancompile check {out}", style="dim")
    return int(bool(left))


def _write(found: list[Imported], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        if not one.templates:
            continue
        path = folder / f"{one.id}.yaml"
        if path.exists():
            raise fail("FC501", f"{str(path)!r} is there already", hint="choose an empty folder")
        path.write_text(one.text, encoding="utf-8")

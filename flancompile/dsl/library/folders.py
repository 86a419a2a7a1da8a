"""Detect library folders, and files in them that would be ignored."""

from __future__ import annotations

import difflib
from pathlib import Path

from flancompile.dsl.library.library import KINDS
from flancompile.errors import Diagnostic

__all__ = ["holds_library", "unseen"]


def holds_library(folder: Path) -> bool:
    """Whether a folder contains library files; one with runs or builds only does not."""
    return any(next((folder / kind).rglob("*.y*ml"), None) is not None for kind in KINDS)


def unseen(folder: Path) -> list[Diagnostic]:
    """FC107 for a library folder that would be ignored, in whole or in part."""
    known = (*KINDS, "runs")
    try:
        inside = sorted(p for p in folder.iterdir() if p.is_dir())
    except OSError as error:
        return [Diagnostic("FC107", f"{str(folder)!r} cannot be read: {error.strerror}")]
    found = []
    for path in inside:
        similar = difflib.get_close_matches(path.name, known, 1, cutoff=0.75)
        if path.name not in known and similar and next(path.rglob("*.y*ml"), None) is not None:
            message = f"the folder {str(path)!r} is ignored"
            found.append(Diagnostic("FC107", message, None, f"did you mean {similar[0]!r}?"))
    if found or any(path.name in known for path in inside):
        return found
    hint = f"a library is a folder with {', '.join(f'{k}/' for k in KINDS)}"
    libraries = [p.name for p in inside if any((p / k).is_dir() for k in known)]
    home = next((p for p in (folder.resolve(), *folder.resolve().parents) if p.name in known), None)
    if libraries:
        hint = f"it contains the libraries {', '.join(libraries)}; choose one"
    elif home is not None:
        hint = f"give the library that contains it: {str(home.parent)!r}"
    return [Diagnostic("FC107", f"there is no library in {str(folder)!r}", None, hint)]

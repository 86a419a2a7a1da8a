"""Exclusive access to the output folder of a build: a lock, a partial folder, and one rename.

The lock is the kernel's (flock), so it ends with its process, however that ends. The next process
removes the leftovers of a killed one, or puts back the build that it had set aside.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from flancompile.errors import fail
from flancompile.unfinished import take

__all__ = ["MANIFEST", "Claim", "check_out"]

MANIFEST = "manifest.json"
_MARKS = ("flancompile_version", "format_version", "root_digest")


class Claim:
    """Exclusive access of one process to the build `out`, from `acquire` to `release`.

    The build is written to `folder`, beside `out`, so that a rename puts it in place.
    """

    def __init__(self, out: Path) -> None:
        self.out = out.resolve()
        self.folder = self.out.parent / f".{self.out.name}.partial"
        self._aside = self.out.parent / f".{self.out.name}.old"
        self._lock = self.out.parent / f".{self.out.name}.lock"
        self._handle = -1

    def acquire(self) -> None:
        """Take the lock, remove leftovers of a killed process. Raises FC503 if another holds it."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self._handle = self._locked()
        self._recover()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Make the partial folder."""
        self.folder.mkdir()

    def replace(self, recipe: str, overwrite: bool) -> None:
        """Rename the folder to `out`. Raises FC501, FC502 if `out` has appeared since."""
        check_out(self.out, recipe, overwrite)
        if (self.out / MANIFEST).is_file():
            self.out.rename(self._aside)
        self.folder.rename(self.out)
        _sync_folder(self.out.parent)
        shutil.rmtree(self._aside, ignore_errors=True)

    def release(self) -> None:
        """Remove the unfinished folder and release the lock."""
        if self._handle < 0:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = -1

    def _locked(self) -> int:
        handle = take(self._lock)
        if handle is None:
            message = f"process {self._owner()} is writing {str(self.out)!r}"
            raise fail("FC503", message, hint="wait until it ends, or end it")
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        return handle

    def _owner(self) -> str:
        try:
            return self._lock.read_text(encoding="ascii", errors="replace").strip() or "another"
        except OSError:  # it has just been released
            return "another"

    def _recover(self) -> None:
        """Put back the old build that a process killed between its two renames had set aside."""
        if _is_build(self._aside) and not self.out.exists():
            self._aside.rename(self.out)
        shutil.rmtree(self._aside, ignore_errors=True)


def check_out(out: Path, recipe: str, overwrite: bool) -> None:
    """Check that `out` may be written: a build of the same recipe is replaced without `overwrite`.

    Raises FC501 for anything but a build, FC502 for a build of another recipe without `overwrite`,
    FC516 if the folder cannot be made.
    """
    _check_place(out.resolve())
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    manifest = _manifest(out)
    if manifest is None:
        hint = "choose another folder, or remove this one: only builds are replaced"
        raise fail("FC501", f"{str(out)!r} exists and is not a build", hint=hint)
    named = manifest.get("recipe")
    other = named.get("recipe") if isinstance(named, dict) else None
    if other != recipe and not overwrite:
        hint = "choose another folder, or give --overwrite"
        raise fail("FC502", f"{str(out)!r} contains a build of the recipe {other!r}", hint=hint)


def _check_place(out: Path) -> None:
    above = next(p for p in out.parents if p.exists())
    why = "is not a folder" if not above.is_dir() else "is not writable"
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        message = f"{str(out)!r} cannot be created: {str(above)!r} {why}"
        raise fail("FC516", message, hint="choose another folder with --out")


def _manifest(folder: Path) -> dict[str, object] | None:
    """The manifest of a build, unchecked; None for any other folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(manifest, dict) and all(mark in manifest for mark in _MARKS)
    return manifest if is_ours else None


def _is_build(folder: Path) -> bool:
    return _manifest(folder) is not None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

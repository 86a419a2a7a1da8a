"""Write files and folders under a partial name with a lock, and rename them when complete.

The lock is the kernel's (flock), so it ends with its process, however that ends. It also works if
process ids are not unique: in containers, and in a cache shared by machines. An unlocked partial
file was left by a killed process; `clear` removes it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["clear", "is_unfinished", "making_file", "making_folder", "remove", "take"]

_LOCK = ".lock"


def take(lock: Path) -> int | None:
    """Lock a file, made if missing. -> its handle; None if another process holds the lock.

    Closing the handle releases the lock; the holder may remove the file before.
    """
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        if _is_current(handle, lock):
            return handle
        os.close(handle)


def _is_current(handle: int, lock: Path) -> bool:
    """Whether the locked file still has its name: the last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False


@contextmanager
def making_file(path: Path) -> Iterator[Path]:
    """A partial file, renamed to `path` when the block ends, removed if it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, handle = _taken(path, "")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A partial folder beside `path`, removed when the block ends unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, handle = _taken(path, _LOCK)
    work = lock.with_name(lock.name.removesuffix(_LOCK))
    try:
        work.mkdir()
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(handle)


def _taken(path: Path, suffix: str) -> tuple[Path, int]:
    while True:
        lock = path.with_name(f".{path.name}.{secrets.token_hex(6)}{suffix}")
        handle = take(lock)
        if handle is not None:
            return lock, handle


def is_unfinished(path: Path) -> bool:
    """Whether a file or folder is unfinished, by its name."""
    return path.name.startswith(".")


def clear(folder: Path) -> list[Path]:
    """Remove unfinished files and folders of killed processes in a folder. -> removed paths."""
    names = {path.name.removesuffix(_LOCK) for path in folder.glob(".*")}
    return [folder / name for name in sorted(names) if _is_cleared(folder / name)]


def _is_cleared(work: Path) -> bool:
    lock = work if work.is_file() else work.with_name(f"{work.name}{_LOCK}")
    try:
        handle = take(lock)
    except OSError:  # of another user
        return False
    if handle is None:
        return False
    shutil.rmtree(work, ignore_errors=True)
    lock.unlink(missing_ok=True)
    os.close(handle)
    return True


def remove(path: Path) -> None:
    """Remove a file or folder atomically: `path` never names part of a folder."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    with making_folder(path) as aside, suppress(FileNotFoundError):
        path.rename(aside / path.name)

"""Turn errors of disks and folders into diagnostics."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from flancompile.errors import FlancompileError, fail

__all__ = ["NO_ROOM", "disk_errors"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNUSABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO,
)  # fmt: skip


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise FC513 for a full disk, FC516 for a path that cannot be read or written."""
    try:
        yield
    except OSError as error:
        found = _diagnosed(error)
        if found is None:
            raise
        raise found from error


def _diagnosed(error: OSError) -> FlancompileError | None:
    why = error.strerror or str(error)
    named = "" if error.filename is None else f" {str(error.filename)!r}"
    if error.errno in NO_ROOM:
        hint = "free some space, or choose another cache with --cache, and run the command again"
        return fail("FC513", f"cannot write{named}: {why}", hint=hint)
    if error.errno in _UNUSABLE:
        hint = "choose a readable and writable folder with --out or --cache"
        return fail("FC516", f"a file or folder cannot be used:{named} {why}", hint=hint)
    return None

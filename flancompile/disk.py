"""What goes wrong with disks and folders, as diagnostics: for commands and for functions."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from flancompile.errors import FlancompileError, fail

__all__ = ["NO_ROOM", "disk_errors"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PLACE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO,
)  # fmt: skip


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise FC513 for a disk without room, FC516 for a place that cannot be used."""
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
        hint = "free some space, or name another cache by --cache, and do it again"
        return fail("FC513", f"there is no room to write{named}: {why}", hint=hint)
    if error.errno in _PLACE:
        hint = "give a place that may be read and written, by --out or --cache"
        return fail("FC516", f"a place cannot be used:{named} {why}", hint=hint)
    return None

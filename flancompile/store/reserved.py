"""A sink for Arrow streams that reserves space for token buffers without writing it.

A shard is written with empty token buffers, which are then filled through a mapping of the file.
Writing them as zeros first takes longer than filling them. The space is reserved on the disk,
since a write to a mapping without space would end the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["ReservingFile"]

_CAN_RESERVE = hasattr(os, "posix_fallocate")


class ReservingFile:
    """A file that reserves space for `room`, a buffer of zeros, if the system supports it."""

    def __init__(self, path: Path, room: pa.Buffer) -> None:
        self._file, self._room, self._place = path.open("wb"), room, 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write bytes, or reserve space for those of `room`. -> number of bytes."""
        size = memoryview(data).nbytes
        is_room = isinstance(data, pa.Buffer) and data.address == self._room.address
        if is_room and size and _CAN_RESERVE:
            self._file.flush()
            os.posix_fallocate(self._file.fileno(), self._place, size)
            self._file.seek(size, os.SEEK_CUR)
        else:
            self._file.write(data)
        self._place += size
        return size

    def tell(self) -> int:
        """The position of the next write, in bytes."""
        return self._place

    def flush(self) -> None:
        """Flush the buffer to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.closed = True

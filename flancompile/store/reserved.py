"""A file to write Arrow's streams to, in which the room for tokens is only reserved.

A shard is written with room for its tokens, which are then put into their places in a mapping of
the file. To write that room as bytes first takes longer than to put the tokens there. It is
reserved on the disk, for a mapping that finds no space would end the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["ReservingFile"]

_CAN_RESERVE = hasattr(os, "posix_fallocate")


class ReservingFile:
    """A file that takes a buffer of zeros, `room`, without writing it, where the system can."""

    def __init__(self, path: Path, room: pa.Buffer) -> None:
        self._file, self._room, self._place = path.open("wb"), room, 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write some bytes, or reserve the room that they are."""
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
        """The place of what is written next."""
        return self._place

    def flush(self) -> None:
        """Hand what is written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.closed = True

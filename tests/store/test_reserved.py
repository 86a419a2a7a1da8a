"""A file with reserved room holds the same bytes as one that was written."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flancompile.store import reserved
from flancompile.store.reserved import ReservingFile


@pytest.mark.parametrize("can", [True, False])
def test_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool) -> None:
    monkeypatch.setattr(reserved, "_CAN_RESERVE", can and reserved._CAN_RESERVE)
    room = pa.array(np.zeros(6000, np.uint16))
    other = pa.array(np.arange(9000, dtype=np.uint16))
    packs = pa.FixedSizeListArray.from_arrays(room.slice(0, 3000), 3)
    batch = pa.record_batch([packs, other.slice(0, 1000)], names=["tokens", "n"])
    file = ReservingFile(tmp_path / "one.arrow", room.buffers()[1])
    with pa.PythonFile(file, "w") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch.slice(0, 10))
    with (
        pa.OSFile(str(tmp_path / "two.arrow"), "wb") as plain,
        pa.ipc.new_file(plain, batch.schema) as writer,
    ):
        writer.write_batch(batch)
        writer.write_batch(batch.slice(0, 10))
    assert file.closed
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "two.arrow").read_bytes()


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    monkeypatch.setattr(reserved, "_CAN_RESERVE", True)
    room = pa.array(np.zeros(10, np.uint16)).buffers()[1]
    file = ReservingFile(tmp_path / "x", room)
    with pytest.raises(OSError, match="No space"):
        file.write(room)
    file.close()

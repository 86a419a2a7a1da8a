"""Errors of disks and folders become diagnostics; other errors pass unchanged."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flancompile.disk import NO_ROOM, disk_errors
from flancompile.errors import FlancompileError


@pytest.mark.parametrize("number", NO_ROOM)
def test_a_full_disk_is_reported_with_its_file(number: int) -> None:
    found = pytest.raises(FlancompileError, match="cannot write 'out/a': ")
    with found as caught, disk_errors():
        raise OSError(number, os.strerror(number), "out/a")
    assert caught.value.code == "FC513"
    assert isinstance(caught.value.__cause__, OSError)


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    attempts: list[Callable[[], object]] = [
        lambda: (tmp_path / "gone").read_text(),
        lambda: tmp_path.read_text(),
        lambda: (tmp_path / "file" / "below").mkdir(),
        lambda: (tmp_path / "file").mkdir(),
        lambda: (tmp_path / ("x" * 300)).write_text(""),
    ]
    for attempt in attempts:
        with pytest.raises(FlancompileError, match=str(tmp_path)) as caught, disk_errors():
            attempt()
        assert caught.value.code == "FC516"
        hint = caught.value.diagnostics[0].hint
        assert hint is not None and "--out or --cache" in hint


def test_other_errors_pass() -> None:
    with pytest.raises(ConnectionResetError), disk_errors():
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    with pytest.raises(KeyError), disk_errors():
        raise KeyError("x")
    with disk_errors():
        done = True
    assert done

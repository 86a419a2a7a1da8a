"""Read files as streams of bytes, text or lines, plain or compressed."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import fail

__all__ = [
    "UNDECODED", "bare_name", "is_decoded", "numbered_lines", "open_bytes", "open_text",
]  # fmt: skip

CHUNK = 1 << 20
UNDECODED = "bytes that are not in the file's encoding"
_MARK = "\ufeff"
_UNDECODED = re.compile("[\udc80-\udcff]")
_REMOVING = ("utf-16", "utf-32")  # codecs that remove the mark themselves


class _ZstdReader(io.RawIOBase):
    """Reader of the frames of a .zst file; a truncated frame is an error."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._frames = zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._file.read(CHUNK)
            if not data:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("the compressed stream ends too soon")
                return 0
            self._ready = self._decompress(data)
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n

    def _decompress(self, data: bytes) -> bytes:
        out = []
        while data:
            if self._frame is None or self._frame.eof:
                self._frame = self._frames.decompressobj()
            out.append(self._frame.decompress(data))
            data = self._frame.unused_data if self._frame.eof else b""
        return b"".join(out)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file as bytes, decompressed by extension. Raises FC304 for a damaged stream."""
    stream: Any
    if path.suffix == ".gz":
        stream = gzip.GzipFile(path)
    elif path.suffix in (".zst", ".zstd"):
        stream = io.BufferedReader(_ZstdReader(path), CHUNK)
    else:
        stream = path.open("rb")
    try:
        yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        hint = "the file is damaged or incomplete: download it again"
        raise fail("FC304", f"{path}: {error}", hint=hint) from None
    finally:
        stream.close()


@contextmanager
def open_text(path: Path, encoding: str, errors: str, newline: str) -> Iterator[IO[str]]:
    """Open a file as text without its byte order mark. Raises FC304.

    With `errors: strict`, bytes outside the encoding become lone surrogates, so that the reader
    can drop just their row: see `is_decoded`.
    """
    try:
        codec = codecs.lookup(encoding).name
        codec = "utf-8" if codec == "utf-8-sig" else codec
        "".encode(codec)
    except LookupError:
        raise fail("FC304", f"{path}: there is no encoding {encoding!r}") from None
    handler = "replace" if errors == "replace" else "surrogateescape"
    with open_bytes(path) as stream:
        kind = _Unmarked if _may_have_mark(stream, codec) else io.TextIOWrapper
        text = kind(cast(Any, stream), encoding=codec, errors=handler, newline=newline)
        try:
            yield text
        except UnicodeDecodeError as error:
            hint = "set the file's encoding: `read: {encoding: ...}`"
            raise fail("FC304", f"{path}: not {encoding}: {error.reason}", hint=hint) from None
        finally:
            text.detach()


def _may_have_mark(stream: Any, codec: str) -> bool:
    """Whether decoding may leave a byte order mark at the beginning of the text.

    The mark of utf-8 is looked for here and not left to `utf-8-sig`, whose decoder drops a file of
    one or two bytes that begin a mark.
    """
    if codec in _REMOVING:
        return False
    try:
        mark = _MARK.encode(codec)
    except UnicodeEncodeError:
        return False
    return bool(mark) and stream.peek(1)[:1] == mark[:1]


class _Unmarked(io.TextIOWrapper):
    """Text without its byte order mark, for codecs that leave it."""

    _begun = False

    def read(self, size: int | None = -1, /) -> str:
        return self._bare(super().read(size), lambda: super(_Unmarked, self).read(size))

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return self._bare(super().readline(size), lambda: super(_Unmarked, self).readline(size))

    def __next__(self) -> str:  # type: ignore[override]
        if not self._begun:
            line = self.readline()
            if not line:
                raise StopIteration
            return line
        return super().__next__()

    def _bare(self, text: str, read_more: Callable[[], str]) -> str:
        """Remove the mark from the first text; `again` reads more if nothing else was read."""
        if self._begun or not text:
            return text
        self._begun = True
        return text.removeprefix(_MARK) or read_more()


def numbered_lines(path: Path, options: ReadOptions) -> Iterator[tuple[int, str]]:
    """(number from 1, text without line end) of each line; only U+000A ends a line."""
    with open_text(path, options.encoding, options.errors, "\n") as text:
        for number, line in enumerate(text, 1):
            if number > options.skip:
                yield number, line.removesuffix("\n").removesuffix("\r")


def is_decoded(text: str) -> bool:
    """Whether all bytes of the text could be decoded."""
    if text.isascii():
        return True
    return _UNDECODED.search(text) is None


def bare_name(path: Path) -> str:
    """A file's name without extensions of format and compression: `a` for `b/a.jsonl.zst`."""
    name = path.name
    for suffix in (".gz", ".zst", ".zstd"):
        name = name.removesuffix(suffix)
    return name.rsplit(".", 1)[0]

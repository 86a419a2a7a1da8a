"""Bytes and text of files, plain or compressed, read as streams."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import zstandard

from flancompile.errors import fail

__all__ = ["bare_name", "is_decoded", "open_bytes", "open_text"]

CHUNK = 1 << 20


class _ZstdReader(io.RawIOBase):
    """Frames of a .zst file; a frame that ends too soon is an error, not the file's end."""

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
    """A file's bytes, decompressed by extension. Raises FC304 for a broken compressed stream."""
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
        hint = "the file is damaged or was copied in part: fetch it again"
        raise fail("FC304", f"{path}: {error}", hint=hint) from None
    finally:
        stream.close()


@contextmanager
def open_text(path: Path, encoding: str, errors: str, newline: str) -> Iterator[IO[str]]:
    """A file's text without its byte order mark.

    Under `errors: strict` bytes that are not in the encoding come as lone surrogates, so that the
    reader can drop just the row that holds them: see `is_decoded`.
    """
    try:
        codec = codecs.lookup(encoding).name
        codec = "utf-8-sig" if codec == "utf-8" else codec
        "".encode(codec)
    except LookupError:
        raise fail("FC304", f"{path}: there is no encoding {encoding!r}") from None
    handler = "replace" if errors == "replace" else "surrogateescape"
    with open_bytes(path) as stream:
        text = io.TextIOWrapper(stream, encoding=codec, errors=handler, newline=newline)
        try:
            yield text
        except UnicodeDecodeError as error:
            hint = "name the file's encoding: `read: {encoding: ...}`"
            raise fail("FC304", f"{path}: not {encoding}: {error.reason}", hint=hint) from None
        finally:
            text.detach()


def is_decoded(text: str) -> bool:
    """Whether the text holds no byte that could not be decoded."""
    if text.isascii():
        return True
    return not any("\udc80" <= c <= "\udcff" for c in text)


def bare_name(path: Path) -> str:
    """A file's name without its extension and a compression's: `a` for `b/a.jsonl.zst`."""
    name = path.name
    for suffix in (".gz", ".zst", ".zstd"):
        name = name.removesuffix(suffix)
    return name.rsplit(".", 1)[0]

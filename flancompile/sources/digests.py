"""Digests of files, cached by path, size, times and inode, so that a file is hashed once."""

from __future__ import annotations

import json
from pathlib import Path

import blake3
import xxhash

from flancompile.unfinished import making_file

__all__ = ["DIGESTS", "file_digest"]

DIGESTS = "digests"


def file_digest(path: Path, cache: Path) -> str:
    """BLAKE3 of a file, as hex. cache: folder for the digest."""
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    name = xxhash.xxh3_128_hexdigest(str(path.resolve()).encode())
    memo = cache / DIGESTS / f"{name}.json"
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
        if known["stamp"] == stamp:
            return str(known["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        known = None  # not cached, or the cached file is damaged
    digest = str(blake3.blake3(max_threads=blake3.blake3.AUTO).update_mmap(path).hexdigest())
    with making_file(memo) as partial:
        partial.write_text(json.dumps({"stamp": stamp, "digest": digest}), encoding="utf-8")
    return digest

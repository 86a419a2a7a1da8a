"""The cache: read splits, objects and learnt tokenizers in one folder, with a size limit.

Entries are addressed by content, so any of them may be deleted between two runs: the next run makes
it again. `collect` removes the least recently used entries until the cache fits its limit, and
keeps entries that a running process has used.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flancompile.dsl.library.memo import Memo
from flancompile.sources.digests import DIGESTS
from flancompile.unfinished import clear, is_unfinished, making_folder, remove

__all__ = ["Cache", "Swept", "default_cache", "memo_of"]

LIMIT_BYTES = 50 << 30
USERS = "users"


@dataclass(frozen=True)
class Swept:
    """Number and bytes of a cache's entries, and of those that `collect` removed."""

    entries: int
    total_bytes: int
    removed: int
    removed_bytes: int


@dataclass(frozen=True)
class Cache:
    """A cache folder."""

    root: Path
    limit_bytes: int = LIMIT_BYTES

    @property
    def reads(self) -> Path:
        """Folder of read splits."""
        return self.root / "reads"

    @property
    def objects(self) -> Path:
        """Folder of objects."""
        return self.root / "objects"

    @property
    def tokenizers(self) -> Path:
        """Folder of tokenizers, by digest."""
        return self.root / "tokenizers"

    def object_path(self, key: str) -> Path:
        """The path of an object's file."""
        return self.objects / key[:2] / f"{key}.arrow"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep entries that are used within this context from `collect`, in any process."""
        with making_folder(self.root / USERS / "user"):
            yield

    def entries(self) -> Iterator[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of each object, read split and tokenizer.

        Unfinished files are left out.
        """
        for folder in self._folders():
            for path in folder.glob("*"):
                if is_unfinished(path) or path == self.reads / DIGESTS:
                    continue
                with suppress(FileNotFoundError):  # removed by another process
                    yield path.stat().st_mtime, _size(path), path

    def _began(self) -> Iterator[float]:
        """Start times of the runs in progress."""
        for path in (self.root / USERS).glob(".*.lock"):
            with suppress(FileNotFoundError):  # the run has just ended
                yield path.stat().st_mtime

    def _folders(self) -> list[Path]:
        others = (self.reads, self.reads / DIGESTS, self.tokenizers, self.root / "checked")
        return [*self.objects.glob("*"), *others]

    def collect(self, limit_bytes: int | None = None) -> Swept:
        """Remove the least recently used entries until `limit_bytes` are kept.

        Unfinished files of killed runs go first. Entries that a running process makes or has used
        stay.
        """
        for folder in (*self._folders(), self.root / USERS):
            clear(folder)
        since = min(self._began(), default=math.inf)
        limit = self.limit_bytes if limit_bytes is None else limit_bytes
        entries = sorted(self.entries())
        total = sum(size for _, size, _ in entries)
        removed = removed_bytes = 0
        for used, size, path in entries:
            if used >= since or total - removed_bytes <= limit:
                break
            remove(path)
            removed += 1
            removed_bytes += size
        return Swept(len(entries), total, removed, removed_bytes)


def default_cache() -> Cache:
    """`$FLANCOMPILE_CACHE`, else `flancompile` under the user's cache folder."""
    given = os.environ.get("FLANCOMPILE_CACHE")
    if given:
        return Cache(Path(given))
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Cache(Path(base) / "flancompile")


def memo_of(folders: Iterable[Path | str]) -> Memo:
    """The memo of files that earlier runs parsed and checked, for some library folders."""
    names = "\n".join(sorted(str(Path(f).resolve()) for f in folders))
    name = hashlib.blake2b(names.encode(), digest_size=12).hexdigest()
    return Memo(default_cache().root / "checked" / name)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())

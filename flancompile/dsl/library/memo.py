"""Cache of parsed files and their diagnostics, by content, so that unchanged files load fast.

One file stores it for a set of library folders. It may be deleted at any time; it is ignored if it
is damaged or was written by another version of the language's code.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flancompile.dsl.yaml import document as yaml
from flancompile.errors import Diagnostic, Severity, Span
from flancompile.unfinished import making_file

__all__ = ["Memo"]

Stored = tuple[str, str, tuple[int, int, int, int] | None, str | None, Severity]
Entry = tuple[Any, dict[str, list[Stored]]]  # parsed data; diagnostics by mark


_DIGEST_BYTES = 16


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _fingerprint() -> str:
    """Digest of the language's code."""
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        code = path.read_bytes()
        hasher.update(f"{path.name} {len(code)} ".encode())
        hasher.update(code)
    return hasher.hexdigest()


class Memo:
    """Parsed data and diagnostics of static checks, by a file's digest.

    path: the cache file; None for no cache.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._mark = _fingerprint() if path is not None else ""
        self._known: dict[bytes, Entry] = self._load()
        self._used: dict[bytes, Entry] = {}
        self._changed = False

    def _load(self) -> dict[bytes, Entry]:
        if self.path is None:
            return {}
        try:
            raw = self.path.read_bytes()
            if raw[:_DIGEST_BYTES] != _digest(raw[_DIGEST_BYTES:]):
                return {}
            mark, known = marshal.loads(raw[_DIGEST_BYTES:])
        except (OSError, ValueError, EOFError, TypeError):
            return {}
        return known if mark == self._mark and isinstance(known, dict) else {}

    def read(self, path: Path) -> yaml.Document:
        """A file's document. Errors as for `yaml.read`."""
        raw = yaml.read_bytes(path)
        digest = _digest(raw)
        known = self._used.get(digest) or self._known.get(digest)
        if known is not None:
            self._used[digest] = known
            return yaml.Document(str(path), known[0], yaml.decoded(raw, path), digest=digest)
        document = yaml.parse(yaml.decoded(raw, path), str(path))
        document.digest = digest
        if document.data is not None:
            self._used[digest] = (document.data, {})
            self._changed = True
        return document

    def diagnostics(self, document: yaml.Document, mark: str = "") -> list[Diagnostic] | None:
        """Cached diagnostics of a document; None if it has not been checked.

        mark: digest of further inputs of the checks.
        """
        stored = self._used.get(document.digest, (None, {}))[1].get(mark)
        if stored is None:
            return None
        return [
            Diagnostic(
                code, message, Span(document.path, *place) if place else None, hint, severity
            )
            for code, message, place, hint, severity in stored
        ]

    def store(self, document: yaml.Document, found: Sequence[Diagnostic], mark: str = "") -> None:
        """Store a document's diagnostics."""
        if document.digest in self._used:
            data, others = self._used[document.digest]
            unmarked = {m: k for m, k in others.items() if m == "" and mark}
            self._used[document.digest] = (data, {**unmarked, mark: [_as_stored(d) for d in found]})
            self._changed = True

    def save(self) -> None:
        """Write the entries used in this run; do nothing if the folder is not writable."""
        if self.path is None or not (self._changed or len(self._used) < len(self._known)):
            return
        with suppress(OSError):
            with making_file(self.path) as fresh:
                data = marshal.dumps((self._mark, self._used))
                fresh.write_bytes(_digest(data) + data)
            self._changed = False


def _as_stored(found: Diagnostic) -> Stored:
    span = found.span
    place = (span.line, span.column, span.end_line, span.end_column) if span else None
    return found.code, found.message, place, found.hint, found.severity

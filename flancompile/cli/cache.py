"""`flancompile cache`."""

from __future__ import annotations

from pathlib import Path

from flancompile.cli.console import bytes_of, console, print_json, size
from flancompile.compiler.cache import Cache, default_cache
from flancompile.errors import fail, nearest

__all__ = ["run"]

ACTIONS = ("info", "gc", "path")


def run(action: str, limit: str | None, cache: Path | None, *, as_json: bool) -> None:
    """Print the cache's size or folder, or delete its least recently used files."""
    if action not in ACTIONS:
        raise fail("FC416", f"there is no cache action {action!r}", hint=nearest(action, ACTIONS))
    found = Cache(cache) if cache is not None else default_cache()
    if action == "path":
        print(found.root)
        return
    most = bytes_of(limit) if limit is not None else found.limit_bytes
    if action == "gc":
        swept = found.collect(most)
        summary = {"entries": swept.entries, "bytes": swept.total_bytes}
        summary |= {"removed": swept.removed, "removed_bytes": swept.removed_bytes}
    else:
        entries = list(found.entries())
        summary = {"entries": len(entries), "bytes": sum(s for _, s, _ in entries)}
    if as_json:
        print_json({"path": str(found.root), "limit_bytes": most, **summary})
        return
    out = console()
    out.print(
        f"{found.root}: {summary['entries']:,} entries, {size(summary['bytes'])} of {size(most)}"
    )
    if action == "gc":
        out.print(f"removed {summary['removed']:,} entries, {size(summary['removed_bytes'])}")

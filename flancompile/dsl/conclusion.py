"""Where a target says its answer: between two literals of its template."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import nodes

from flancompile.dsl.expression import parsed_template

__all__ = ["concludes"]


@lru_cache(maxsize=4096)
def concludes(target: str) -> tuple[str, str, int]:
    """(what stands before the last thing that a target prints, what after it, how much it prints).

    White space around them is left off; both may be empty.

    >>> concludes("{{ rationale }} So the answer is {{ gold }}.")
    ('So the answer is', '.', 2)
    >>> concludes("{{ rationale }}\\n{{ answer | capitalize }}")
    ('', '', 2)
    """
    parts: list[str | None] = []  # literals, and None for what is printed
    for node in parsed_template(target).find_all(nodes.Output):
        parts += [p.data if isinstance(p, nodes.TemplateData) else None for p in node.nodes]
    if None not in parts:
        return "", "", 0
    at = len(parts) - 1 - parts[::-1].index(None)
    before, after = (parts[i] if 0 <= i < len(parts) else "" for i in (at - 1, at + 1))
    return (before or "").strip(), (after or "").strip(), parts.count(None)

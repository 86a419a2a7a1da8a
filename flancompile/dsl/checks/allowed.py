"""Apply `allow` of a dataset file or a task: mark accepted warnings with the author's reason.

Marked warnings stay in the list; commands that print diagnostics skip them. Errors cannot be
allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.models.warnings import WARNINGS
from flancompile.dsl.yaml.document import Document, Key
from flancompile.errors import Diagnostic, Span, nearest

__all__ = ["allow_diagnostics", "mark_allowed"]


def allow_diagnostics(
    document: Document, key: Key, allow: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """FC228 for each code that is no warning about a dataset."""
    for code in allow:
        if code not in WARNINGS:
            message = f"no warning about a dataset has the code {code!r}"
            near = nearest(code, sorted(WARNINGS)) or "docs/diagnostics.md lists them"
            span = document.span((*key, code), of_key=True)
            yield Diagnostic("FC228", message, span, f"only warnings can be allowed; {near}")


def mark_allowed(
    dataset: Loaded[DatasetFile], found: Iterable[Diagnostic], category: str | None = None
) -> list[Diagnostic]:
    """Set the reason of allowed warnings among a dataset file's diagnostics.

    category: task of all diagnostics; None to find it from their spans.
    """
    file, document = dataset.model, dataset.document
    tasks = {c: t.allow for c, t in file.tasks.items() if t.allow and category in (None, c)}
    if not file.allow and not tasks:
        return list(found)
    places = {c: document.span(("tasks", c)) for c in tasks}

    def reason(one: Diagnostic) -> str | None:
        if one.severity != "warning":
            return None
        inner = (tasks[c] for c, place in places.items() if category or _within(one.span, place))
        every = (allow.get(one.code) for allow in (*inner, file.allow))
        return next((why for why in every if why is not None), None)

    return [replace(one, allowed=reason(one)) for one in found]


def _within(span: Span | None, place: Span) -> bool:
    if span is None:
        return False
    start, end = (place.line, place.column), (place.end_line, place.end_column)
    return start <= (span.line, span.column) < end

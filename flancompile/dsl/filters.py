"""The filters and functions that the language adds to Jinja's own; all are pure."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["FILTERS", "GLOBALS"]


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _split(text: str, separator: str | None = None, limit: int = -1) -> list[str]:
    return text.split(separator, limit)


def _regex_replace(text: str, pattern: str, replacement: str) -> str:
    return _pattern(pattern).sub(replacement, text)


def _regex_search(text: str, pattern: str) -> str:
    match = _pattern(pattern).search(text)
    if match is None:
        raise ValueError(f"no match of {pattern!r}")
    return str(match[1] if match.re.groups else match[0])


def _regex_findall(text: str, pattern: str) -> list[Any]:
    return _pattern(pattern).findall(text)


def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _zip(*lists: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*lists, strict=True))


def _index(items: Sequence[Any], value: Any) -> int:
    return list(items).index(value)


def _lookup(value: Any, table: Mapping[Any, Any]) -> Any:
    if value not in table:
        raise ValueError(f"{value!r} is not in the table")
    return table[value]


def _flatten(lists: Iterable[Iterable[Any]]) -> list[Any]:
    return list(itertools.chain.from_iterable(lists))


def _most_frequent(items: Iterable[Any]) -> list[Any]:
    counts = Counter(items)
    most = max(counts.values(), default=0)
    return [item for item, count in counts.items() if count == most]


def _lstrip(value: Any) -> str:
    return str(value).lstrip()


def _rstrip(value: Any) -> str:
    return str(value).rstrip()


def _words(text: str) -> list[str]:
    return text.split()


FILTERS: dict[str, Callable[..., Any]] = {
    "flatten": _flatten,
    "index": _index,
    "lookup": _lookup,
    "lstrip": _lstrip,
    "matches": _matches,
    "most_frequent": _most_frequent,
    "regex_findall": _regex_findall,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "rstrip": _rstrip,
    "split": _split,
    "words": _words,
    "zip": _zip,
}
GLOBALS: dict[str, Callable[..., Any]] = {"zip": _zip, "len": len}

"""Filters and functions that the language adds to Jinja's; all are pure."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from flancompile.dsl.jinja.dialogues import chat, exchanges
from flancompile.dsl.jinja.values import is_broken, python_text, row_index, whole_number
from flancompile.marks import marked

__all__ = ["FILTERS", "GLOBALS", "LEFT_OUT_FILTERS", "LEFT_OUT_TESTS"]

# Jinja filters that produce HTML, print Python values or draw unseeded, and abbreviations.
LEFT_OUT_FILTERS = (
    "attr", "d", "e", "escape", "filesizeformat", "forceescape", "pprint", "random", "safe",
    "urlize", "xmlattr",
)  # fmt: skip
LEFT_OUT_TESTS = ("callable", "escaped", "filter", "test")


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
    found = match[1] if match.re.groups else match[0]
    if found is None:  # an optional group beside the match
        raise ValueError(f"group 1 of {pattern!r} matches nothing")
    return str(found)


def _regex_findall(text: str, pattern: str) -> list[Any]:
    return _pattern(pattern).findall(text)


def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _zip(*lists: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*lists, strict=True))


def _index(items: Sequence[Any], value: Any) -> int:
    return list(items).index(value)


def _option_index(value: Any, options: Sequence[Any]) -> int:
    number = int(value) if isinstance(value, str) and value.isdecimal() else whole_number(value)
    if number is not None:
        return int(row_index(number))
    return list(options).index(value)


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


def _lstrip(value: Any, chars: str | None = None) -> str:
    return str(value).lstrip(chars)


def _rstrip(value: Any, chars: str | None = None) -> str:
    return str(value).rstrip(chars)


def _words(text: str) -> list[str]:
    return text.split()


def _number(value: Any, form: str = ",") -> str:
    number = float(value) if isinstance(value, str) else value
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return format(number, form)


def _ordinal(value: Any) -> str:
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError(f"{value!r} is no whole number")
    teens = 10 <= abs(number) % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(abs(number) % 10, 'th')}"


def _upper_first(value: Any) -> str:
    text = str(value)
    return text[:1].upper() + text[1:]


def _lower_first(value: Any) -> str:
    text = str(value)
    return text[:1].lower() + text[1:]


def _squeeze(value: Any) -> str:
    return " ".join(str(value).split())


def _fromjson(text: str) -> Any:
    value = _JSON.decode(text)
    if "\\u" in text and is_broken(json.dumps(value, ensure_ascii=False)):
        raise ValueError("the JSON has an escape that is half a character")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(n for n in names if names.count(n) > 1)
        raise ValueError(f"two keys of the JSON text are {twice!r}")
    return found


_CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
_JSON = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_CONSTANTS.__getitem__)


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)


def _spans(offsets: Iterable[Mapping[str, int]], text: str) -> list[str]:
    """Substrings of a text at {start, end} offsets; the end is inclusive."""
    return [text[row_index(m["start"]) : row_index(m["end"] + 1)] for m in offsets]


def _unescape_html(value: Any) -> str:
    return html.unescape(str(value))


def _enumerate(items: Iterable[Any], start: int = 0) -> list[tuple[int, Any]]:
    return list(enumerate(items, start))


FILTERS: dict[str, Callable[..., Any]] = {
    "chat": chat,
    "enumerate": _enumerate,
    "exchanges": exchanges,
    "flatten": _flatten,
    "fromjson": _fromjson,
    "index": _index,
    "lookup": _lookup,
    "lower_first": _lower_first,
    "lstrip": _lstrip,
    "matches": _matches,
    "most_frequent": _most_frequent,
    "number": _number,
    "option_index": _option_index,
    "ordinal": _ordinal,
    "python_text": python_text,
    "regex_findall": _regex_findall,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "rstrip": _rstrip,
    "spans": _spans,
    "special": marked,
    "split": _split,
    "squeeze": _squeeze,
    "tojson": _tojson,
    "unescape_html": _unescape_html,
    "upper_first": _upper_first,
    "words": _words,
    "zip": _zip,
}
GLOBALS: dict[str, Callable[..., Any]] = {"zip": _zip, "len": len}

"""Selectors: expressions that choose tasks by their labels.

    cluster:nli and not inverted
    tag:cot or (source:squad and category:extractive_qa)
    squad/*

A term is `key:pattern`, a flag, or a bare pattern over task ids; patterns take `*` and `?`.
Binding, from the tightest: not, and, or.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Protocol

from flancompile.errors import Span, fail, nearest

__all__ = [
    "FLAGS",
    "KEYS",
    "Selectable",
    "Selector",
    "meant_term",
    "nearest_term",
    "parse_selector",
]


class Selectable(Protocol):
    """An object with labels and flags that a selector can match."""

    @property
    def id(self) -> str:
        """`dataset/category`."""

    @property
    def labels(self) -> dict[str, Sequence[str]]:
        """Values for each key: source, category, cluster, tag, rung, language, license."""

    @property
    def flags(self) -> frozenset[str]:
        """Flags of the task: inverted, cot, options, instruction, eval, chat."""


KEYS = ("task", "source", "category", "cluster", "tag", "rung", "language", "license")
FLAGS = ("all", "inverted", "cot", "options", "instruction", "eval", "chat")
_TOKEN = re.compile(r"\s*(?:(?P<paren>[()])|(?P<word>[^\s()]+))")
_Test = Callable[[Selectable], bool]


@dataclass(frozen=True)
class Selector:
    """A parsed selector. `patterns` are its `key:pattern` terms, for messages."""

    text: str
    test: _Test
    terms: tuple[tuple[str, str], ...]

    def pick(self, tasks: Iterable[Selectable]) -> list[str]:
        """Ids of the selected tasks, in the given order."""
        return [t.id for t in tasks if self.test(t)]


def nearest_term(selector: Selector, tasks: Iterable[Selectable]) -> str | None:
    """Hint for a selector that selects nothing: the nearest label of a task."""
    every = list(tasks)
    for key, pattern in selector.terms:
        values = {t.id for t in every} if key == "task" else set[str]()
        values |= {v for t in every for v in t.labels.get(key, ())}
        if not any(fnmatchcase(v, pattern) for v in values):
            return nearest(pattern, sorted(values)) or (
                f"tasks here have {key}: {', '.join(sorted(values)[:12])}" if values else None
            )
    return None


def meant_term(text: str, tasks: Iterable[Selectable]) -> str | None:
    """Hint for a selector with a bare word that is a task's label: add the key."""
    every = list(tasks)
    for word in re.findall(r"[^\s()]+", text):
        if ":" in word or "/" in word or word in (*FLAGS, "and", "or", "not"):
            continue
        for key in KEYS[1:]:
            if any(word in t.labels.get(key, ()) for t in every):
                return f"did you mean '{key}:{word}'?"
    return None


@lru_cache(maxsize=4096)
def parse_selector(text: str, span: Span | None = None) -> Selector:
    """Parse a selector. Raises FC401 with the nearest key or flag."""
    tokens = [m["paren"] or m["word"] for m in _TOKEN.finditer(text)]
    parser = _Parser(tokens, text, span)
    test = parser.either()
    if parser.rest:
        raise parser.error(f"{parser.rest[0]!r} is not expected here; join terms with and, or")
    return Selector(text, test, tuple(parser.terms))


class _Parser:
    def __init__(self, tokens: list[str], text: str, span: Span | None) -> None:
        self.rest = tokens
        self.text = text
        self.span = span
        self.terms: list[tuple[str, str]] = []

    def error(self, message: str, hint: str | None = None) -> Exception:
        return fail("FC401", f"selector {self.text!r}: {message}", span=self.span, hint=hint)

    def either(self) -> _Test:
        tests = [self.both()]
        while self.rest[:1] == ["or"]:
            self.rest.pop(0)
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda task: any(t(task) for t in tests)

    def both(self) -> _Test:
        tests = [self.term()]
        while self.rest[:1] == ["and"]:
            self.rest.pop(0)
            tests.append(self.term())
        return tests[0] if len(tests) == 1 else lambda task: all(t(task) for t in tests)

    def term(self) -> _Test:
        if not self.rest:
            raise self.error("a term is missing at the end")
        word = self.rest.pop(0)
        if word == "not":
            inner = self.term()
            return lambda task: not inner(task)
        if word == "(":
            inner = self.either()
            if self.rest[:1] != [")"]:
                raise self.error("a closing bracket is missing")
            self.rest.pop(0)
            return inner
        if word in ("and", "or", ")"):
            raise self.error(f"{word!r} is not expected here")
        return self.named(word)

    def named(self, word: str) -> _Test:
        key, colon, pattern = word.partition(":")
        if not colon:
            return self.bare(word)
        if key not in KEYS:
            raise self.error(
                f"there is no key {key!r}", nearest(key, KEYS) or f"keys: {', '.join(KEYS)}"
            )
        self.terms.append((key, pattern))
        if key == "task":
            return lambda task: fnmatchcase(task.id, pattern)
        return lambda task: any(fnmatchcase(v, pattern) for v in task.labels.get(key, ()))

    def bare(self, word: str) -> _Test:
        if word == "all":
            return lambda task: True
        if word in FLAGS:
            return lambda task: word in task.flags
        if "/" not in word and "*" not in word:
            hint = (
                nearest(word, FLAGS) or f"write key:value, a task id, or a flag: {', '.join(FLAGS)}"
            )
            raise self.error(f"there is no flag {word!r}", hint)
        self.terms.append(("task", word))
        return lambda task: fnmatchcase(task.id, word)

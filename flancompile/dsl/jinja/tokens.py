"""Tokenize a Jinja text into words with offset and part of speech (name, filter, text, ...).

Jinja's syntax tree has line numbers only. Diagnostics underline a word, so this module tokenizes
the text again, and separates names bound by a loop or a `set` from free names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Part", "Word", "words"]

Part = Literal["name", "bound", "attribute", "filter", "test", "argument", "tag", "text"]
_OPENING = re.compile(
    r"\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}|(?P<code>\{[{%])[-+]?",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"""\s+|(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?P<name>[^\W\d]\w*)"""
    r"""|\d[\w.]*|(?P<sign>[-+]?[%}]\}|[=!<>]=|.)""",
    re.DOTALL,
)
_KEYWORDS = frozenset(
    ["not", "and", "or", "if", "else", "in", "is", "true", "false", "none", "True", "False", "None",
     "recursive"]
)  # fmt: skip
_PAIRED = frozenset(["if", "block", "filter", "autoescape"])


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, its offset (from 0) and its part of speech."""

    text: str
    start: int
    part: Part


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


def words(text: str) -> list[Word]:
    """Words of a template's code, or of an expression if the text has no braces, in order.

    >>> [(w.text, w.part) for w in words("{% for o in xs %}{{ o.text | trim }}{% endfor %}")]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('for', 'tag'), ('o', 'bound'), ('xs', 'name'), ('o', 'bound'), ('text', 'attribute'),
     ('trim', 'filter'), ('endfor', 'tag')]
    """
    reader = _Reader()
    if "{{" not in text and "{%" not in text:
        reader.read(_code(text, 0, whole=True)[0])
        return reader.found
    place = 0
    while opening := _OPENING.search(text, place):
        place = opening.end()
        if opening["code"]:
            code, place = _code(text, place)
            (reader.tag if opening["code"] == "{%" else reader.read)(code)
    return sorted(reader.found, key=lambda word: word.start)


def _code(text: str, place: int, *, whole: bool = False) -> tuple[list[_Token], int]:
    """Tokens up to the closing braces, and the offset after them."""
    found: list[_Token] = []
    depth = 0
    while match := _TOKEN.match(text, place):
        sign = match["sign"] or ""
        if len(sign) > 1 and sign[-1] == "}" and (depth or whole):
            sign = sign[0]  # closes a map, not the slot
        elif len(sign) > 1 and sign[-1] == "}":
            return found, match.end()
        depth = max(0, depth + (sign in ("(", "[", "{")) - (sign in (")", "]", "}")))
        place = match.start() + len(sign) if sign else match.end()
        kind = match.lastgroup or ""
        if kind:
            found.append(_Token(kind, sign or match[0], match.start()))
    return found, len(text)


class _Reader:
    """Words found so far, and a stack of scopes with the names that each binds."""

    def __init__(self) -> None:
        self.found: list[Word] = []
        self.scopes: list[tuple[str, set[str]]] = [("", set())]

    def read(self, code: Sequence[_Token]) -> None:
        """Read code that binds no name."""
        depth = 0
        for place, token in enumerate(code):
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            if token.kind == "quoted":
                self.found.append(Word(token.text[1:-1], token.start + 1, "text"))
            elif token.kind == "name":
                before = [t.text for t in code[max(0, place - 2) : place]]
                after = code[place + 1].text if place + 1 < len(code) else ""
                part = self.part(token.text, before, after, depth)
                if part is not None:
                    self.found.append(Word(token.text, token.start, part))

    def part(self, name: str, before: list[str], after: str, depth: int) -> Part | None:
        if before[-1:] == ["."]:
            return "attribute"
        if before[-1:] == ["|"]:
            return "filter"
        if name in _KEYWORDS and name != "none":
            return None
        if before[-1:] == ["is"] or before == ["is", "not"]:
            return "test"
        if name in _KEYWORDS:
            return None
        if after == "=" and depth:
            return "argument"
        return "bound" if any(name in names for _, names in self.scopes) else "name"

    def tag(self, code: Sequence[_Token]) -> None:
        """Read a statement; it binds names in its body, or from there on."""
        if not code:
            return
        name, rest = code[0].text, code[1:]
        self.found.append(Word(name, code[0].start, "tag"))
        if name == "for":
            cut = _place(rest, "in")
            guard = cut + 1 + _place(rest[cut + 1 :], "if")
            self.read(rest[cut + 1 : guard])
            self.scopes.append((name, {"loop", *self.bound(rest[:cut])}))
            self.read(rest[guard + 1 :])
        elif name == "set":
            cut = _place(rest, "=")
            self.read(rest[cut + 1 :])
            targets = self.bound(rest[:cut])
            if cut == len(rest):
                self.scopes.append((name, set()))
            outer = (names for kind, names in reversed(self.scopes) if kind not in ("if", "set"))
            next(outer).update(targets)
        elif name in ("with", "macro", "call"):
            self.arguments(name, rest)
        elif name in ("from", "import", "include", "extends"):
            return  # statements on files are errors (FC103)
        elif name.startswith("end"):
            del self.scopes[max(1, len(self.scopes) - 1) :]
        else:
            if name == "else" and self.scopes[-1][0] == "for":
                self.scopes[-1][1].clear()
            if name == "filter" and rest:
                self.found.append(Word(rest[0].text, rest[0].start, "filter"))
                rest = rest[1:]
            self.read(rest)
            if name in _PAIRED:
                self.scopes.append((name, set()))

    def bound(self, code: Sequence[_Token]) -> set[str]:
        """Bind the names of a target."""
        names = [t for t in code if t.kind == "name"]
        self.found += [Word(t.text, t.start, "bound") for t in names]
        return {t.text for t in names}

    def arguments(self, tag: str, code: Sequence[_Token]) -> None:
        """`with a = x`, `macro f(a, b = x)`: a name before `=`, or alone, is set in the body."""
        names: set[str] = set()
        if tag == "macro" and code:
            self.scopes[-1][1].update(self.bound(code[:1]))
            code = code[1:]
        for place, token in enumerate(code):
            follows = code[place + 1].text if place + 1 < len(code) else ""
            value = place > 0 and code[place - 1].text == "="
            alone = tag != "with" and follows in (",", ")") and not value
            if token.kind == "name" and (follows == "=" or alone):
                names |= self.bound([token])
            else:
                self.read([token])
        self.scopes.append((tag, names))


def _place(code: Sequence[_Token], word: str) -> int:
    """Index of a word outside all brackets; the code's length without one."""
    depth = 0
    for place, token in enumerate(code):
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if not depth and token.text == word and token.kind != "quoted":
            return place
    return len(code)

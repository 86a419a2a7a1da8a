"""Split a Jinja text at a separator into two texts, one for each side.

The source is split, so the author's text is unchanged. If the separator is inside a block
(`{% if %}A ||| B{% endif %}`), each side gets the block with its part of the bodies. `set`
statements go to both sides. Tags are written with `+`, so that white space about them means the
same under `trim_blocks` and `lstrip_blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jinja2

__all__ = [
    "CLOSES",
    "OPENS",
    "TOKEN",
    "Block",
    "Output",
    "Set",
    "SplitError",
    "Text",
    "blanked",
    "halves",
    "operand",
    "parse",
    "renamed",
    "source",
]

_ENDS = {"if": "endif", "for": "endfor"}
_BEGINS, _FINISHES = ("variable_begin", "block_begin"), ("variable_end", "block_end")
_MIDDLES = {"if": ("elif", "else"), "for": ("else",)}


class SplitError(Exception):
    """The text cannot be split; the message gives the reason."""


@dataclass
class Text:
    """Literal text."""

    text: str


@dataclass
class Output:
    """`{{ code }}`."""

    code: str


@dataclass
class Set:
    """`{% set code %}`."""

    code: str


@dataclass
class Block:
    """A block: its tags (`if x`, `elif y`, `else`), the body after each, and its end."""

    tags: list[str]
    bodies: list[list[Node]] = field(default_factory=list)
    end: str = ""


Node = Text | Output | Set | Block


def parse(text: str) -> list[Node]:
    """Parse a text into a tree. Raises SplitError for unknown statements."""
    try:
        tokens = list(jinja2.Environment(keep_trailing_newline=True).lex(text))
    except jinja2.TemplateSyntaxError as error:
        raise SplitError(f"not Jinja: {error.message}") from None
    parts: list[tuple[str, str]] = []
    code: list[str] = []
    is_open = False
    for _, kind, value in tokens:
        is_open = (is_open or kind in _BEGINS) and kind not in _FINISHES
        if kind == "data":
            if parts and parts[-1][0] == "text":  # a comment was between them
                value = parts.pop()[1] + value
            parts.append(("text", value))
        elif kind in _BEGINS:
            code = []
        elif kind == "variable_end":
            parts.append(("output", "".join(code).strip()))
        elif kind == "block_end":
            parts.append(("tag", "".join(code).strip()))
        elif kind.startswith("comment"):
            continue
        elif kind.startswith("raw"):
            raise SplitError("a raw block")
        else:
            code.append(value)
    if is_open:
        raise SplitError("not Jinja: a tag is never closed")
    nodes, rest = _body(parts, 0, ())
    if rest != len(parts):
        raise SplitError(f"unexpected {parts[rest][1]!r}")
    return nodes


def _body(
    parts: Sequence[tuple[str, str]], at: int, stops: tuple[str, ...]
) -> tuple[list[Node], int]:
    nodes: list[Node] = []
    while at < len(parts):
        kind, value = parts[at]
        if kind == "text":
            nodes.append(Text(value))
        elif kind == "output":
            nodes.append(Output(value))
        else:
            name = value.split(None, 1)[0] if value else ""
            if name in stops:
                return nodes, at
            if name == "set" and "=" in value:
                nodes.append(Set(value.split(None, 1)[1]))
            elif name in _ENDS:
                block, at = _block(parts, at, name)
                nodes.append(block)
            else:
                raise SplitError(f"the statement {name!r}")
        at += 1
    return nodes, at


def _block(parts: Sequence[tuple[str, str]], at: int, name: str) -> tuple[Block, int]:
    block = Block([parts[at][1]], end=_ENDS[name])
    while True:
        body, at = _body(parts, at + 1, (*_MIDDLES[name], block.end))
        block.bodies.append(body)
        if at >= len(parts):
            raise SplitError(f"{name!r} is never closed")
        if parts[at][1].split(None, 1)[0] == block.end:
            return block, at
        block.tags.append(parts[at][1])


def halves(nodes: Sequence[Node], separator: str = "|||") -> tuple[list[Node], list[Node]]:
    """The parts before and after the separator. Raises SplitError if they are not unique."""
    before_separator: list[Node] = []
    right: list[Node] = []
    for place, node in enumerate(nodes):
        if isinstance(node, Text) and separator in node.text:
            if node.text.count(separator) > 1 or any(
                _holds(n, separator) for n in nodes[place + 1 :]
            ):
                raise SplitError("more than one separator")
            before, after = node.text.split(separator)
            before_separator.append(Text(before))
            return before_separator, [*_sets(nodes[:place]), Text(after), *nodes[place + 1 :]]
        if isinstance(node, Block) and _holds(node, separator):
            first, second = _cut(node, separator)
            rest = nodes[place + 1 :]
            covered = node.tags[-1].strip() == "else" and all(
                any(_holds(n, separator) for n in body) for body in node.bodies
            )
            if not covered and any(not isinstance(n, Text) or n.text.strip() for n in rest):
                raise SplitError("text after a block in which the separator may be missing")
            right = [*_sets(nodes[:place]), second, *(rest if covered else ())]
            return [*before_separator, first], right
        before_separator.append(node)
    raise SplitError("no separator between input and target")


def _cut(block: Block, separator: str) -> tuple[Block, Block]:
    if block.end == "endfor":
        raise SplitError("a separator inside a loop")
    first, second = Block(list(block.tags), end=block.end), Block(list(block.tags), end=block.end)
    for body in block.bodies:
        if any(_holds(n, separator) for n in body):
            left, right = halves(body, separator)
        else:
            left, right = list(body), []
        first.bodies.append(left)
        second.bodies.append(right)
    return first, second


def _holds(node: Node, separator: str) -> bool:
    if isinstance(node, Text):
        return separator in node.text
    if isinstance(node, Block):
        return any(_holds(n, separator) for body in node.bodies for n in body)
    return False


def _sets(nodes: Sequence[Node]) -> list[Node]:
    """Assignments among some nodes, with their enclosing blocks."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Set):
            found.append(node)
        elif isinstance(node, Block):
            bodies = [_sets(body) for body in node.bodies]
            if any(
                bodies
            ):  # values set in a loop last only in a namespace; other `set` statements are harmless
                found.append(Block(node.tags, bodies, node.end))
    return found


def source(
    nodes: Sequence[Node],
    rename: Callable[[str], str] = lambda code: code,
    *,
    is_body: bool = False,
) -> str:
    """Convert a tree to Jinja source.

    rename: maps the code of each tag and slot; is_body: whether a tag follows the nodes.
    """
    out = []
    for place, node in enumerate(nodes, 1):
        if isinstance(node, Text):
            out.append(_escaped(node.text, is_last=place == len(nodes) and not is_body))
        elif isinstance(node, Output):
            out.append(f"{{{{ {rename(node.code)} }}}}")
        elif isinstance(node, Set):
            out.append(f"{{%+ set {rename(node.code)} +%}}")
        else:
            for tag, body in zip(node.tags, node.bodies, strict=True):
                out.append(f"{{%+ {rename(tag)} +%}}{source(body, rename, is_body=True)}")
            out.append(f"{{%+ {node.end} +%}}")
    return "".join(out)


def _escaped(text: str, *, is_last: bool) -> str:
    """Template source that prints a text; a brace that would begin a tag becomes a slot."""
    return (_BRACE if is_last else _LAST_BRACE).sub('{{ "{" }}', text)


_BRACE = re.compile(r"\{(?=[{%#])")
_LAST_BRACE = re.compile(r"\{(?=[{%#]|\Z)")
TOKEN = re.compile(r"""\s+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+|\|\||.""", re.DOTALL)
OPENS, CLOSES = "([{", ")]}"
_STRING = re.compile(r"""\"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)


def blanked(code: str) -> str:
    """Code of the same length without the contents of its strings, to search for operations."""
    return _STRING.sub(lambda match: f"'{' ' * (len(match[0]) - 2)}'", code)


def operand(code: str, end: int) -> int:
    """Start of the operand of a filter whose `|` is at `end`: a chain of calls, items, attributes
    and filters, which bind as tightly as a filter."""
    tokens = [(m.start(), m[0]) for m in TOKEN.finditer(code[:end]) if m[0].strip()]
    at = len(tokens)
    while True:
        at -= 1
        if at < 0:
            raise SplitError("a filter without an operand")
        if tokens[at][1] in CLOSES:
            depth = 0
            while True:
                depth += tokens[at][1] in CLOSES
                depth -= tokens[at][1] in OPENS
                if depth == 0:
                    break
                at -= 1
                if at < 0:
                    raise SplitError("unclosed brackets")
            opens_call = at > 0 and (tokens[at - 1][1][-1].isalnum() or tokens[at - 1][1] in CLOSES)
            if tokens[at][1] in "([" and opens_call and tokens[at - 1][1] not in _KEYWORDS:
                continue
        if at > 0 and tokens[at - 1][1] in (".", "|"):
            at -= 1
            continue
        return tokens[at][0]


_KEYWORDS = {"in", "not", "and", "or", "if", "else", "elif", "is", "set"}
_NAME = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<![\w.])([A-Za-z_]\w*)(?!\w)""")


def renamed(code: str, names: dict[str, str]) -> str:
    """Rename names in code; strings, attributes, filters and keywords are unchanged."""

    def swap(match: re.Match[str]) -> str:
        if match[1] or match[2] not in names:
            return match[0]
        before = code[: match.start()].rstrip()
        after = code[match.end() :].lstrip()
        inside = blanked(before)
        is_keyword = (
            after.startswith("=")
            and not after.startswith("==")
            and before.endswith(("(", ","))
            and inside.count("(") > inside.count(")")  # `set a, b = …` has none
        )
        is_filter = before.endswith("|") or re.search(r"\bis(\s+not)?$", before)
        return match[0] if is_keyword or is_filter else names[match[2]]

    return _NAME.sub(swap, code)

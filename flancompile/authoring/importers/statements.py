"""Rewrite Jinja statements that the template language lacks.

An unseeded `choice` becomes a name drawn once; a value changed in place becomes a namespace.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from itertools import count
from typing import TypeVar

import jinja2
from jinja2 import meta

from flancompile.authoring.importers.jinja_split import (
    CLOSES,
    OPENS,
    TOKEN,
    Block,
    Node,
    Output,
    Set,
    SplitError,
    blanked,
    operand,
    renamed,
)
from flancompile.dsl.checks.names import TAKEN
from flancompile.dsl.jinja.filters import FILTERS
from flancompile.dsl.jinja.free_names import free_names

__all__ = ["names_of", "sometimes_set", "with_draws", "with_namespaces", "with_optional"]

N = TypeVar("N", Set, Output)


def with_draws(tree: list[Node], reserved: Collection[str] = ()) -> dict[str, str]:
    """Replace every `… | choice` of a tree by a `let` name that is drawn once.

    Values that the template sets before and draws from become `let` names too. If the template
    computes them in blocks, a number is drawn and used modulo their count.
    reserved: names that a draw may not have.
    """
    if not _draws_sometimes(tree):
        trial = deepcopy(tree)
        let = _drawn(trial, "pick({items})", "{name}", reserved)
        found = _hoisted(trial, let) if let else let
        if found is not None:
            tree[:] = trial
            return found
    # the drawn list may exist only where the draw is made
    counted = "({items})[{name} % ({items} | length)]"
    return _drawn(tree, f"pick(range({_MANY}))", counted, reserved)


def _drawn(
    tree: list[Node], let_form: str, use_form: str, reserved: Collection[str]
) -> dict[str, str]:
    """Replace each `choice` of a tree by `use_form`. Return the entries of `let`."""
    let: dict[str, str] = {}
    free = (n for n in (f"drawn_{i}" for i in count(1)) if n not in reserved)

    def drawn(code: str) -> str:
        while match := _CHOICE.search(blanked(code)):
            start = operand(code, match.start())
            name, items = next(free), code[start : match.start()].strip()
            let[name] = let_form.format(items=items)
            used = use_form.format(items=items, name=name)
            code = f"{code[:start]}{used}{code[match.end() :]}"
        return code

    def walk(nodes_: list[Node]) -> None:
        for node in nodes_:
            if isinstance(node, Output | Set):
                node.code = drawn(node.code)
            elif isinstance(node, Block):
                if node.end == "endfor" and _draws([node]):
                    raise SplitError(
                        "a draw (`choice`, `random`) inside a loop would be repeated for each item"
                    )
                node.tags = [drawn(tag) for tag in node.tags]
                for body in node.bodies:
                    walk(body)

    walk(tree)
    return let


def with_optional(tree: list[Node]) -> set[str]:
    """Columns that a text tests by `is defined` or `default`, so that rows may lack them.

    Such a field is null if the column is absent, and the tests are rewritten.
    """
    own = {name for n in _all(tree, Set) for name in _bound(n)}
    found: set[str] = set()

    def tested(code: str) -> str:
        for match in reversed([*_DEFINED.finditer(blanked(code))]):
            if match["name"] not in own:
                found.add(match["name"])
                is_absent = (match["which"] == "undefined") != bool(match["not"])
                instead = f"{match['name']} is {'none' if is_absent else 'not none'}"
                code = f"{code[: match.start()]}{instead}{code[match.end() :]}"
        return code

    def rewritten(code: str) -> str:
        converted, code = "", tested(code)
        while match := _DEFAULT.search(blanked(code)):
            name, end = match[1], _closing(code, match.end()) if match[2] else match.end()
            given = _arguments(code[match.end() : end - 1]) if match[2] else []
            instead = rewritten(given[0]) if given else '""'
            if name in own or code[: match.start()].rstrip().endswith("|"):  # or a filter
                converted, code = converted + code[:end], code[end:]
                continue
            found.add(name)
            is_broad = len(given) > 1 and given[1].split("=")[-1].strip().lower() == "true"
            use = f"({name} or ({instead}))" if is_broad else (
                f"({name} if {name} is not none else ({instead}))"
            )  # fmt: skip
            converted, code = converted + code[: match.start()] + use, code[end:]
        return converted + code

    def walk(body: list[Node]) -> None:
        for node in body:
            if isinstance(node, Output | Set):
                node.code = rewritten(node.code)
            elif isinstance(node, Block):
                node.tags = [rewritten(tag) for tag in node.tags]
                for inner in node.bodies:
                    walk(inner)

    walk(tree)
    return found


_DEFINED = re.compile(
    r"(?<![\w.])(?P<name>[^\W\d]\w*)\s+is\s+(?P<not>not\s+)?(?P<which>defined|undefined)\b"
)
_DEFAULT = re.compile(r"(?<![\w.])([^\W\d]\w*)\s*\|\s*(?:default|d)\b\s*(\()?")


def _closing(code: str, start: int) -> int:
    """Position after the bracket that closes the one opened before `start`."""
    depth = 1
    for token in TOKEN.finditer(code, start):
        depth += (token[0] in OPENS) - (token[0] in CLOSES)
        if depth == 0:
            return token.end()
    raise SplitError("unclosed brackets")


def _arguments(code: str) -> list[str]:
    """The arguments of a call, split at its own commas."""
    parts, depth = [""], 0
    for token in TOKEN.finditer(code):
        depth += (token[0] in OPENS) - (token[0] in CLOSES)
        if token[0] == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += token[0]
    return [part for part in parts if part.strip()]


def _draws_sometimes(tree: Sequence[Node]) -> bool:
    """Whether a draw depends on the row: it is inside a block or a conditional expression."""
    codes = [n.code for n in tree if isinstance(n, Output | Set)]
    return _draws([n for n in tree if isinstance(n, Block)]) or any(
        _CHOICE.search(code) and _SOMETIMES.search(code) for code in map(blanked, codes)
    )


def _draws(tree: Sequence[Node]) -> bool:
    """Whether a tree draws."""
    return any(_CHOICE.search(blanked(code)) for code in _codes(tree))


_SOMETIMES = re.compile(r"\b(?:if|and|or)\b")
_MANY = 55_440  # divisible by every count to 12, so that a draw modulo a count is even
_CHOICE = re.compile(r"\|\s*(?:choice|random)\b(?!\s*\()")


def _hoisted(tree: list[Node], let: dict[str, str]) -> dict[str, str] | None:
    """Move values that the template sets once, at its top, and draws from, before the draws.

    None, without a change, if they are computed in blocks.
    """
    top = [n for n in tree if isinstance(n, Set)]
    every = [name for n in _all(tree, Set) for name in _bound(n)]
    read_names = {name for code in let.values() for name in names_of("{{ " + code + " }}")}
    chosen: list[Set] = []
    for node in reversed(top):
        if read_names & {*_bound(node)}:
            if len(_bound(node)) > 1:
                return None
            chosen.insert(0, node)
            read_names |= names_of("{{ " + node.code.split("=", 1)[1] + " }}")
    fixed = {name for n in chosen for name in _bound(n)}
    if fixed & TAKEN:  # no `let` may have that name
        return None
    if read_names & set(every) - fixed or any(every.count(n) > 1 for n in fixed):
        return None
    order: dict[str, str] = {}
    for node in chosen:
        tree.remove(node)
        name, code = (part.strip() for part in node.code.split("=", 1))
        for draw in sorted(names_of("{{ " + code + " }}") & set(let)):
            order.setdefault(draw, let[draw])
        order[name] = code
    return {**order, **{n: c for n, c in let.items() if n not in order}}


def _bound(node: Set) -> list[str]:
    """The names that a statement sets, or whose attributes it sets."""
    return re.findall(r"(?<![\w.])[^\W\d]\w*", node.code.split("=", 1)[0])


def _codes(tree: Sequence[Node]) -> Iterator[str]:
    """The code of each slot, assignment and tag of a tree."""
    for node in tree:
        if isinstance(node, Output | Set):
            yield node.code
        elif isinstance(node, Block):
            yield from node.tags
            for body in node.bodies:
                yield from _codes(body)


def _all(tree: Sequence[Node], kind: type[N]) -> Iterator[N]:
    """Nodes of one kind in a tree, including those in blocks."""
    for node in tree:
        if isinstance(node, kind):
            yield node
        elif isinstance(node, Block):
            for body in node.bodies:
                yield from _all(body, kind)


def with_namespaces(tree: list[Node]) -> None:  # noqa: C901
    """Replace values that are changed in place by namespaces, since the language has no mutation.

    `set _ = d.update({"k": v})` and `{{ x.append(v) | default("", true) }}` become assignments.
    """
    codes = [n.code for n in _all(tree, Set)] + [n.code for n in _all(tree, Output)]
    maps = {m["name"] for code in codes if (m := _UPDATE.fullmatch(code))}
    lists = {m["name"] for code in codes if (m := _APPEND.fullmatch(code))}
    namespaces = {name: f"{name}_list.found" for name in lists if "." not in name}

    def changed(code: str, *, printed: bool) -> str | None:
        match = _APPEND.fullmatch(code) or _UPDATE.fullmatch(code)
        if match is None or (printed and not match["silent"]):
            return None
        value = renamed(match["value"], namespaces)
        if match.re is _APPEND:
            spot = namespaces.get(match["name"], match["name"])
            return f"{spot} = {spot} + [{value}]"
        return f"{match['name']}.{match['key']} = {value}"

    def assigned(node: Set) -> str:
        if found := changed(node.code, printed=False):
            return found
        name, _, value = (part.strip() for part in node.code.partition("="))
        if name not in namespaces and ({value, *_bound(node)} & {*namespaces, *maps}) - {name}:
            raise SplitError(f"{name!r} shares a value that is changed in place")
        if name in namespaces:
            return f"{name}_list = namespace(found={renamed(value, namespaces)})"
        return (
            f"{name} = namespace({value})"
            if name in maps
            else f"{name} = {renamed(value, namespaces)}"
        )

    def walk(body: list[Node]) -> None:
        for place, node in enumerate(body):
            if isinstance(node, Block):
                node.tags = [renamed(tag, namespaces) for tag in node.tags]
                for inner in node.bodies:
                    walk(inner)
            elif isinstance(node, Output):
                found = changed(node.code, printed=True)
                body[place] = Set(found) if found else Output(renamed(node.code, namespaces))
            elif isinstance(node, Set):
                node.code = assigned(node)

    walk(tree)
    for code in _codes(tree):
        if match := _CHANGES.search(blanked(code)):
            raise SplitError(f"{match[1]!r} changes a value in place; only `set` can do that here")


_CHANGES = re.compile(
    r"\.(append|clear|extend|insert|pop|popitem|remove|reverse|setdefault|sort|update)\s*\("
)


_TARGET = r"(?:\w+\s*=\s*)?(?P<name>"
_SILENT = (  # hides the None of such calls, which a slot would print
    r"(?P<silent>\s*(?:\|\s*d(?:efault)?\(\s*(?:''|\"\")\s*,\s*(?:boolean\s*=\s*)?[Tt]rue\s*\)"
    r"|\bor\s*(?:''|\"\")))?"
)
_UPDATE = re.compile(
    _TARGET + r"\w+)\.update\(\{\s*['\"](?P<key>\w+)['\"]\s*:(?P<value>.*)\}\s*\)" + _SILENT,
    re.DOTALL,
)
_APPEND = re.compile(_TARGET + r"[\w.]+)\.append\((?P<value>.*?)\)" + _SILENT, re.DOTALL)


def sometimes_set(text: str) -> set[str]:
    """Names that a text reads but sets in some branches only."""
    env = jinja2.Environment()
    env.filters.update({**FILTERS, "choice": list})
    return free_names(env.parse(text)).sometimes


def names_of(text: str) -> set[str]:
    """Names that a text reads without setting them. Raises SplitError for invalid Jinja."""
    env = jinja2.Environment()
    env.filters.update({**FILTERS, "choice": list})
    try:
        tree = env.parse(text)
        return set(meta.find_undeclared_variables(tree)) & free_names(tree).names
    except jinja2.TemplateAssertionError as error:
        raise SplitError(f"{error.message}: the language has no such filter or test") from None
    except jinja2.TemplateError as error:
        raise SplitError(f"not Jinja: {error.message}") from None

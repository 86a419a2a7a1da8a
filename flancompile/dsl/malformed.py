"""What is wrong with a text that does not compile: its syntax, its filters, their arguments."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, cast

import jinja2
from jinja2 import nodes

from flancompile.dsl.places import occurrences
from flancompile.dsl.tokens import Part, words
from flancompile.errors import Diagnostic, TextError, nearest

__all__ = ["call_faults", "faulty", "syntax_error"]

Found = list[tuple[Diagnostic, nodes.Node]]

_PATTERNED = ("matches", "regex_findall", "regex_replace", "regex_search")
_OF_FILES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


def call_faults(env: jinja2.Environment, tree: nodes.Template) -> Found:
    """Filters and tests not known or wrongly called, and statements that name files."""
    return [
        (fault, node)
        for node in tree.find_all((nodes.Filter, nodes.Test, *_OF_FILES))
        if (fault := _call_fault(env, node)) is not None
    ]


def _call_fault(env: jinja2.Environment, node: nodes.Node) -> Diagnostic | None:
    """What is wrong with a filter, a test or a statement that names a file."""
    if isinstance(node, _OF_FILES):
        tag = "import" if isinstance(node, nodes.FromImport) else type(node).__name__.lower()
        hint = "write out here what it would bring"
        return Diagnostic("FC103", f"{tag!r} brings in a file, and a text stands alone", None, hint)
    call = cast(Any, node)
    kind = "filter" if isinstance(node, nodes.Filter) else "test"
    known = env.filters if kind == "filter" else env.tests
    if call.name not in known:
        message = f"there is no {kind} {call.name!r}"
        return Diagnostic("FC104", message, None, nearest(call.name, known))
    if call.dyn_args is not None or call.dyn_kwargs is not None:
        return None
    keys = tuple(k.key for k in call.kwargs)
    return _misfit(env, kind, call.name, len(call.args), keys) or _pattern_fault(call)


def _pattern_fault(call: Any) -> Diagnostic | None:
    """A regular expression that is written out and is none."""
    if call.name not in _PATTERNED or not call.args or not isinstance(call, nodes.Filter):
        return None
    pattern = call.args[0]
    if isinstance(pattern, nodes.Const) and isinstance(pattern.value, str):
        try:
            re.compile(pattern.value)
        except re.error as error:
            message = f"{pattern.value!r} is no regular expression: {error}"
            hint = "a mark that is meant as itself needs a backslash; in an expression, two"
            return Diagnostic("FC110", message, None, hint)
    return None


@lru_cache(maxsize=4096)
def _misfit(
    env: jinja2.Environment, kind: str, name: str, count: int, keys: tuple[str, ...]
) -> Diagnostic | None:
    """Arguments that a filter or test does not take."""
    known = env.filters if kind == "filter" else env.tests
    function = inspect.unwrap(cast(Callable[..., Any], known[name]))
    try:
        signature = inspect.signature(function)
    except ValueError:  # of a builtin that does not tell
        return None
    own = 1 + (getattr(function, "jinja_pass_arg", None) is not None)
    try:
        signature.bind(*[None] * (own + count), **dict.fromkeys(keys))
    except TypeError:
        takes = [str(p).partition(":")[0] for p in [*signature.parameters.values()][own:]]
        said = f"takes ({', '.join(takes)})" if takes else "takes no arguments"
        given = f"{count + len(keys)} {'is' if count + len(keys) == 1 else 'are'} given"
        return Diagnostic("FC226", f"the {kind} {name!r} {said}, and {given}", None)
    return None


def faulty(found: Found, text: str, functions: Collection[str]) -> TextError:
    """All faults of a text's calls; those of one word lie at its places in turn."""
    places, seen = [], Counter[str]()
    for _, node in found:
        is_call = isinstance(node, nodes.Filter | nodes.Test)
        word = node.name if is_call else type(node).__name__.lower()  # type: ignore[attr-defined]
        word = {"fromimport": "from"}.get(word, word)
        part: Part = "tag" if not is_call else "filter" if type(node) is nodes.Filter else "test"
        starts = occurrences(text, word, part) or [0]
        in_line = [s for s in starts if text.count("\n", 0, s) + 1 == node.lineno]
        at = in_line or starts
        seen[f"{word} {node.lineno}"] += 1
        turn = seen[f"{word} {node.lineno}"] - 1
        places.append((at[min(turn, len(at) - 1)], len(word)))
    order = sorted(range(len(found)), key=lambda i: places[i])
    names = {w.text for w in words(text) if w.part == "name"}.difference(functions)
    return TextError([found[i][0] for i in order], [places[i] for i in order], frozenset(names))


_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set", "endset", "with", "endwith",
         "macro", "endmacro", "call", "endcall", "filter", "endfilter", "raw", "endraw", "block",
         "endblock")  # fmt: skip


def syntax_error(error: jinja2.TemplateSyntaxError, text: str) -> TextError:
    """FC103 at its line, or at the tag that is not known."""
    lines = text.split("\n")
    number = min(error.lineno, len(lines))
    shown = lines[number - 1].strip()
    start = sum(len(line) + 1 for line in lines[: number - 1]) + lines[number - 1].find(shown)
    place = (start, len(shown))
    shown = shown if len(shown) < 60 else shown[:57] + "..."
    message = f"not a Jinja text: {error.message}, in {shown!r}"
    hint = None
    said = str(error.message)
    unknown = re.search(r"unknown tag '(\w+)'", said)
    if unknown is not None and unknown[1] not in _TAGS:
        message = f"not a Jinja text: there is no tag {unknown[1]!r}"
        hint = nearest(unknown[1], _TAGS) or f"tags: {', '.join(_TAGS[:8])}"
        place = next(((s, len(unknown[1])) for s in occurrences(text, unknown[1], "tag")), place)
    elif open_tag := re.search(r"needs to be closed is '(\w+)'", said):
        message = f"not a Jinja text: {open_tag[1]!r} is never closed"
        if unknown is not None:
            message = f"not a Jinja text: {open_tag[1]!r} is not closed before {unknown[1]!r}"
        hint = f"close it with {{% end{open_tag[1]} %}}"
    elif "end of print statement" in said:
        hint = "close a slot with }} before the next one begins"
    return TextError([Diagnostic("FC103", message, None, hint)], [place])

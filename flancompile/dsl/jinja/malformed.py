"""Diagnose texts that do not compile: syntax, unknown filters and tests, wrong arguments."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, cast

import jinja2
from jinja2 import nodes

from flancompile.dsl.jinja.places import occurrences
from flancompile.dsl.jinja.tokens import Part, words
from flancompile.errors import Diagnostic, TextError, nearest

__all__ = ["filter_call_diagnostics", "syntax_error", "text_error"]

Found = list[tuple[Diagnostic, nodes.Node]]

_PATTERNED = ("matches", "regex_findall", "regex_replace", "regex_search")
_NAMING = {
    "map": 0,
    "reject": 0,
    "rejectattr": 1,
    "select": 0,
    "selectattr": 1,
}  # index of the argument that names a filter or test
_OF_FILES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


def filter_call_diagnostics(env: jinja2.Environment, tree: nodes.Template) -> Found:
    """Find unknown filters and tests, wrong arguments, and statements that include files."""
    found: Found = []
    for node in tree.find_all((nodes.Filter, nodes.Test, *_OF_FILES)):
        if (diagnostic := _filter_call_diagnostic(env, node)) is not None:
            found.append((diagnostic, node))
        elif isinstance(node, nodes.Filter) and node.name in _NAMING:
            found += _callee_diagnostics(env, node)
    return found


def _filter_call_diagnostic(env: jinja2.Environment, node: nodes.Node) -> Diagnostic | None:
    """Diagnose one filter or test call, or a statement that includes a file."""
    if isinstance(node, _OF_FILES):
        tag = "import" if isinstance(node, nodes.FromImport) else type(node).__name__.lower()
        hint = "copy its text here"
        return Diagnostic(
            "FC103", f"{tag!r} reads another file; a text cannot include files", None, hint
        )
    call = cast(Any, node)
    kind = "filter" if isinstance(node, nodes.Filter) else "test"
    if (unknown := _unknown(env, kind, call.name)) is not None:
        return unknown
    if call.dyn_args is not None or call.dyn_kwargs is not None:
        return None
    keys = tuple(k.key for k in call.kwargs)
    diagnostic = _argument_diagnostic(env, kind, call.name, len(call.args), keys)
    return diagnostic or _pattern_diagnostic(call.name, call.args) or _special_diagnostic(node)


def _special_diagnostic(node: nodes.Node) -> Diagnostic | None:
    """FC114 for a special token that is not a literal, since data would choose it."""
    if not isinstance(node, nodes.Filter) or node.name != "special":
        return None
    if isinstance(node.node, nodes.Const) and isinstance(node.node.value, str):
        return None
    message = "`special` takes only a text in quotes, so that no row can choose a special token"
    return Diagnostic("FC114", message, None, 'write it directly: {{ "<|im_start|>" | special }}')


def _callee_diagnostics(env: jinja2.Environment, call: nodes.Filter) -> Found:
    """Diagnose the filter or test that `map`, `select` and similar filters call by name."""
    place = _NAMING[call.name]
    named = call.args[place] if place < len(call.args) else None
    if not isinstance(named, nodes.Const) or not isinstance(named.value, str):
        return []
    kind, rest = "filter" if call.name == "map" else "test", call.args[place + 1 :]
    diagnostic = _unknown(env, kind, named.value, call.name)
    if diagnostic is None and named.value == "special":
        message = f"{call.name} cannot call `special`: data would choose a special token"
        diagnostic = Diagnostic("FC114", message, None, 'write it directly: {{ "<s>" | special }}')
    if diagnostic is None and call.dyn_args is None and call.dyn_kwargs is None:
        keys = tuple(k.key for k in call.kwargs)
        diagnostic = _argument_diagnostic(env, kind, named.value, len(rest), keys)
        diagnostic = diagnostic or _pattern_diagnostic(named.value, rest)
    return [] if diagnostic is None else [(diagnostic, named)]


def _unknown(
    env: jinja2.Environment, kind: str, name: str, caller: str | None = None
) -> Diagnostic | None:
    """FC104 for an unknown filter or test. caller: the filter that calls it by name."""
    known, others = (env.filters, env.tests) if kind == "filter" else (env.tests, env.filters)
    if name in known:
        return None
    hint = nearest(name, known)
    if name in others and caller is not None:
        other = "test" if kind == "filter" else "filter"
        hint = f"{name!r} is a {other}, and {caller} calls a {kind}"
    return Diagnostic("FC104", f"there is no {kind} {name!r}", None, hint)


def _pattern_diagnostic(name: str, args: list[nodes.Expr]) -> Diagnostic | None:
    """FC110 for a literal pattern that is not a valid regular expression."""
    if name not in _PATTERNED or not args:
        return None
    pattern = args[0]
    if isinstance(pattern, nodes.Const) and isinstance(pattern.value, str):
        try:
            re.compile(pattern.value)
        except re.error as error:
            message = f"{pattern.value!r} is no regular expression: {error}"
            hint = "escape literal punctuation with a backslash (two in an expression)"
            return Diagnostic("FC110", message, None, hint)
    return None


@lru_cache(maxsize=4096)
def _argument_diagnostic(
    env: jinja2.Environment, kind: str, name: str, count: int, keys: tuple[str, ...]
) -> Diagnostic | None:
    """FC226 for arguments that a filter or test does not accept."""
    known = env.filters if kind == "filter" else env.tests
    function = inspect.unwrap(cast(Callable[..., Any], known[name]))
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin without a signature
        return None
    own = 1 + (getattr(function, "jinja_pass_arg", None) is not None)
    try:
        signature.bind(*[None] * (own + count), **dict.fromkeys(keys))
    except TypeError:
        parameters = [str(p).partition(":")[0] for p in [*signature.parameters.values()][own:]]
        accepts = f"takes ({', '.join(parameters)})" if parameters else "takes no arguments"
        given = f"{count + len(keys)} {'is' if count + len(keys) == 1 else 'are'} given"
        return Diagnostic("FC226", f"the {kind} {name!r} {accepts}, and {given}", None)
    return None


def text_error(found: Found, text: str, functions: Collection[str]) -> TextError:
    """All diagnostics of calls as one error; those of one word take its occurrences in order."""
    places, seen = [], Counter[str]()
    for _, node in found:
        word, part = _word_of(node)
        starts = occurrences(text, word, part) or [0]
        in_line = [s for s in starts if text.count("\n", 0, s) + 1 == node.lineno]
        at = in_line or starts
        seen[f"{word} {node.lineno}"] += 1
        turn = seen[f"{word} {node.lineno}"] - 1
        places.append((at[min(turn, len(at) - 1)], len(word)))
    order = sorted(range(len(found)), key=lambda i: places[i])
    names = {w.text for w in words(text) if w.part == "name"}.difference(functions)
    return TextError([found[i][0] for i in order], [places[i] for i in order], frozenset(names))


def _word_of(node: nodes.Node) -> tuple[str, Part]:
    """The word that a diagnostic of a node underlines, and its part of speech."""
    if isinstance(node, nodes.Const):
        return str(node.value), "text"
    if isinstance(node, nodes.Filter | nodes.Test):
        return node.name, "filter" if isinstance(node, nodes.Filter) else "test"
    tag = type(node).__name__.lower()
    return {"fromimport": "from"}.get(tag, tag), "tag"


_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set", "endset", "with", "endwith",
         "macro", "endmacro", "call", "endcall", "filter", "endfilter", "raw", "endraw", "block",
         "endblock")  # fmt: skip


def syntax_error(error: jinja2.TemplateSyntaxError, text: str) -> TextError:
    """FC103 at the line of the error, or at its unknown tag."""
    lines = text.split("\n")
    number = min(error.lineno, len(lines))
    excerpt = lines[number - 1].strip()
    start = sum(len(line) + 1 for line in lines[: number - 1]) + lines[number - 1].find(excerpt)
    place = (start, len(excerpt))
    excerpt = excerpt if len(excerpt) < 60 else excerpt[:57] + "..."
    message = f"not a Jinja text: {error.message}, in {excerpt!r}"
    hint = None
    reason = str(error.message)
    unknown = re.search(r"unknown tag '(\w+)'", reason)
    if unknown is not None and unknown[1] not in _TAGS:
        message = f"not a Jinja text: there is no tag {unknown[1]!r}"
        hint = nearest(unknown[1], _TAGS) or f"tags: {', '.join(_TAGS[:8])}"
        place = next(((s, len(unknown[1])) for s in occurrences(text, unknown[1], "tag")), place)
    elif open_tag := re.search(r"needs to be closed is '(\w+)'", reason):
        message = f"not a Jinja text: {open_tag[1]!r} is never closed"
        if unknown is not None:
            message = f"not a Jinja text: {open_tag[1]!r} is not closed before {unknown[1]!r}"
        hint = f"close it with {{% end{open_tag[1]} %}}"
    elif "end of print statement" in reason:
        hint = "close a slot with }} before the next one begins"
    return TextError([Diagnostic("FC103", message, None, hint)], [place])

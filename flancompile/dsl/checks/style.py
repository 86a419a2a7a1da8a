"""Static checks of option styles and layouts; spans and hints for all static checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pydantic import BaseModel

from flancompile.dsl.checks.template_texts import single_braces
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.jinja.text_diagnostic import TextDiagnostic
from flancompile.dsl.library.library import Library
from flancompile.dsl.models.style import ChatStyle, ShotsStyle, draws
from flancompile.dsl.yaml.document import Document, Key
from flancompile.errors import Diagnostic, TextError, nearest

__all__ = [
    "check_styles",
    "located",
    "located_errors",
    "name_hint",
    "style_names",
    "unknown_styles",
]

_OPTION_NAMES = {"n", "letter", "LETTER", "roman"}
_STYLE_NAMES: dict[str, set[str]] = {
    "label": _OPTION_NAMES,
    "item": {*_OPTION_NAMES, "label", "text"},
    "gold": {*_OPTION_NAMES, "label", "text"},
    "exemplar": {"n", "input", "target", "explanation", "instruction"},
    "query": {"n", "input", "instruction"},
    "zero": {"input", "instruction"},
}
_COUNT_NAMES = {"options": {"count"}, "shots": {"count", "instruction"}, "chat": {"text", "n"}}
_PLAIN = ("when", "separator", "between")  # no Jinja
_SLOT = re.compile(r"\{\{-?\s*text\b.*?\}\}", re.DOTALL)


def located_errors(document: Document, key: Key, error: TextError) -> list[Diagnostic]:
    """Diagnostics of a text that does not compile, each with its span in the file."""
    return [
        replace(d, span=document.spot(key, start, length) if length else document.span(key))
        for d, (start, length) in zip(error.diagnostics, error.places, strict=True)
    ]


def located(
    document: Document, key: Key, diagnostics: Iterable[TextDiagnostic]
) -> Iterator[Diagnostic]:
    """Diagnostics of the text at `key`, each with its span in the file."""
    for one in diagnostics:
        if one.at is not None:
            span = document.spot(key, one.at, len(one.word or " "))
        else:
            span = document.place(key, one.line, one.word)
        yield Diagnostic(one.code, one.message, span, one.hint, one.severity)


def name_hint(name: str, known: Iterable[str]) -> str | None:
    """Hint with the nearest known name, or with all known names."""
    names = sorted(known)
    return nearest(name, names) or (f"known here: {', '.join(names)}" if names else None)


def style_names(kind: str, text: str) -> set[str]:
    """Names that a text of a style may use. kind: `options`, `shots` or `chat`."""
    return _STYLE_NAMES.get(text, _COUNT_NAMES[kind])


def check_styles(library: Library, document: Document) -> Iterator[Diagnostic]:
    """Check the styles of one file."""
    for kind, table in library.styles.items():
        for id_ in document.data.get(kind) or {}:
            if id_ in table:
                yield from _check_style(document, (kind, id_), table[id_])


def unknown_styles(
    library: Library,
    document: Document,
    place: Key,
    given: BaseModel,
    besides: tuple[str, str] | None = None,
) -> Iterator[Diagnostic]:
    """FC411 for each pattern that matches no style. besides: a kind and a word that is no style."""
    for kind, table in library.styles.items():
        for index, pattern in enumerate(getattr(given, kind, None) or ()):
            if (kind, pattern) != besides and not any(
                draws(pattern, i, s) for i, s in table.items()
            ):
                span = document.span((*place, kind, index))
                message = f"no {kind} style matches {pattern!r}"
                yield Diagnostic("FC411", message, span, name_hint(pattern, table))


def _check_style(document: Document, key: Key, style: BaseModel) -> Iterator[Diagnostic]:
    broken, misspelt = False, set[str]()  # a missing slot may be a misspelt one
    for name in type(style).model_fields:
        text = getattr(style, name)
        known = style_names(str(key[0]), name)
        is_plain = name in _PLAIN or (name == "opening" and isinstance(style, ChatStyle))
        if not isinstance(text, str) or is_plain:
            continue
        try:
            used = compile_template(text).names
        except TextError as error:
            yield from located_errors(document, (*key, name), error)
            broken, used = True, error.names or frozenset()
        for extra in sorted(used - known):
            for span in document.every((*key, name), extra, "name"):
                hint = name_hint(extra, known)
                yield Diagnostic("FC202", f"there is no {extra!r} here", span, hint)
                misspelt.add(name)
        for placeholder in located(document, (*key, name), single_braces(text, known)):
            yield placeholder
            misspelt.add(name)
    if broken:
        return
    if isinstance(style, ChatStyle):
        yield from _check_roles(document, key, style, misspelt)
    elif isinstance(style, ShotsStyle):
        yield from _check_slots(document, key, style, misspelt)


def _check_roles(
    document: Document, key: Key, style: ChatStyle, misspelt: set[str]
) -> Iterator[Diagnostic]:
    """FC209 unless each role has one slot outside blocks; the loss span starts at that slot."""
    for role in sorted({"system", "user", "assistant", "tool"} - misspelt):
        text = getattr(style, role)
        slots = len(_SLOT.findall(text))
        if slots > 1 or "{%" in text or (slots == 0 and "{{" not in text):
            message = f"{role} of the layout {key[1]!r} needs one {{{{ text }}}} outside of blocks"
            yield Diagnostic("FC209", message, document.span((*key, role)))
    if re.search(r"[ \t]\{\{-?\s*text", style.assistant):
        message = f"assistant of the layout {key[1]!r} has a space before its loss span"
        hint = "tokenizers join a space to the next word; end in a newline or a punctuation mark"
        yield Diagnostic("FC216", message, document.span((*key, "assistant")), hint, "warning")


def _check_slots(
    document: Document, key: Key, style: ShotsStyle, misspelt: set[str]
) -> Iterator[Diagnostic]:
    slots: Mapping[str, tuple[str, ...]] = {
        "exemplar": ("input", "target"),
        "query": ("input",),
        "zero": ("input",),
    }
    for name, needed in slots.items():
        names = compile_template(getattr(style, name)).names
        for slot in needed:
            if slot not in names and name not in misspelt:
                message = f"{name} of the layout {key[1]!r} has no {{{{ {slot} }}}}"
                yield Diagnostic("FC209", message, document.span((*key, name)))
    few = [compile_template(getattr(style, n)).names for n in ("opening", "exemplar", "query")]
    instructed = sum("instruction" in names for names in few)
    if (
        instructed != 1
        and style.when != "zero"
        and misspelt.isdisjoint(("opening", "exemplar", "query"))
    ):
        message = f"the layout {key[1]!r} shows the instruction {instructed} times with exemplars"
        hint = "put {{ instruction }} in exactly one of opening, exemplar and query"
        yield Diagnostic("FC209", message, document.span(key, of_key=True), hint)
    if "instruction" not in compile_template(style.zero).names and not (
        style.when == "few" or "zero" in misspelt
    ):
        message = f"zero of the layout {key[1]!r} does not show the instruction"
        yield Diagnostic("FC209", message, document.span(key, of_key=True))

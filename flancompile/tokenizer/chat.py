"""Chat templates: Jinja over messages, rendered as `transformers` renders them.

Source: `tokenizer_config.json` and `chat_template.jinja` of transformers. A sandbox with
`trim_blocks` and `lstrip_blocks`, `raise_exception`, loop controls, and `{% generation %}` around
the assistant's turns. `strftime_now` is missing on purpose: a text is a function of its messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flancompile.marks import marked
from flancompile.plain_errors import plain_message

__all__ = ["CHAT_FILES", "ChatTemplate", "ChatTemplateError", "chat_beside"]

CHAT_FILES = ("chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json")
_SHIELD = "\ufdd2"  # a noncharacter
_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")


class ChatTemplateError(ValueError):
    """The template does not compile, or raises an error for the messages."""


class _Generation(Extension):
    """Jinja tag `{% generation %}`: renders its body unchanged."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Parse the tag to the nodes of its body."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> str:
    raise ChatTemplateError(message)


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


@lru_cache(maxsize=16)
def _compiled(text: str) -> jinja2.Template:
    extensions: list[Any] = [_Generation, "jinja2.ext.loopcontrols"]
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    env.filters["tojson"] = _tojson
    env.globals["raise_exception"] = _raise_exception
    try:
        return env.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ChatTemplateError(f"line {error.lineno}: {error.message}") from None


@lru_cache(maxsize=64)
def _any_of(special: tuple[str, ...]) -> re.Pattern[str]:
    """Pattern that matches any of the texts; `special` has the longest first."""
    return re.compile("|".join(map(re.escape, special)))


def _shielded(value: Any, special: tuple[str, ...]) -> Any:
    """A message whose texts have `_SHIELD` inserted into each special token that they contain."""
    if isinstance(value, str):
        text = value.replace(_SHIELD, "\ufffd")
        return (
            _any_of(special).sub(lambda m: m[0][0] + _SHIELD + m[0][1:], text) if special else text
        )
    if isinstance(value, Mapping):
        return {k: _shielded(v, special) for k, v in value.items()}
    return [_shielded(v, special) for v in value] if isinstance(value, list | tuple) else value


def _marked(text: str, special: tuple[str, ...]) -> str:
    if special:
        text = _any_of(special).sub(lambda m: marked(m[0]), text)
    return text.replace(_SHIELD, "")


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template with the texts of its special-token variables (`bos_token`, ...).

    special: texts of special tokens, longest first. Rendering marks them (`special.py`) where the
    template writes them, and leaves them as text within a message.
    """

    text: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    special: tuple[str, ...] = ()

    def check(self) -> None:
        """Compile the template. Raises ChatTemplateError for a syntax error."""
        _compiled(self.text)

    def render(self, messages: Sequence[Mapping[str, str]], *, generate: bool = False) -> str:
        """Render messages to one text.

        messages: {role, content} each; generate: append the header of the assistant's next turn.
        Raises ChatTemplateError if the template raises an error.
        """
        return self.joined(self.parts(messages, generate=generate))

    def joined(self, parts: Sequence[str]) -> str:
        """Join the output of `parts` to one text with marked special tokens."""
        return _marked("".join(parts), self.special)

    def parts(self, messages: Sequence[Mapping[str, str]], *, generate: bool = False) -> list[str]:
        """Output of each statement of the template, in order; see `joined` and `render`."""
        shielded = [_shielded(dict(m), self.special) for m in messages]
        names = {"messages": shielded, "tools": None, "documents": None}
        template = _compiled(self.text)
        try:
            return list(template.generate(**names, add_generation_prompt=generate, **self.tokens))
        except ChatTemplateError:
            raise
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise ChatTemplateError(plain_message(error)) from None

    def as_json(self) -> dict[str, Any]:
        """Template and tokens as JSON-ready data."""
        return {"text": self.text, "tokens": dict(self.tokens)}


def chat_beside(folder: Path) -> ChatTemplate | None:
    """Chat template in a tokenizer's folder, or None. Raises ValueError for invalid JSON."""
    jinja, *configs = (folder / name for name in CHAT_FILES)
    config: dict[str, Any] = {}
    for path in reversed(configs):
        if path.is_file():
            try:
                given = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path.name}: not JSON: {error}") from None
            config |= given if isinstance(given, dict) else {}
    text = config.get("chat_template")
    if isinstance(text, list):  # several by name
        named = {t.get("name"): t.get("template") for t in text if isinstance(t, dict)}
        text = named.get("default")
    if jinja.is_file():
        text = jinja.read_text(encoding="utf-8")
    return ChatTemplate(text, token_texts(config)) if isinstance(text, str) else None


def token_texts(config: Mapping[str, Any]) -> dict[str, str]:
    """Texts of the special tokens of a tokenizer_config.json, by key: `bos_token`, ..."""
    found = {}
    for name in _TOKENS:
        token = config.get(name)
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            found[name] = text
    return found

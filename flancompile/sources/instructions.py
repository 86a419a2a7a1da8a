"""Natural Instructions task files: v2, its early form, and v1, as rows of one kind.

Each instance is a row with its task's `definition` and examples. The forms differ: v2 has lists
where early v2 has texts; v1 has `Examples`, `reason` and `suggestion`, and its definition goes with
a prompt and cautions. Source of the forms: allenai/natural-instructions (Apache-2.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flancompile.errors import fail
from flancompile.sources.streams import bare_name, open_text

__all__ = ["instruction_rows"]

_EMPTY = {"", "-", "n/a", "none"}


def instruction_rows(path: Path, encoding: str) -> Iterator[dict[str, Any]]:
    """The instances of one task file.

    Columns: id, task, definition, prompt, caution, avoid (texts), input, outputs (list of texts),
    positive and negative (lists of {input, output, explanation, suggestion}), categories, sources,
    domains, input_language, output_language (lists of texts). Raises FC304 for other JSON.
    """
    with open_text(path, encoding, "strict", "\n") as text:
        try:
            about = json.load(text)
        except ValueError as error:
            raise fail("FC304", f"{path}: not JSON: {error}") from None
    if not isinstance(about, dict) or not isinstance(about.get("Instances"), list):
        raise fail("FC304", f"{path}: no Natural Instructions task: there are no `Instances`")
    name = bare_name(path)
    examples = about.get("Examples")
    examples = examples if isinstance(examples, dict) else about
    shared = {
        "task_name": name,
        "title": _said(about.get("Title")),
        "definition": _said(about.get("Definition")),
        "prompt": _said(about.get("Prompt")),
        "caution": _said(about.get("Emphasis & Caution")),
        "avoid": _said(about.get("Things to Avoid")),
        "positive": [_example(e) for e in _listed(examples.get("Positive Examples")) if _whole(e)],
        "negative": [_example(e) for e in _listed(examples.get("Negative Examples")) if _whole(e)],
        "categories": _texts(about.get("Categories")),
        "sources": _texts(about.get("Source")),
        "domains": _texts(about.get("Domains")),
        "input_language": _texts(about.get("Input_language")),
        "output_language": _texts(about.get("Output_language")),
    }
    for number, instance in enumerate(about["Instances"]):
        if not isinstance(instance, Mapping) or not {"input", "output"} <= set(instance):
            raise fail("FC304", f"{path}: instance {number} has no `input` and `output`")
        yield {
            **shared,
            "id": str(instance.get("id") or f"{name}-{number}"),
            "input": _text(instance["input"]),
            "outputs": _texts(instance["output"]),
        }


def _whole(example: Any) -> bool:
    return isinstance(example, Mapping) and {"input", "output"} <= set(example)


def _example(example: Mapping[str, Any]) -> dict[str, str]:
    """An example in v2's words: v1 says `reason` for `explanation`."""
    explanation = example.get("explanation", example.get("reason"))
    return {
        "input": _text(example["input"]),
        "output": _text(example["output"]),
        "explanation": _said(explanation),
        "suggestion": _said(example.get("suggestion")),
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> list[str]:
    return [str(item) for item in _listed(value)]


def _text(value: Any) -> str:
    """One text; of a list its first."""
    return next(iter(_texts(value)), "")


def _said(value: Any) -> str:
    """A remark about the task; one that only says that there is none is empty."""
    text = _text(value).strip()
    return "" if text.lower() in _EMPTY else text

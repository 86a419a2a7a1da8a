"""Read Natural Instructions task files (v2, early v2 and v1) as rows with the same columns.

Each instance is a row with its task's `definition` and examples. The versions differ: v2 has lists
for the texts of early v2; v1 has `Examples`, `reason` and `suggestion`, and a prompt and cautions
beside its definition. Source of the formats: allenai/natural-instructions (Apache-2.0).
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
            task_file = json.load(text)
        except ValueError as error:
            raise fail("FC304", f"{path}: not JSON: {error}") from None
    if not isinstance(task_file, dict) or not isinstance(task_file.get("Instances"), list):
        raise fail("FC304", f"{path}: not a Natural Instructions task: `Instances` is missing")
    name = bare_name(path)
    examples = task_file.get("Examples")
    examples = examples if isinstance(examples, dict) else task_file
    shared = {
        "task_name": name,
        "title": _remark(task_file.get("Title")),
        "definition": _remark(task_file.get("Definition")),
        "prompt": _remark(task_file.get("Prompt")),
        "caution": _remark(task_file.get("Emphasis & Caution")),
        "avoid": _remark(task_file.get("Things to Avoid")),
        "positive": [_example(e) for e in _listed(examples.get("Positive Examples")) if _whole(e)],
        "negative": [_example(e) for e in _listed(examples.get("Negative Examples")) if _whole(e)],
        "categories": _texts(task_file.get("Categories")),
        "sources": _texts(task_file.get("Source")),
        "domains": _texts(task_file.get("Domains")),
        "input_language": _texts(task_file.get("Input_language")),
        "output_language": _texts(task_file.get("Output_language")),
    }
    for number, instance in enumerate(task_file["Instances"]):
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
    """An example with the keys of v2: `reason` of v1 becomes `explanation`."""
    explanation = example.get("explanation", example.get("reason"))
    return {
        "input": _text(example["input"]),
        "output": _text(example["output"]),
        "explanation": _remark(explanation),
        "suggestion": _remark(example.get("suggestion")),
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> list[str]:
    return [str(item) for item in _listed(value)]


def _text(value: Any) -> str:
    """A text, or the first of a list."""
    return next(iter(_texts(value)), "")


def _remark(value: Any) -> str:
    """A remark about the task; `-`, `n/a` and `none` become empty."""
    text = _text(value).strip()
    return "" if text.lower() in _EMPTY else text

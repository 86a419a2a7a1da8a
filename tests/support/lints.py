"""A dataset of given rows in a library of its own, linted on all of them."""

from pathlib import Path
from typing import Any

from toys import Library

from flancompile.errors import Diagnostic
from flancompile.lint.data import check_rows
from flancompile.lint.reading import Reading

__all__ = ["ALL", "about", "linted", "task"]

ALL = Reading(rows=None, write_lock=False)


def task(input_: str = "{{ q }}", target: str = "{{ a }}", **more: Any) -> dict[str, Any]:
    """A task with one template, `t`; further keys are the task's."""
    template = {"name": "t", "input": input_, "target": target, **more.pop("template", {})}
    return {"signature": "q -> a", "templates": [template], **more}


def linted(
    root: Path,
    rows: dict[str, list[dict[str, Any]]] | list[dict[str, Any]] | str,
    given: dict[str, Any],
    reading: Reading = ALL,
    **dataset: Any,
) -> list[Diagnostic]:
    """Diagnostics of the task `d/qa` over the columns q and a.

    rows: of the split `train`, or of each split; a text is the file itself.
    """
    library, files = Library(root), {}
    for split, items in (rows if isinstance(rows, dict) else {"train": rows}).items():
        files[split] = f"{split}.jsonl"
        library.write(f"datasets/{split}.jsonl", items)
    source = {"files": files, "id": "id", **dataset.pop("source", {})}
    made = {"source": source, "fields": {"q": "q", "a": "a"}, "tasks": {"qa": given}, **dataset}
    library.write("datasets/d.yaml", made)
    return check_rows([root], None, reading)


def about(found: list[Diagnostic], code: str) -> list[str]:
    """Messages of the diagnostics with a code, without the task's name."""
    return [d.message.removeprefix("d/qa: ") for d in found if d.code == code]

"""Dataset files that are checked without a library, and the texts at their diagnostics."""

from collections.abc import Iterable
from typing import Any

import yaml

from flancompile.dsl.checks.dataset import check_dataset
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.library.memo import Memo
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.validate import validate
from flancompile.errors import Diagnostic

__all__ = ["checked", "file_of", "loaded", "marked"]


def file_of(
    task: dict[str, Any] | None = None, template: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A dataset with the fields q, a and t, and a task `qa` of one template `t`."""
    one = {"name": "t", "input": "{{ q }}", "target": "{{ a }}", **(template or {})}
    qa = {"signature": "q -> a", "templates": [one], **(task or {})}
    fields = {"q": "q", "a": "a", "t": "t"}
    return {"source": {"files": "d.jsonl"}, "fields": fields, "tasks": {"qa": qa}, **more}


def loaded(given: dict[str, Any]) -> Loaded[DatasetFile]:
    """A dataset file as it is written by PyYAML."""
    document = parse(
        yaml.safe_dump(given, sort_keys=False, width=200, allow_unicode=True), "d.yaml"
    )
    return Loaded("d", validate(DatasetFile, document), document)


def checked(given: dict[str, Any]) -> list[tuple[str, str]]:
    """(code, marked text) of each diagnostic of a dataset file."""
    dataset = loaded(given)
    return marked(dataset, check_dataset(dataset, Memo()))


def marked(dataset: Loaded[DatasetFile], found: Iterable[Diagnostic]) -> list[tuple[str, str]]:
    """(code, marked text) of diagnostics; a text without its quotes."""
    lines = dataset.document.text.splitlines()
    texts = []
    for one in found:
        span = one.span
        assert span is not None and span.path == "d.yaml", one
        end = span.end_column - 1 if span.line == span.end_line else None
        texts.append((one.code, lines[span.line - 1][span.column - 1 : end].strip("'")))
    return texts

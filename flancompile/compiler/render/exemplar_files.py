"""Read a task's fixed exemplar file, by the readers of data files or as a YAML list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.yaml import document as yaml
from flancompile.errors import fail, nearest
from flancompile.sources.files import format_of, read_rows
from flancompile.sources.place import named_path
from flancompile.sources.rows import BadRow
from flancompile.sources.scalars import plain

__all__ = ["exemplar_items", "exemplar_name", "exemplar_path"]

_YAML = (".yaml", ".yml")


def exemplar_name(task: TaskDef) -> str:
    """Name of a task's exemplar file, with the variable of `for_each` filled in.

    Raises FC202 for another variable.
    """
    variable = {} if task.variable is None else {task.variable[0]: task.variable[1]}
    return named_path(str(task.task.exemplars.file), variable, task.span("exemplars", "file"))


def exemplar_path(task: TaskDef) -> Path:
    """Path of a task's exemplar file.

    Raises FC301 if there is no such file, FC202 as `exemplar_name` does.
    """
    span = task.span("exemplars", "file")
    name = exemplar_name(task)
    path = task.dataset.folder / name
    if not path.is_file():
        folder = path.parent
        if not folder.is_dir():
            hint = f"there is no folder {folder.name!r} beside the dataset file"
        else:
            near = nearest(path.name, [p.name for p in folder.glob("*")])
            hint = near or f"looked in {folder}"
        raise fail("FC301", f"there is no exemplar file {name!r}", span=span, hint=hint)
    return path


def exemplar_items(task: TaskDef) -> list[Any]:
    """The rows, in the file's order; a row that cannot be read is an error.

    Raises FC301, FC303 and the errors of the readers.
    """
    path, span = exemplar_path(task), task.span("exemplars", "file")
    found = list(_items(task, path))
    if not found:
        raise fail("FC303", f"{path.name}: the file has no exemplars", span=span)
    return found


def _items(task: TaskDef, path: Path) -> Iterator[Any]:
    settings, span = task.task.exemplars, task.span("exemplars", "file")
    if path.suffix in _YAML and settings.format is None:
        items = yaml.read(path).data
        if not isinstance(items, list):
            message = f"{path.name}: a YAML file of exemplars must be a list of rows"
            raise fail("FC303", message, span=span, hint="begin each row with `- `")
        yield from map(plain, items)
        return
    for row in read_rows(path, format_of(path, settings.format), settings.read):
        if isinstance(row, BadRow):
            hint = "correct the row: fixed exemplars are shown as they are"
            raise fail("FC303", f"{path.name}: {row.reason} ({row.where})", span=span, hint=hint)
        yield row

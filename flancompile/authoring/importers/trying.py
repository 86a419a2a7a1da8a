"""Render imported templates on local rows: report whether each renders on any of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flancompile.authoring.importers.imported import Imported
from flancompile.authoring.preview import PreviewSettings, preview
from flancompile.compiler.request import CompileRequest, bare_request
from flancompile.dsl.library.library import TaskDef
from flancompile.errors import FlancompileError

__all__ = ["RENDERS", "try_out"]

RENDERS = "renders"
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


def try_out(imported: Sequence[Imported], out: Path) -> dict[str, str]:
    """A verdict on each template with local rows, by task and name.

    The network is not used; a template without local rows has no verdict.
    """
    try:
        request = bare_request((out,), None)
    except FlancompileError as error:
        return {str(out): f"not tried: {error.diagnostics[0].message}"}
    ids = {one.id for one in imported}
    tasks = [t for t in request.tasks.values() if t.dataset.id in ids and _is_here(t)]
    found: dict[str, str] = {}
    with _offline():
        for task in tasks:
            for template in task.task.templates:
                if (verdict := _verdict(request, task, template.name)) is not None:
                    found[f"{task.id}/{template.name}"] = verdict
    return found


def _verdict(request: CompileRequest, task: TaskDef, template: str) -> str | None:
    """Whether a template renders on the first split with rows; None without such a split."""
    evaluation = task.task.eval
    settings = PreviewSettings(template=template, count=1)
    source = task.dataset.model.source
    names = [*(source.files if isinstance(source.files, dict) else source.splits or ())]
    first = evaluation.split if evaluation is not None else None
    for split in sorted(names or ["train"], key=lambda name: name != first):
        try:
            examples, reasons = preview(request, task, split, settings)
        except FlancompileError:
            continue
        if examples:
            return RENDERS
        if reasons:
            why, count = max(reasons.items(), key=lambda item: item[1])
            return f"renders none of {sum(reasons.values()):,} rows; in {count:,}: {why}"
    return None


def _is_here(task: TaskDef) -> bool:
    """Whether a task's data may be on this machine: as files, or in the Hub's cache."""
    source = task.dataset.model.source
    if source.hub is None or Path(source.hub).is_dir():
        return True
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    datasets = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    name = source.hub
    places = (datasets / name.replace("/", "___"), hub / f"datasets--{name.replace('/', '--')}")
    return any(place.is_dir() for place in places)


@contextmanager
def _offline() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

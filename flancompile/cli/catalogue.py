"""`flancompile catalogue`: a Markdown page about a library's datasets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from flancompile.cli.console import folders
from flancompile.compiler.cache import memo_of
from flancompile.dsl.library.library import Library, TaskDef, load_library
from flancompile.dsl.models.source import Source
from flancompile.errors import FlancompileError

__all__ = ["catalogue", "run"]

HEAD = (
    "| dataset | at | licence | categories (templates) | ladder | rows |\n|---|---|---|---|---|---|"
)


def run(library: list[Path], overlays: Sequence[str]) -> None:
    """Print the page."""
    loaded, found = load_library(folders(library), memo=memo_of(folders(library)))
    if found:
        raise FlancompileError(found)
    print(catalogue(loaded, overlays), end="")


def catalogue(library: Library, overlays: Sequence[str] = ()) -> str:
    """Markdown: each dataset by cluster, with its licence, categories, templates and ladder names.

    overlays: a dataset's rows are described by the first overlay that names it. Inverted
    categories are in italics.
    """
    chosen = {name: library.overlay(name).model for name in overlays}
    by_cluster: dict[str, dict[str, list[TaskDef]]] = {}
    for task in library.tasks().values():
        cluster = _cluster(library, task.dataset.id)
        by_cluster.setdefault(cluster, {}).setdefault(task.dataset.id, []).append(task)
    lines = ["# Catalogue", "", *_totals(library), ""]
    for cluster in sorted(by_cluster):
        lines += [f"## {cluster.replace('_', ' ')}", "", HEAD]
        for id_, tasks in sorted(by_cluster[cluster].items()):
            rows = next((n for n, o in chosen.items() if id_ in o.sources), "")
            lines.append(_row(id_, tasks, rows))
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _cluster(library: Library, dataset: str) -> str:
    """The cluster of most of a dataset's own tasks; the first where there is a draw."""
    given = [t.cluster or "other" for t in library.datasets[dataset].model.tasks.values()]
    return max(dict.fromkeys(given), key=given.count)


def _totals(library: Library) -> Iterator[str]:
    tasks = list(library.tasks().values())
    names = {n for t in tasks for n in t.rungs}
    templates = sum(
        len(t.templates) for d in library.datasets.values() for t in d.model.tasks.values()
    )
    yield (
        f"{len(library.datasets)} datasets, {len(tasks)} tasks, {templates:,} templates, "
        f"{len(library.option_styles)} option styles, {len(library.shots_styles)} few-shot "
        f"layouts; {len(names)} names of the ladder. Inverted categories are in italics. Made by "
        "`flancompile catalogue`."
    )


def _row(id_: str, tasks: Sequence[TaskDef], rows: str) -> str:
    source = tasks[0].dataset.model.source
    categories: dict[str, str] = {}
    for task in tasks:
        name = f"*{task.category}*" if task.task.inverted else task.category
        cot = sum(t.cot for t in task.task.templates)
        of_cot = f", {cot} step by step" if cot else ""
        categories[task.category] = f"{name} ({len(task.task.templates)}{of_cot})"
    names = dict.fromkeys(n for t in tasks for n in t.rungs)
    cells = (
        id_, _place(source), source.license or "", ", ".join(categories.values()),
        ", ".join(names), rows,
    )  # fmt: skip
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def _place(source: Source) -> str:
    if source.hub is None:
        return "files"
    config = f" `{source.config}`" if source.config else ""
    return f"`{source.hub}`{config}"

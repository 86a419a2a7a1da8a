"""Libraries: folders of dataset files, mixtures, recipes, styles and overlays, loaded by id.

The bundled libraries are named `flan` and `demo`; a user's folder has the same layout. The styles
of `flan` are always loaded first; its tasks, mixtures and recipes are loaded only if it is named,
or if no library is, so that selectors of a user's library select the user's tasks. An id defined
twice is an error unless the later file has `overrides`.
"""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from flancompile.dsl.library.lock import Schema, read_lock
from flancompile.dsl.library.memo import Memo
from flancompile.dsl.models.mixture import Mixture, Recipe
from flancompile.dsl.models.source import Overlay
from flancompile.dsl.models.style import ChatStyle, OptionStyle, ShotsStyle, StyleFile
from flancompile.dsl.models.task import DatasetFile, Task, Variable
from flancompile.dsl.yaml import document as yaml
from flancompile.dsl.yaml.validate import validated
from flancompile.errors import Diagnostic, FlancompileError, Span, TextError, fail, nearest

__all__ = [
    "EMPTY", "KINDS", "Library", "Loaded", "TaskDef", "builtin_library", "demo_library",
    "library_folder", "load_library",
]  # fmt: skip

M = TypeVar("M", bound=BaseModel)
KINDS: dict[str, type[BaseModel]] = {
    "datasets": DatasetFile,
    "mixtures": Mixture,
    "recipes": Recipe,
    "styles": StyleFile,
    "overlays": Overlay,
}


EMPTY = "add its keys, or remove it from the library"


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A model with its source file."""

    id: str
    model: M
    document: yaml.Document

    @property
    def folder(self) -> Path:
        """Base folder of the file's relative paths."""
        return Path(self.document.path).parent


@dataclass(frozen=True)
class TaskDef:
    """A task with its dataset file and, for `for_each`, the variable's value."""

    id: str
    source_id: str
    category: str
    task: Task
    dataset: Loaded[DatasetFile]
    variable: tuple[str, Variable] | None = None

    @cached_property
    def labels(self) -> dict[str, Sequence[str]]:
        """Labels for selectors, by key."""
        source = self.dataset.model.source
        return {
            "source": (self.source_id, self.dataset.id),
            "category": (self.category,),
            "cluster": (self.task.cluster,) if self.task.cluster else (),
            "tag": self.task.tags,
            "rung": self.rungs,
            "language": self._with_variable(source.languages),
            "license": (source.license,) if source.license else (),
        }

    @cached_property
    def rungs(self) -> tuple[str, ...]:
        """Names of the ladder that this task covers."""
        return self._with_variable(self.task.rungs)

    def _with_variable(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Names with the variable of `for_each` inserted."""
        if not any("{{" in text for text in texts):
            return texts
        names = {} if self.variable is None else {self.variable[0]: self.variable[1]}
        return tuple(_rendered(t, names) if "{{" in t else t for t in texts)

    @cached_property
    def flags(self) -> frozenset[str]:
        """Selector flags of the task."""
        task = self.task
        flags = {
            "inverted": task.inverted,
            "cot": any(t.cot for t in task.templates),
            "options": any(t.options != "none" for t in task.templates),
            "instruction": task.instruction is not None,
            "eval": task.eval is not None,
            "chat": any(t.turns is not None for t in task.templates),
        }
        return frozenset(name for name, is_set in flags.items() if is_set)

    def span(self, *key: str | int) -> Span:
        """The span of a part of this task in its file."""
        return self.dataset.document.span(("tasks", self.category, *key))


@dataclass
class Library:
    """Loaded files by id.

    faulty: path -> text of files that could not be loaded, or not entirely.
    """

    folders: list[Path] = field(default_factory=list)
    datasets: dict[str, Loaded[DatasetFile]] = field(default_factory=dict)
    mixtures: dict[str, Loaded[Mixture]] = field(default_factory=dict)
    recipes: dict[str, Loaded[Recipe]] = field(default_factory=dict)
    overlays: dict[str, Loaded[Overlay]] = field(default_factory=dict)
    option_styles: dict[str, OptionStyle] = field(default_factory=dict)
    shots_styles: dict[str, ShotsStyle] = field(default_factory=dict)
    chat_styles: dict[str, ChatStyle] = field(default_factory=dict)
    documents: list[yaml.Document] = field(default_factory=list)
    memo: Memo = field(default_factory=Memo)
    schemas: dict[str, Schema] = field(default_factory=dict)
    faulty: dict[str, str] = field(default_factory=dict)

    def tasks(self, overlay: Loaded[Overlay] | None = None) -> dict[str, TaskDef]:
        """Tasks by id; `for_each` over files uses the overlay's paths."""
        return {task.id: task for task in self.every_task(overlay)}

    def every_task(self, overlay: Loaded[Overlay] | None = None) -> Iterator[TaskDef]:
        """Iterate over tasks, including those with equal ids."""
        for dataset in self.datasets.values():
            yield from _expand(dataset, overlay)

    @property
    def styles(self) -> dict[str, Mapping[str, BaseModel]]:
        """All styles by kind and id."""
        return {"options": self.option_styles, "shots": self.shots_styles, "chat": self.chat_styles}

    def recipe(self, id: str) -> Loaded[Recipe]:
        """A recipe by id. Raises FC402 with the nearest id."""
        return _get(self.recipes, id, "recipe")

    def mixture(self, id: str, span: Span | None = None) -> Loaded[Mixture]:
        """A mixture by id. Raises FC402 with the nearest id."""
        return _get(self.mixtures, id, "mixture", span)

    def overlay(self, id: str, span: Span | None = None) -> Loaded[Overlay]:
        """An overlay by id. Raises FC402 with the nearest id."""
        return _get(self.overlays, id, "overlay", span)


def builtin_library() -> Path:
    """The folder of the bundled library (in a checkout: templates/)."""
    installed = Path(str(importlib.resources.files("flancompile"))) / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "templates"


def demo_library() -> Path:
    """The folder of the demo's library."""
    return builtin_library() / "demo"


def library_folder(name: Path | str) -> Path:
    """A library's folder, from its path or the name of a bundled one. Raises FC107 for neither."""
    path = Path(name)
    if path.is_dir():
        return path
    shipped = {"flan": builtin_library, "demo": demo_library}
    if str(name) in shipped:
        return shipped[str(name)]()
    hint = nearest(str(name), shipped) or (
        "a library is a folder with datasets/, mixtures/, recipes/, styles/ or overlays/"
    )
    raise fail("FC107", f"there is no library folder {str(path)!r}", hint=hint)


def load_library(
    folders: Iterable[Path | str] = (),
    *,
    builtin: bool = True,
    loose: Iterable[Path] = (),
    memo: Memo | None = None,
    locks: bool = False,
) -> tuple[Library, list[Diagnostic]]:
    """Load the built-in styles, then `folders`, then `loose` single files.

    Without folders and files the whole built-in library is loaded. builtin: false omits it; memo:
    cache of parsed files; locks: also read schemas.lock, including those of the libraries around
    single files. Returns the loaded library and all diagnostics. Raises FC107 for a missing
    folder.
    """
    library, found = Library(memo=memo or Memo()), list[Diagnostic]()
    singles = list(loose)
    library.folders = [library_folder(f) for f in folders]
    if builtin and not library.folders and not singles:
        library.folders = [builtin_library()]
    styles = _files([builtin_library()], (), ["styles"]) if builtin else ()
    for path, kind in dict.fromkeys([*styles, *_files(library.folders, singles)]):
        try:
            found += _load(library, path, kind)
        except FlancompileError as error:
            found += error.diagnostics
            with suppress(OSError):
                library.faulty[str(path)] = path.read_text(encoding="utf-8", errors="replace")
    for folder in dict.fromkeys([*library.folders, *_around(singles)]) if locks else ():
        try:
            library.schemas |= read_lock(folder)
        except FlancompileError as error:
            found += error.diagnostics
    library.memo.save()
    return library, found


def _around(files: Iterable[Path]) -> Iterator[Path]:
    """Library folders that contain the single files."""
    for path in files:
        part = next((p for p in path.resolve().parents if p.name in KINDS), None)
        if part is not None:
            yield part.parent


def _files(
    folders: Iterable[Path], loose: Iterable[Path], kinds: Iterable[str] = tuple(KINDS)
) -> Iterator[tuple[Path, str]]:
    seen: set[tuple[str, str]] = set()
    places: dict[str, str] = {}  # a folder is looked up once, not once for each of its files

    def is_new(path: Path) -> bool:
        folder, name = os.path.split(path)
        if folder not in places:
            places[folder] = os.path.realpath(folder)
        key = (places[folder], name)
        new = key not in seen
        seen.add(key)
        return new

    for folder in folders:
        for kind in kinds:
            for path in sorted((folder / kind).rglob("*.y*ml")):
                if path.suffix in (".yaml", ".yml") and is_new(path):
                    yield path, kind
    for path in loose:
        if is_new(path):
            yield path, ""


def _kind_of(data: Any) -> str:
    """A single file's kind, from the key that identifies it."""
    keys = set(data) if isinstance(data, dict) else set()
    marks = {"recipe": "recipes", "mixture": "mixtures", "overlay": "overlays", "tasks": "datasets"}
    return next((kind for mark, kind in marks.items() if mark in keys), "styles")


def _is_rows(data: Any) -> bool:
    """Whether a file beside dataset files is a list of exemplars."""
    of_dataset = {"source", "tasks", "fields"}
    return (
        isinstance(data, list)
        and bool(data)
        and not any(
            isinstance(item, str) or (isinstance(item, dict) and of_dataset & item.keys())
            for item in data
        )
    )


def _load(library: Library, path: Path, kind: str) -> list[Diagnostic]:
    """Add a file's model to the library, without its invalid parts."""
    document = library.memo.read(path)
    if document.data is None:
        library.documents.append(document)
        span = Span(str(path), 1, 1, 1, 1)
        raise fail("FC108", "the file is empty", span=span, hint=EMPTY)
    kind = kind or _kind_of(document.data)
    if kind == "datasets" and _is_rows(document.data):
        return []
    model, document, found = validated(KINDS[kind], document)
    if model is None or document.partial:
        library.faulty[str(path)] = document.text
    library.documents.append(document)
    try:
        if isinstance(model, StyleFile):
            found += _add_styles(library, model, document)
        elif model is not None:
            _add(library, model, document, kind)
    except FlancompileError as error:
        found += error.diagnostics
    return found


def _add(library: Library, model: BaseModel, document: yaml.Document, kind: str) -> None:
    name = {"datasets": "id", "mixtures": "mixture", "recipes": "recipe", "overlays": "overlay"}[
        kind
    ]
    id_ = getattr(model, name) or Path(document.path).name.split(".")[0]
    table: dict[str, Loaded[Any]] = getattr(library, kind)
    overrides: str | None = getattr(model, "overrides", None)
    if id_ in table and overrides != id_:
        other = table[id_].document.path
        message = f"{id_!r} is defined twice; the first is in {other}"
        advice = f"rename one of them, or set `overrides: {id_}` to replace the first"
        raise fail("FC109", message, span=document.span((name,)), hint=advice)
    if overrides is not None and overrides not in table:
        span, hint = document.span(("overrides",)), nearest(overrides, table)
        raise fail("FC109", f"there is no {overrides!r} to replace", span=span, hint=hint)
    if overrides is not None:
        del table[overrides]
    table[id_] = Loaded(id_, model, document)


def _add_styles(
    library: Library, styles: StyleFile, document: yaml.Document
) -> Iterator[Diagnostic]:
    for kind, table, given in (
        ("options", library.option_styles, styles.options),
        ("shots", library.shots_styles, styles.shots),
        ("chat", library.chat_styles, styles.chat),
    ):
        for id_, style in given.items():
            if id_ in table and id_ not in styles.overrides:
                span = document.span((kind, id_), of_key=True)
                message = f"the {kind} style {id_!r} is defined twice"
                hint = f"rename it, or set `overrides: [{id_}]` to replace the first"
                yield Diagnostic("FC109", message, span, hint)
            else:
                _put(table, id_, style)


def _rendered(text: str, names: Mapping[str, object]) -> str:
    """Render a rung or language with the variable; unchanged on failure, which `check` reports."""
    from flancompile.dsl.jinja.expression import RowError, compile_template  # Jinja, slow to import

    try:
        return compile_template(text).render(names)
    except (RowError, TextError):
        return text


def _put(table: dict[str, Any], id_: str, style: object) -> None:
    table[id_] = style


def _expand(dataset: Loaded[DatasetFile], overlay: Loaded[Overlay] | None) -> Iterator[TaskDef]:
    each = dataset.model.for_each
    if each is None:
        variables: list[Variable | None] = [None]
    elif each.values is not None:
        variables = [Variable({"name": v} if isinstance(v, str) else v) for v in each.values]
    else:
        root = dataset.folder
        if overlay is not None and dataset.id in overlay.model.sources:
            root = overlay.folder / (overlay.model.root or ".")
        paths = sorted(root.glob(each.files or ""))
        variables = [
            Variable(name=p.name.split(".")[0], path=p.relative_to(root).as_posix()) for p in paths
        ]
    _no_doubles(dataset, [str(v) for v in variables if v is not None])
    for value in variables:
        source_id = dataset.id if value is None else f"{dataset.id}.{value['name']}"
        variable = None if each is None or value is None else (each.variable, value)
        for category, task in dataset.model.tasks.items():
            yield TaskDef(f"{source_id}/{category}", source_id, category, task, dataset, variable)


def _no_doubles(dataset: Loaded[DatasetFile], names: Sequence[str]) -> None:
    if len(set(names)) == len(names):
        return
    twice = next(n for n in names if names.count(n) > 1)
    span = dataset.document.span(("for_each",))
    hint = "file names without folder and extension become part of the tasks' ids"
    raise fail("FC109", f"for_each: two files are named {twice!r}", span=span, hint=hint)


def _get(table: Mapping[str, Loaded[M]], id: str, kind: str, span: Span | None = None) -> Loaded[M]:
    if id in table:
        return table[id]
    hint = nearest(id, table) or (f"known: {', '.join(sorted(table))}" if table else None)
    raise fail("FC402", f"there is no {kind} {id!r}", span=span, hint=hint)

"""Resolve the place of a split (files or Hub) and read its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from flancompile.dsl.jinja.expression import (
    Expression,
    RowError,
    compile_expression,
    compile_template,
)
from flancompile.dsl.models.source import (
    Format,
    Join,
    PlaceChoice,
    PlaceOptions,
    ReadOptions,
    Source,
    formats_of,
    options_for,
)
from flancompile.errors import Span, fail, nearest
from flancompile.sources.files import explode, format_of, read_rows
from flancompile.sources.rows import EVERY_COLUMN, BadRow, Projection, Row

__all__ = ["JoinedFiles", "Resolved", "named_path", "place_rows", "resolve_place"]


@dataclass(frozen=True)
class JoinedFiles:
    """A joined file of a place, with resolved paths."""

    join: Join
    files: tuple[str, ...]


@dataclass(frozen=True)
class Resolved:
    """A split of a place with resolved paths, which are in no cache key; picklable."""

    split: str
    hub: str | None
    config: str | None
    revision: str | None
    files: tuple[str, ...]
    format: Format | None
    read: ReadOptions
    explode: tuple[str, ...]
    items: Mapping[str, str]
    joins: tuple[JoinedFiles, ...]
    columns: Mapping[str, str]
    id: str | None
    where: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Everything that determines the rows, except the bytes and folders of the files.

        Names of files are included: they determine formats, and the places of bad rows.
        """
        return {
            "files": [Path(f).name for f in self.files],
            "joined": [[Path(f).name for f in j.files] for j in self.joins],
            "split": self.split if self.hub else None,
            "config": self.config,
            "formats": [format_of(Path(f), self.format) for f in self.files],
            "read": self.read.model_dump(),
            "explode": self.explode,
            **({"items": dict(self.items)} if self.items else {}),
            "joins": [j.join.model_dump(exclude={"files"}) for j in self.joins],
            "columns": dict(self.columns),
            **({"where": self.where} if self.where is not None else {}),
        }

    def all_files(self) -> list[str]:
        """Every file to read."""
        return [*self.files, *(f for j in self.joins for f in j.files)]


def resolve_place(
    source: Source,
    choice: PlaceChoice | None,
    split: str,
    base: Path,
    root: Path | None,
    variable: tuple[str, Mapping[str, Any]] | None = None,
    span: Span | None = None,
) -> Resolved:
    """Resolve the place of a split: the overlay's choice, else the source's own.

    base: folder of the dataset file; root: of the overlay, for a choice with files. Raises FC301
    for a missing file or split.
    """
    place: PlaceOptions = source
    folder = base
    if choice is not None and choice.place is not None:
        if choice.place not in source.places:
            hint = nearest(choice.place, source.places)
            raise fail("FC301", f"the source has no place {choice.place!r}", span=span, hint=hint)
        place = source.places[choice.place]
    elif choice is not None:
        place, folder = choice, root or base
    names = {} if variable is None else {variable[0]: variable[1]}
    if place.hub is None and place.files is None:
        hint = f"choose one in an overlay: {', '.join(source.places)}"
        raise fail("FC301", "the source itself has no place", span=span, hint=hint)
    items = place.explode if isinstance(place.explode, dict) else {}
    paths = () if items else place.explode or ()
    files = _found(place.files, split, folder, names, span) if place.files else ()
    return Resolved(
        split=named_path((place.splits or {}).get(split, split), names, span),
        hub=named_path(place.hub, names, span) if place.hub else None,
        config=named_path(place.config, names, span) if place.config else None,
        revision=place.revision,
        files=files,
        format=place.format,
        read=_read(place, files),
        explode=(paths,) if isinstance(paths, str) else tuple(paths),
        items=items,
        joins=tuple(
            JoinedFiles(j, _found(j.files, split, folder, names, span)) for j in place.join
        ),
        columns=dict(place.columns),
        id=(choice.id if choice is not None and choice.id is not None else source.id),
        where=place.where,
    )


def _read(place: PlaceOptions, files: tuple[str, ...]) -> ReadOptions:
    """The read options for a split's files, if the place has files of several formats."""
    if len(formats_of(place.files, place.format)) < 2:
        return place.read
    return options_for(place.read, [format_of(Path(f), place.format) for f in files])


def named_path(text: str, names: Mapping[str, object], span: Span | None) -> str:
    """Render a path or name that may use the variable of `for_each`. Raises FC202."""
    if "{{" not in text:
        return text
    try:
        return compile_template(text).render(names)
    except RowError as error:
        hint = f"it may use {', '.join(names)}" if names else "there is no `for_each`"
        raise fail("FC202", f"{text!r}: {error}", span=span, hint=hint) from None


def _found(
    files: dict[str, Any] | str | tuple[str, ...],
    split: str,
    folder: Path,
    names: Mapping[str, object],
    span: Span | None,
) -> tuple[str, ...]:
    if isinstance(files, dict):
        if split not in files:
            hint = nearest(split, files) or f"splits here: {', '.join(files)}"
            raise fail("FC301", f"the source has no split {split!r}", span=span, hint=hint)
        files = files[split]
    found: list[str] = []
    for pattern in (files,) if isinstance(files, str) else files:
        name = named_path(pattern, names, span)
        path = Path(name) if Path(name).is_absolute() else folder / name
        is_glob = any(c in name for c in "*?[") and not path.exists()
        paths = [path]
        if is_glob:
            paths = sorted(p for p in path.parent.glob(path.name) if p.is_file())
        if paths and paths[0].is_dir():
            raise fail("FC301", f"{name!r} is a folder", span=span, hint=f"write {name}/*")
        if not paths or not paths[0].is_file():
            near = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
            hint = nearest(path.name, near) or f"looked in {path.parent}"
            raise fail("FC301", f"there is no file {name!r}", span=span, hint=hint)
        found += [str(p) for p in paths]
    return tuple(found)


def place_rows(
    place: Resolved,
    variable: Mapping[str, object] | None = None,
    projection: Projection = EVERY_COLUMN,
) -> Iterator[Row | BadRow]:
    """The rows of a place: read, exploded and joined, in the order of its files.

    variable: of `for_each`, by name; projection: the columns that expressions read.
    """
    own = projection.with_columns(
        *(path.split(".")[0] for path in place.explode),
        *(joined.join.key for joined in place.joins if joined.join.key),
    )
    if place.hub is not None:
        from flancompile.sources.hub import hub_rows

        rows: Iterator[Row | BadRow] = hub_rows(
            place.hub, place.config, place.revision, place.split, own
        )
    else:
        rows = _file_rows(place.files, place.format, place.read, own)
    for path in place.explode:
        rows = _exploded(rows, path.split("."))
    for name, text in place.items.items():
        rows = _itemised(rows, name, compile_expression(text), variable or {})
    for joined in place.joins:
        rows = _joined(rows, joined, projection)
    return rows


def _file_rows(
    files: tuple[str, ...], format_: Format | None, options: ReadOptions, projection: Projection
) -> Iterator[Row | BadRow]:
    for name in files:
        path = Path(name)
        yield from read_rows(path, format_of(path, format_), options, projection)


def _exploded(rows: Iterator[Row | BadRow], path: list[str]) -> Iterator[Row | BadRow]:
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        else:
            yield from explode(row, path)


def _itemised(
    rows: Iterator[Row | BadRow],
    name: str,
    expression: Expression,
    variable: Mapping[str, object],
) -> Iterator[Row | BadRow]:
    """A row for each item of a list expression over the columns."""
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            items = expression({**row, "row": row, **variable})
        except RowError as error:
            yield BadRow(f"explode: {error}", "")
            continue
        if isinstance(items, list | tuple):
            yield from ({**row, name: item} for item in items)
        else:
            yield BadRow(f"explode: {name} is no list", "")


def _joined(
    rows: Iterator[Row | BadRow], joined: JoinedFiles, projection: Projection
) -> Iterator[Row | BadRow]:
    join = joined.join
    key = join.other or join.key
    theirs = projection.without_prefix(join.prefix, [key] if key else ())
    others = _file_rows(joined.files, join.format, join.read, theirs)
    merged = _Merge(joined, projection)
    if join.by == "line":
        return _by_line(rows, others, merged)
    if join.by == "cross":
        return _crossed(rows, others, merged)
    return _by_key(rows, others, merged)


def _by_line(
    rows: Iterator[Row | BadRow], others: Iterator[Row | BadRow], merged: _Merge
) -> Iterator[Row | BadRow]:
    for number, (row, other) in enumerate(zip_longest(rows, others), 1):
        if row is None or other is None:
            shorter = "the joined file" if other is None else "this file"
            message = f"join by line: {shorter} ends at row {number - 1}, the other continues"
            raise fail("FC305", f"{', '.join(merged.joined.files)}: {message}")
        bad = row if isinstance(row, BadRow) else other
        yield bad if isinstance(bad, BadRow) else merged(row, other)


def _by_key(
    rows: Iterator[Row | BadRow], others: Iterator[Row | BadRow], merged: _Merge
) -> Iterator[Row | BadRow]:
    key = str(merged.joined.join.key)
    other_key = merged.joined.join.other or key
    table: dict[str, Row] = {}
    several: set[str] = set()  # keys of rows with different content
    for other in others:
        if not isinstance(other, BadRow) and other.get(other_key) is not None:
            value = str(other[other_key])
            if table.setdefault(value, other) != other:
                several.add(value)
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        elif row.get(key) is None:
            yield BadRow(f"join: {key!r} is null" if key in row else f"join: no {key!r}", "")
        elif str(row[key]) not in table:
            yield BadRow(f"join: no row with {other_key} = {row[key]!r} in the second file", "")
        elif str(row[key]) in several:
            yield BadRow(
                f"join: several rows with {other_key} = {row[key]!r} in the second file", ""
            )
        else:
            yield merged(row, table[str(row[key])])


def _crossed(
    rows: Iterator[Row | BadRow], others: Iterator[Row | BadRow], merged: _Merge
) -> Iterator[Row | BadRow]:
    """Each row with every row of the second file, in memory. Raises FC305 for an empty file."""
    second = list(others)
    if not second:
        files = ", ".join(merged.joined.files)
        raise fail("FC305", f"{files}: join by cross: the file has no rows")
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        for other in second:
            yield other if isinstance(other, BadRow) else merged(row, other)


class _Merge:
    """Merge a row of a joined file into a row, whose own columns take precedence."""

    def __init__(self, joined: JoinedFiles, projection: Projection) -> None:
        self.joined, self._projection = joined, projection

    def __call__(self, row: Any, other: Any) -> Row:
        """Raises FC305 for a column with different values in both rows that an expression reads."""
        join = self.joined.join
        added = {f"{join.prefix}{k}": v for k, v in other.items()}
        for name in added.keys() & row.keys():
            if name != join.key and added[name] != row[name] and self._projection.is_read(name):
                files = ", ".join(self.joined.files)
                message = f"{files}: join: both files have a column {name!r}, with different values"
                hint = "set `prefix:` for the names of the second file's columns"
                raise fail("FC305", message, hint=hint)
        return {**added, **row}

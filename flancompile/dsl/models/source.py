"""Where rows come from: places, splits, reading options, explosion and joins.

A source may name several places that hold the same rows (a Hub repository, files on a disk). An
overlay file chooses one and maps its columns to the names that the dataset file uses.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from flancompile.dsl.models.base import Expression, Identifier, Strict

__all__ = [
    "Format", "Join", "Overlay", "Place", "PlaceChoice", "PlaceOptions", "ReadOptions", "Source",
    "format_by_name", "formats_of", "options_for", "unknown_option",
]  # fmt: skip

Format = Literal[
    "jsonl", "json", "csv", "tsv", "parquet", "arrow", "text", "xml", "natural_instructions"
]
_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl", ".jsonlines": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv",
    ".tsv": "tsv", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".txt": "text",
    ".lst": "text", ".story": "text", ".xml": "xml",
}  # fmt: skip
_DELIMITED = (
    "encoding", "errors", "delimiter", "quoting", "header", "columns", "unescape", "skip",
)  # fmt: skip
_OPTIONS: dict[Format, tuple[str, ...]] = {
    "jsonl": ("encoding", "errors", "skip"),
    "json": ("encoding", "rows"),
    "csv": _DELIMITED,
    "tsv": _DELIMITED,
    "text": ("encoding", "errors", "skip", "lines", "blank", "whole"),
    "xml": ("rows",),
    "natural_instructions": ("encoding",),
    "parquet": (),
    "arrow": (),
}


def format_by_name(name: str) -> Format | None:
    """The format by a file's extension, without the extension of a compression.

    >>> format_by_name("a.jsonl.zst")
    'jsonl'
    """
    suffixes = PurePath(name).suffixes
    if suffixes and suffixes[-1] in (".gz", ".zst", ".zstd"):
        suffixes = suffixes[:-1]
    return _SUFFIXES.get(suffixes[-1].lower()) if suffixes else None


def unknown_option(given: Collection[str], format_: Format) -> str | None:
    """Message about options that the format does not have, or None."""
    known = _OPTIONS[format_]
    unknown = sorted(set(given) - set(known))
    if not unknown:
        return None
    has = f"has {', '.join(known)}" if known else "has none"
    return f"{unknown[0]!r} is not an option of {format_}, which {has}"


def formats_of(files: object, declared: Format | None) -> list[Format]:
    """Formats of a place's files, as declared or by their names."""
    if declared:
        return [declared]
    several: list[Any] = list(files.values()) if isinstance(files, dict) else [files or ()]
    names = [n for f in several for n in ((f,) if isinstance(f, str) else f)]
    return [f for f in dict.fromkeys(map(format_by_name, names)) if f]


def _suits(value: ReadOptions, info: ValidationInfo) -> ReadOptions:
    """Options that at least one of the place's formats has."""
    given: dict[str, Any] = info.data
    formats = formats_of(given.get("files"), given.get("format"))
    known = {name for f in formats for name in _OPTIONS[f]}
    wrong = value.model_fields_set - known
    if formats and (why := unknown_option(wrong, formats[0])):
        raise ValueError(why)
    return value


def options_for(options: ReadOptions, formats: Collection[Format]) -> ReadOptions:
    """The options that these formats have, of a place with files of several formats."""
    known = {name for f in formats for name in _OPTIONS[f]}
    return options.model_construct(
        **{n: getattr(options, n) for n in options.model_fields_set if n in known}
    )


class ReadOptions(Strict):
    """Options for reading files; an option that the format does not have is an error."""

    encoding: str = Field(
        "utf-8", description="Text encoding; a byte order mark is always taken off."
    )
    errors: Literal["strict", "replace"] = Field(
        "strict",
        description="Handling of bytes invalid in the encoding: drop the row with a reason, "
        "or put U+FFFD in their place.",
    )
    delimiter: str | None = Field(
        None, description="CSV and TSV: the delimiter.", min_length=1, max_length=1
    )
    quoting: bool | None = Field(
        None, description="CSV and TSV: whether quotes enclose values. Default: CSV yes, TSV no."
    )
    header: bool = Field(True, description="CSV and TSV: whether the first line names the columns.")
    columns: tuple[str, ...] | None = Field(
        None, description="Names of the columns of a file without a header (or in place of it)."
    )
    unescape: bool = Field(
        False,
        description=r"CSV and TSV: unescape \n, \t and \\.",
    )
    rows: str | None = Field(
        None,
        description="JSON: dotted path to the array of rows. XML: path of a row's element.",
    )
    skip: int = Field(0, ge=0, description="Lines to skip at the head of a text-like file.")
    lines: int | None = Field(
        None,
        ge=1,
        description="Text: number of lines of a row, which become a list in the column `lines`.",
    )
    blank: bool = Field(
        False,
        description="Text: blank lines separate the rows; a row's lines become the column `lines`.",
    )
    whole: bool = Field(
        False, description="Text: a file is one row, its text in column `text` (CNN's stories)."
    )

    @model_validator(mode="after")
    def _one_way(self) -> ReadOptions:
        if (self.lines is not None) + self.blank + self.whole > 1:
            raise ValueError("set only one of `lines`, `blank` and `whole`")
        names = self.columns or ()
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ValueError(f"two of the `columns` are both named {twice!r}")
        return self


class Join(Strict):
    """A second file whose columns are added to the rows: by line, by key, or each to every row."""

    files: dict[str, str | tuple[str, ...]] | str = Field(
        description="Path or glob; or one for each split."
    )
    format: Format | None = Field(
        None, description="Format of the second file. Default: by its extension."
    )
    read: ReadOptions = Field(ReadOptions(), description="How the second file is read.")
    by: Literal["line", "key", "cross"] = Field(
        "line",
        description="line: the row of the same number. key: the row of an equal value. cross: "
        "every row of the second file in turn, so that each pair is a row.",
    )
    key: str | None = Field(None, description="The column of these rows that is matched, by key.")
    other: str | None = Field(None, description="The column of the second file; default: `key`.")
    prefix: str = Field("", description="Put before the names of the added columns.")

    _read_suits = field_validator("read")(_suits)

    @model_validator(mode="after")
    def _key_is_given(self) -> Join:
        if (self.by == "key") != (self.key is not None):
            raise ValueError("`by: key` needs `key:`, and `key:` needs `by: key`")
        return self


class PlaceOptions(Strict):
    """Options that places and overlays' choices of places share."""

    hub: str | None = Field(None, description="A dataset repository on the Hugging Face Hub.")
    config: str | None = Field(None, description="The Hub dataset's configuration.")
    revision: str | None = Field(
        None, description="The Hub dataset's revision; a build's lock names its commit."
    )
    files: dict[str, str | tuple[str, ...]] | str | None = Field(
        None,
        description="Path or glob for each split, from this file's folder (or the overlay's root).",
    )
    format: Format | None = Field(None, description="Default: by the files' extension.")
    read: ReadOptions = Field(ReadOptions(), description="How the files are read.")
    splits: dict[str, str] | None = Field(
        None, description="Our split name -> the Hub's split name. Default: the same names."
    )
    explode: tuple[str, ...] | str | dict[Identifier, Expression] | None = Field(
        None,
        description="Dotted path to lists: each innermost item becomes a row that keeps its "
        "parents' columns; inner names win. A path through several lists explodes each in turn. "
        "Or a new column -> expression that gives a list: each item becomes a row, in that column.",
    )
    join: tuple[Join, ...] = Field((), description="Second files whose columns are added.")
    columns: dict[str, Expression] = Field(
        {},
        description="New column -> expression over this place's columns, and over the new ones "
        "before it that the place lacks; the rest are kept.",
    )

    where: Expression | None = Field(
        None,
        description="Use only rows for which this is true: an expression over the place's columns.",
    )

    _read_suits = field_validator("read")(_suits)

    @field_validator("join", mode="before")
    @classmethod
    def _one_join(cls, value: object) -> object:
        return (value,) if isinstance(value, dict) else value


class Place(PlaceOptions):
    """One place that holds the rows: exactly one of `hub` and `files`."""

    @model_validator(mode="after")
    def _one_of(self) -> Place:
        if (self.hub is None) == (self.files is None):
            raise ValueError("a place needs exactly one of `hub` and `files`")
        return self


class Source(PlaceOptions):
    """The rows of a dataset file."""

    places: dict[str, Place] = Field({}, description="Further places, chosen by an overlay.")
    id: Expression | None = Field(
        None, description="Expression for a row's identity. Default: a digest of its content."
    )
    license: str | None = Field(None, description="SPDX identifier of the data's licence.")
    url: str | None = Field(None, description="The dataset's home page.")
    citation: str | None = Field(None, description="How to cite the dataset.")
    languages: tuple[str, ...] = Field(
        ("en",),
        description="Languages of the rows, as BCP 47 tags, for the selector `language:`. Each may "
        "show the variable of `for_each`, so that every task has its own: `{{ lang.name }}`.",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Source:
        if self.hub is not None and self.files is not None:
            raise ValueError(
                "a source names one of `hub` and `files`; put the other under `places`"
            )
        if self.hub is None and self.files is None and not self.places:
            raise ValueError("a source needs `hub`, `files` or `places`")
        return self


class PlaceChoice(PlaceOptions):
    """An overlay's entry for one source: a place by name, or a place of its own."""

    place: str | None = Field(None, description="The name of one of the source's `places`.")
    id: Expression | None = Field(None, description="In place of the source's own `id`.")

    @model_validator(mode="after")
    def _one_of(self) -> PlaceChoice:
        if sum(x is not None for x in (self.place, self.hub, self.files)) != 1:
            raise ValueError("an overlay entry needs exactly one of `place`, `hub` and `files`")
        return self


class Overlay(Strict):
    """A file in overlays/: locations of some sources' rows on this machine."""

    overlay: Annotated[str, Field(description="The overlay's id.")]
    root: str | None = Field(
        None, description="Folder that `files` are relative to, itself relative to this file."
    )
    sources: dict[str, PlaceChoice] = Field(
        description="Dataset id -> the place of its rows on this machine."
    )
